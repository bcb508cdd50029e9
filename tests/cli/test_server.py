"""Facts about the server of a host's state: what it shows, and what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlmon_exporter import Config, ConfigError
from mlmon_exporter.cli.server import server_app
from tests.asgi import get, shut_down


def test_without_a_state_directory_it_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="set state_dir in both configurations"):
        server_app(Config())


def test_each_path_that_it_describes_answers(tmp_path: Path) -> None:
    app = server_app(Config.from_options(None, model="m", state_dir=str(tmp_path / "state")))
    described = get(app, "/openapi.json").json()["paths"]
    assert {"/metrics", "/healthz"} <= described.keys()
    assert {path: get(app, path).status_code for path in described} == dict.fromkeys(described, 200)
    shut_down(app)


def test_it_takes_ground_truth_where_there_is_a_token(tmp_path: Path) -> None:
    options = {"model": "m", "state_dir": str(tmp_path / "state")}
    for token, status in ((None, 404), ("t0ken", 405)):
        app = server_app(Config.from_options(None, **options, token=token))
        assert get(app, "/ground-truth").status_code == status
        shut_down(app)
