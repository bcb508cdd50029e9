"""Answers to a scrape: format, compression, token, and faults."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from mlmon_exporter import Monitor, instrument
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
    assert int(packed.headers["content-length"]) < len(packed.content) / 4
    monitor.close()


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
