"""The server keeps to its own description, whatever schemathesis sends."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette

from mlmon_exporter import Config, Reference
from mlmon_exporter.cli.server import server_app
from tests.asgi import get

TOKEN = "t"


@pytest.fixture
def server(tmp_path: Path) -> Starlette:
    path = tmp_path / "m.json"
    Reference.build(
        {"x": [1.0, 2.0] * 9, "y": ["a", "b"] * 9, "truth": ["a", "b"] * 9},
        predictions="y",
        ground_truth="truth",
    ).save(path)
    options = {"model": "m", "reference": str(path), "state_dir": str(tmp_path / "state")}
    return server_app(Config.from_options(None, token=TOKEN, **options))


def test_the_description_has_the_paths_that_there_are(server: Starlette, tmp_path: Path) -> None:
    paths = {"/metrics", "/healthz"}
    assert get(server, "/openapi.json").json()["paths"].keys() == paths | {"/ground-truth", "/kpi"}
    without = server_app(Config.from_options(None, state_dir=str(tmp_path / "other")))
    described = get(without, "/openapi.json").json()
    assert described["paths"].keys() == paths
    assert "security" not in described["paths"]["/metrics"]["get"]
