"""Facts about one call of a WSGI app: it answers as without us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest

from mlmon_exporter import MonitorWSGIMiddleware
from tests.sources.wsgi.watched import (
    ANSWER,
    APPS,
    JSON,
    Result,
    counts,
    lines,
    plain,
    watched,
)


@pytest.mark.parametrize("name", APPS)
def test_an_app_answers_as_without_us_and_is_counted_by_its_end(name: str) -> None:
    app, ending, rows = APPS[name]
    wrapped, monitor = watched(app)
    with monitor:
        wrapper: dict[str, Any] = {"wsgi.file_wrapper": FileWrapper}
        assert Result(wrapped, **wrapper).seen == Result(app, **wrapper).seen
        assert counts(monitor) == {("m", "", "/predict", "POST", *ending): 1}
        assert sum(counts(monitor, "mlmon_prediction_rows_total").values()) == rows
        dropped = {"unread": {("request_unread",): 1}, "file": {("response_unread",): 1}}
        assert counts(monitor, "mlmon_dropped_total") == dropped.get(name, {})
        assert counts(monitor, "mlmon_internal_errors_total") == {}


def test_a_client_that_leaves_within_an_answer_has_left() -> None:
    wrapped, monitor = watched(lines)
    with monitor:
        assert Result(wrapped, parts=0).body == ANSWER[:5]
        assert counts(monitor) == {("m", "", "/predict", "POST", "200", "disconnected"): 1}


def test_a_server_may_stop_at_the_length_that_the_answer_says() -> None:
    wrapped, monitor = watched(plain)
    with monitor:
        assert Result(wrapped, parts=0).body == ANSWER
        assert counts(monitor) == {("m", "", "/predict", "POST", "200", "ok"): 1}


def started(status: str, headers: list[tuple[str, str]]) -> Callable[[bytes], object]:
    return lambda data: None


def test_the_length_of_one_part_can_be_told() -> None:
    wrapped, monitor = watched(plain)
    with monitor:
        environ: dict[str, Any] = {"PATH_INFO": "/predict", "REQUEST_METHOD": "POST"}
        setup_testing_defaults(environ)
        environ["CONTENT_LENGTH"] = "0"
        answer: Any = wrapped(environ, started)
        assert len(answer) == 1
        environ.pop("mlmon_exporter.seen")
        assert not hasattr(MonitorWSGIMiddleware(lines, monitor)(environ, started), "__len__")


def test_a_prediction_has_the_id_of_the_client_of_the_app_or_a_new_one() -> None:
    def own(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [JSON, ("X-Prediction-ID", "the app's")])
        return [ANSWER]

    wrapped, monitor = watched(plain)
    with monitor:
        assert Result(wrapped, HTTP_X_PREDICTION_ID="mine").headers["X-Prediction-Id"] == "mine"
        made = {Result(wrapped).headers["X-Prediction-Id"] for _ in range(100)}
        assert len(made) == 100
        headers = Result(MonitorWSGIMiddleware(own, monitor)).headers
        assert headers == dict([JSON, ("X-Prediction-ID", "the app's")])


@pytest.mark.parametrize("fails", ["begin", "answer_begins", "end"])
def test_a_fault_of_ours_is_counted_and_never_seen(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("ours")

    wrapped, monitor = watched(plain)
    monkeypatch.setattr(f"mlmon_exporter.sources.recorder.Recorder.{fails}", fault)
    with monitor:
        assert Result(wrapped).seen == Result(plain).seen
        assert counts(monitor, "mlmon_internal_errors_total") == {("middleware",): 1}
