"""Facts about what may be posted to the path of events, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from mlmon_exporter import Config, ConfigError, Reference
from mlmon_exporter.cli.server import server_app
from mlmon_exporter.endpoints.post import MOST_BYTES
from tests.asgi import client, get, run, shut_down

EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "pod",
    "ce-inferenceservicename": "m",
    "content-type": "application/json",
}
ASKED = {**EVENT, "ce-type": "org.kubeflow.serving.inference.request"}
TOLD = {**EVENT, "ce-type": "org.kubeflow.serving.inference.response"}
GOOD = {"authorization": "Bearer new"}


@pytest.fixture
def server(tmp_path: Path) -> Starlette:
    path = tmp_path / "m.json"
    Reference.build({"a": [1.0, 2.0] * 9, "y": [0.0, 1.0] * 9}, predictions="y").save(path)
    options = {"events_path": "/events", "token": ["old", "new"]}
    return server_app(Config.from_options(None, model="m", reference=path, **options))


def post(
    server: Starlette, headers: Mapping[str, str], body: bytes, path: str = "/events"
) -> httpx.Response:
    async def call() -> httpx.Response:
        async with client(server) as http:
            return await http.post(path, content=body, headers=dict(headers))

    return run(call())


@pytest.mark.parametrize(
    ("path", "headers"), [("/events", GOOD), ("/events/new", {}), ("/events/old", {})]
)
def test_the_token_is_in_a_header_or_in_the_path(
    server: Starlette, path: str, headers: Mapping[str, str]
) -> None:
    asked = post(server, {**ASKED, **headers}, b'{"instances": [{"a": 1.5}]}', path)
    assert (asked.status_code, asked.content) == (200, b"")
    told = post(server, {**TOLD, **headers}, b'{"predictions": [1]}', path)
    assert (told.status_code, told.content) == (200, b"")
    assert 'mlmon_prediction_rows_total{model="m",version=""} 1\n' in get(server, "/metrics").text


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/events", {}),
        ("/events", {"authorization": "Bearer other"}),
        ("/events/other", GOOD),
        ("/events/%C3%A4", {}),
    ],
)
def test_without_the_token_nothing_is_read(
    server: Starlette, path: str, headers: Mapping[str, str]
) -> None:
    answer = post(server, {**ASKED, **headers}, b"no JSON", path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_what_is_no_event_is_refused(server: Starlette) -> None:
    answer = post(server, GOOD, b"{}")
    assert answer.status_code == 400
    assert answer.json() == {"error": "event: expected the attribute specversion, got none"}
    answer = post(server, {**GOOD, **ASKED}, bytes(MOST_BYTES + 1))
    assert answer.status_code == 413
    assert get(server, "/events").status_code == 405


def test_events_that_wait_at_the_end_are_counted(server: Starlette) -> None:
    post(server, {**ASKED, **GOOD}, b"{}")
    shut_down(server)
    assert 'mlmon_dropped_total{reason="event_unanswered"} 1\n' in get(server, "/metrics").text


def test_the_path_is_described(server: Starlette) -> None:
    described = get(server, "/openapi.json").json()["paths"]
    assert described.keys() == {"/metrics", "/healthz", "/ground-truth", "/kpi", "/events"}


def test_the_path_is_none_of_the_others_and_needs_a_token() -> None:
    for path in ("/", "/metrics", "/healthz", "/kpi", "/ground-truth", "/openapi.json"):
        with pytest.raises(ConfigError, match="events_path: expected a path of its own"):
            server_app(Config.from_options(None, events_path=path, token="t"))
    with pytest.raises(ConfigError, match="token: expected one for those who send events"):
        server_app(Config.from_options(None, events_path="/events"))
