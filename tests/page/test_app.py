"""Facts about the page as it is served: where, to whom, with which headers."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mlmon_exporter import Config, Monitor, instrument
from mlmon_exporter.cli.server import server_app
from mlmon_exporter.core.drift.history import Snapshot
from mlmon_exporter.page.app import PageApp
from tests.asgi import get, post_all, run, shut_down

TOKEN = "s3cret"


def served(**options: Any) -> Starlette:
    """A model server that echoes, with the page at /mlmon."""

    async def predict(_: Request) -> Response:
        return JSONResponse({"predictions": [1.0]})

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    instrument(app, **{"page_path": "/mlmon", "model": "m", **options})
    return app


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
        "import sys; from mlmon_exporter import Monitor\n"
        "monitor = Monitor(); monitor.readings(); monitor.metrics_app()\n"
        "print([name for name in sys.modules if name.startswith('mlmon_exporter.page')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_the_policy_lets_in_the_style_sheet_of_the_page_and_nothing_else() -> None:
    response = get(served(), "/mlmon")
    (style,) = re.findall("<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert response.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    assert " style=" not in response.text
    assert "<script" not in response.text


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


def test_the_page_refreshes_itself_unless_it_is_paused() -> None:
    app = served()
    assert get(app, "/mlmon").headers["refresh"] == "15"
    assert "refresh" not in get(app, "/mlmon?paused=1").headers


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


def test_an_unknown_window_is_the_longest(config: Config) -> None:
    app = server_app(config)
    assert "Rows in 24h" in get(app, "/?window=%3Cscript%3E").text
    assert "Rows in 1h" in get(app, "/?window=1h").text
    shut_down(app)


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


def test_a_model_that_learns_its_reference_has_a_page() -> None:
    text = get(served(learn_rows=1000), "/mlmon").text
    assert "learning its reference: 0 rows" in text
    assert "Nothing to compare yet" in text


def test_faults_of_the_last_minutes_fire(tmp_path: Path) -> None:
    monitor = Monitor(model="m", page_path="/mlmon")
    now = [1000.0]
    app = PageApp(lambda pause: monitor._readout.snapshot(pause, now[0]))
    assert "Firing" not in get(app, "/").text
    monitor._counts.health.drop("queue_full", 4)
    now[0] += 60
    shown = get(app, "/").text
    assert re.search("Firing.*Dropped</b> 4: queue_full", shown)
