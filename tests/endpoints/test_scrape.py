"""Answers to a scrape: format, compression, token, and faults."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.types import Message

from mlmon_exporter import Monitor, instrument
from mlmon_exporter.core.records import Block
from mlmon_exporter.endpoints import scrape
from mlmon_exporter.runtime.pace import Pause
from tests.asgi import get, post_all


def served(metrics_token: str | None = None) -> tuple[FastAPI, Monitor]:
    app = FastAPI()
    return app, instrument(app, model="m", metrics_token=metrics_token)


def test_the_format_is_what_the_scraper_asks_for() -> None:
    app, monitor = served()
    classic = get(app, "/metrics", {"accept": "*/*", "accept-encoding": "identity"})
    assert classic.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "content-encoding" not in classic.headers
    asked = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    opened = get(app, "/metrics", asked)
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert opened.text.endswith("# EOF\n")
    packed = get(app, "/metrics", {"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(packed.content) / 3
    monitor.close()


def test_counters_of_workers_and_restarts_go_on_without_a_time_of_creation(
    tmp_path: Path,
) -> None:
    asked = {"accept": "application/openmetrics-text;version=1.0.0"}
    shown: list[float] = []
    for _ in ("first start", "restart"):
        workers = [Monitor(model="m", state_dir=str(tmp_path / "state")) for _ in range(2)]
        for worker in workers:
            worker.observe({"x": [1.0]})
            text = get(worker.metrics_app(), "/", asked).text
            assert "_created" not in text
            found = re.findall(r"^mlmon_prediction_rows_total{.*} (.*)$", text, re.MULTILINE)
            shown += map(float, found)
        for worker in workers:
            worker.close()
    assert shown == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("asked", "is_given"),
    [
        ("{}", True),
        ("{};q=0.1", True),
        ("{};q=0.001", True),
        ("{};q=0", False),
        ("x, {} ; q=0.000 , y;q=1", False),
        ("{};version=1.0.0;q=0.0;v=1", False),
        ("y;q=0, {}", True),
        ("{};q=0, {};version=1.0.0;q=0.5", True),
        ("y", False),
        ("", False),
    ],
)
def test_what_a_scraper_refuses_it_does_not_get(asked: str, is_given: bool) -> None:
    app, _ = served()
    packed = get(app, "/metrics", {"accept-encoding": asked.replace("{}", "gzip")})
    assert ("content-encoding" in packed.headers) == is_given
    kind = "application/openmetrics-text"
    opened = get(app, "/metrics", {"accept": asked.replace("{}", kind)})
    assert opened.headers["content-type"].startswith(kind) == is_given


def test_other_methods_than_get_are_refused() -> None:
    _, monitor = served()
    (refused,) = post_all(monitor.metrics_app(), "/metrics", [b""])
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD"
    monitor.close()


def test_a_scrape_that_fails_says_why_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    app, monitor = served()
    monitor._in_flight[0] = {"method": "GET", "endpoint": get}  # a scope without a path
    for _ in range(2):
        failed = get(app, "/metrics")
        assert (failed.status_code, failed.text) == (500, "the scrape failed: KeyError: 'path'\n")
    assert [record.levelname for record in caplog.records if "scrape failed" in record.message] == [
        "ERROR"
    ]
    del monitor._in_flight[0]
    assert 'mlmon_internal_errors_total{where="scrape"} 2\n' in get(app, "/metrics").text
    monitor.close()


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Basic s3cret-token", 401),
        ("Bearer s3cret-tokén", 401),
        ("Bearer s3cret-token", 200),
        ("bearer s3cret-token", 200),
    ],
)
def test_metrics_ask_for_their_token(given: str | None, status: int) -> None:
    app, monitor = served(metrics_token="s3cret-token")
    headers = {"authorization": given.encode()} if given is not None else {}
    answer = get(app, "/metrics", headers)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert ("mlmon_" in answer.text) == (status == 200)
    monitor.close()


def test_a_scrape_that_waited_is_rendered_only_for_a_scraper_that_still_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scrape, "_LONG_SECONDS", 0.0)
    is_rendering, may_end = threading.Event(), threading.Event()
    rendered: list[None] = []

    def source(_: Pause) -> Iterator[Block]:
        is_rendering.set()
        assert may_end.wait(120.0)
        rendered.append(None)
        yield from ()

    app = scrape.MetricsApp(source, on_fault=lambda error: None)
    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": []}

    async def status(does_wait: bool) -> int:
        answers: list[Message] = []
        is_asked = asyncio.Event()

        async def receive() -> Message:
            if does_wait:
                await is_asked.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            answers.append(message)

        await app(scope, receive, send)
        return int(answers[0]["status"])

    async def scrapes() -> list[int]:
        first = asyncio.create_task(status(does_wait=True))
        await asyncio.to_thread(is_rendering.wait, 60)
        gone = [asyncio.create_task(status(does_wait=False)) for _ in range(5)]
        last = asyncio.create_task(status(does_wait=True))
        await asyncio.sleep(0)  # all have asked
        may_end.set()
        return [await each for each in (first, *gone, last)]

    assert asyncio.run(scrapes()) == [200, *[499] * 5, 200]
    assert len(rendered) == 2
