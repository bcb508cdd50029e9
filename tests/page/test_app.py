"""Facts about the page as it is served: where, to whom, with which headers."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
from collections.abc import Callable

import httpx
import pytest

from mlmon_exporter import Config
from mlmon_exporter.cli.server import server_app
from mlmon_exporter.core.drift.history import Snapshot
from mlmon_exporter.page.app import PageApp
from tests.asgi import get, post_all, run, shut_down
from tests.page.opened import served

TOKEN = "s3cret"


def test_serve_shows_the_page_at_its_root(config: Config) -> None:
    app = server_app(config)
    response = get(app, "/")
    shut_down(app)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "4 of 303 columns drifted" in response.text


def test_an_app_has_no_page_unless_it_is_switched_on() -> None:
    assert get(served(page_path=None), "/mlmon").status_code == 404
    assert get(served(), "/mlmon").status_code == 200


def test_the_page_is_not_counted_among_the_requests() -> None:
    app = served()
    get(app, "/mlmon")
    post_all(app, "/predict", [{"instances": [{"a": 1}]}])
    text = get(app, "/metrics").text
    assert '"/mlmon"' not in text
    assert 'mlmon_requests_total{model="m",version="",route="/predict"' in text


def test_a_process_without_a_page_does_not_import_it() -> None:
    code = (
        "import sys; from mlmon_exporter import Config, Monitor\n"
        "monitor = Monitor(); monitor.readings(); monitor.metrics_app()\n"
        "print([name for name in sys.modules if name.startswith('mlmon_exporter.page')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ],
)
def test_every_answer_says_what_browsers_may_do(name: str, value: str) -> None:
    app = served(metrics_token=TOKEN)
    for authorization in ("", f"Bearer {TOKEN}"):
        assert get(app, "/mlmon", {"authorization": authorization}).headers[name] == value


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("", TOKEN), basic("anyone", TOKEN)],
)
def test_the_token_opens_the_page(authorization: str) -> None:
    app = served(metrics_token=TOKEN)
    assert get(app, "/mlmon", {"authorization": authorization}).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", basic(TOKEN, ""), basic("", "x"), "Basic", "Basic !", "Basic w6Q="],
)
def test_nothing_else_opens_it(authorization: str) -> None:
    response = get(served(metrics_token=TOKEN), "/mlmon", {"authorization": authorization})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert "drifted" not in response.text


def test_other_methods_are_refused() -> None:
    (response,) = post_all(served(), "/mlmon", [b""])
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "query",
    ["model=x", "model=m&feature=x", "model=m&output=", "model=m&version=9&feature=a", "model="],
)
def test_what_is_not_there_is_not_found(query: str) -> None:
    assert get(served(), f"/mlmon?{query}").status_code == 404


def test_rendering_is_off_the_event_loop() -> None:
    threads = []

    def source(_pause: Callable[[], None]) -> Snapshot:
        threads.append(threading.get_ident())
        return Snapshot(0.0, [], [])

    async def call() -> int:
        transport = httpx.ASGITransport(PageApp(source))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            assert (await http.get("/")).status_code == 200
        return threading.get_ident()

    assert threads != [run(call())]
    assert len(threads) == 1
