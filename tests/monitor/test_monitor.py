from __future__ import annotations

import gzip
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi import Body, FastAPI
from starlette.types import ASGIApp

from mlmon_exporter import ConfigError, Monitor, MonitorMiddleware, instrument
from mlmon_exporter.core.stats.sampling import place
from tests.asgi import get, post_all
from tests.monitor.served import bare, row, served, value

NOW = 1_750_000_000.0


def test_the_page_of_metrics_is_not_counted_and_not_in_the_schema(reference: str) -> None:
    app, monitor = served(model="m", reference=reference)
    first, second = get(app, "/metrics"), get(app, "/metrics")
    assert first.status_code == second.status_code == 200
    assert not first.history
    assert '/metrics"' not in second.text
    assert "/metrics" not in get(app, "/openapi.json").json()["paths"]
    monitor.close()


def test_observe_takes_scalars_lists_arrays_and_a_bare_prediction(reference: str) -> None:
    monitor = Monitor(model="m", reference=reference)
    monitor.observe({"age": 30, "income": 1e4, "city": "Uri"}, 0.5)
    monitor.observe({"age": [30, None], "income": [1.0, 2.0], "city": ["Uri", "Bern"]}, [0.1, 0.2])
    monitor.observe(
        {"age": np.array([1, 2, 3]), "income": np.ones(3), "city": np.array(["Uri"] * 3)},
        {"score": np.ones(3)},
    )
    assert value(monitor, "mlmon_feature_window_rows", feature="age", window="1h") == 6
    assert value(monitor, "mlmon_feature_missing_total", feature="age") == 1
    assert value(monitor, "mlmon_prediction_window_rows", output="score", window="1h") == 6
    assert value(monitor, "mlmon_prediction_missing_total", output="score") == 0


@pytest.mark.parametrize("rows", [1, 2])
def test_what_observe_was_given_may_be_filled_with_the_next_rows(rows: int, reference: str) -> None:
    """Arrays that a server keeps for all its requests."""
    ages, scores = np.empty(rows), np.empty(rows)
    features, predictions = {"age": ages}, {"score": scores}
    scored, learning = Monitor(model="m", reference=reference), Monitor(model="m", learn_rows=400)
    for i in range(400 // rows):
        ages[:], scores[:] = i, i / 1000
        scored.observe(features, predictions)
        learning.observe(features, predictions)
    middle = value(scored, "mlmon_feature_quantile", feature="age", quantile="0.5", window="1h")
    assert middle == pytest.approx(200 / rows, rel=0.05)
    reference_made = learning.models["m"].reference
    assert reference_made is not None
    assert [column.sd for column in reference_made.features] == [
        pytest.approx(np.std(range(400 // rows)), rel=0.05)
    ]


def test_observe_refuses_columns_of_different_lengths(reference: str) -> None:
    monitor = Monitor(model="m", reference=reference)
    with pytest.raises(ValueError, match=r"expected columns of one length, got \[2, 3\]"):
        monitor.observe({"age": [1, 2], "income": [1, 2, 3]})


def test_observe_needs_the_model_where_there_are_several() -> None:
    monitor = Monitor(models=[{"name": "a"}, {"name": "b", "routes": ["/b"]}])
    with pytest.raises(ValueError, match="expected one of a, b, got None"):
        monitor.observe({"x": 1.0})
    monitor.observe({"x": 1.0}, model="b")
    assert value(monitor, "mlmon_prediction_rows_total", model="b") == 1


def test_an_app_whose_routes_nobody_names_is_counted_and_the_log_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitor = Monitor(model="m")
    post_all(MonitorMiddleware(bare, monitor), "/predict", [{"x": 1.0}] * 3)
    assert value(monitor, "mlmon_dropped_total", reason="unknown_route") == 3
    [record] = caplog.records
    assert 'set routes = ["/predict"]' in record.getMessage()


def test_the_configured_route_of_a_request_in_progress_is_known() -> None:
    monitor = Monitor(model="m", routes=["/predict"])
    monitor._in_flight[1] = {"type": "http", "method": "POST", "path": "/predict"}
    assert value(monitor, "mlmon_requests_in_progress", model="m", route="/predict") == 1


def test_only_answered_predictions_count(reference: str) -> None:
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        raise RuntimeError("planted")

    monitor = instrument(app, model="m", reference=reference)
    (answer,) = post_all(app, "/predict", [{"instances": [row(0)]}])
    assert answer.status_code == 500
    assert monitor.flush(60.0)
    assert value(monitor, "mlmon_feature_window_rows", feature="age", window="1h") == 0
    labels = {"route": "/predict", "status": "500", "outcome": "server_error"}
    assert value(monitor, "mlmon_requests_total", **labels) == 1
    monitor.close()


HOSTILE: dict[str, tuple[bytes, dict[str, str]]] = {
    "NaN": (b'{"instances": [{"age": NaN, "income": Infinity, "city": null}]}', {}),
    "400 digits": (b'{"instances": [{"age": ' + b"9" * 400 + b"}]}", {}),
    "lone surrogate": (b'{"instances": [{"city": "\\ud800", "\\udfff": 1}]}', {}),
    "100 000 brackets": (b"[" * 100_000, {}),
    "not JSON": (b"<xml/>", {"content-type": "text/xml"}),
    "invalid UTF-8": (b'{"instances": [{"city": "\xff"}]}', {}),
    "empty": (b"", {}),
    "scalar": (b"1", {}),
    "gzip bomb": (gzip.compress(bytes(50_000_000)), {"content-encoding": "gzip"}),
    "broken gzip": (b"\x1f\x8b nonsense", {"content-encoding": "gzip"}),
    "nested values": (b'{"instances": [{"age": {"a": [1, {"b": 2}]}, "city": ["x"]}]}', {}),
    "too large": (b" " * 2**21 + b"{}", {}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_change_no_answer_and_break_no_scrape(name: str, reference: str) -> None:
    body, headers = HOSTILE[name]

    def answer(wrap: Callable[[FastAPI], ASGIApp]) -> tuple[int, bytes]:
        app = FastAPI()

        @app.post("/predict")
        def predict() -> dict[str, Any]:
            return {"predictions": [0.5]}

        (response,) = post_all(wrap(app), "/predict", [body], headers)
        return response.status_code, response.content

    monitor = Monitor(model="m", reference=reference)
    plain = answer(lambda app: app)
    watched = answer(lambda app: MonitorMiddleware(app, monitor=monitor))
    assert watched == plain
    assert monitor.flush(60.0)
    text = get(monitor.metrics_app(), "/metrics").text
    assert not re.search(r" \S*nan$", text, re.IGNORECASE | re.MULTILINE)
    assert value(monitor, "mlmon_internal_errors_total", where="intake") == 0
    assert value(monitor, "mlmon_internal_errors_total", where="middleware") == 0
    monitor.close()


def test_an_unknown_format_stops_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"format: expected .*json.*, got 'jsno'"):
        Monitor(model="m", format="jsno")


def test_importing_the_package_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, mlmon_exporter; from mlmon_exporter import instrument;"
        "heavy = {'pandas', 'scipy', 'sklearn', 'pyarrow', 'fastapi', 'typer', 'rich'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_with_statement_closes_the_monitor(reference: str) -> None:
    before = {*threading.enumerate()}
    with Monitor(model="m", reference=reference) as monitor:
        monitor._intake.submit((0.0, "m", "/p", "/p", 200, "id", (b"{}",), (b"1",)), (), (), 3)
        (started,) = {*threading.enumerate()} - before
    assert not started.is_alive()


def test_a_monitor_is_shown_by_its_models() -> None:
    assert repr(Monitor(models=[{"name": "a"}, {"name": "b"}])) == "<Monitor of 'a', 'b'>"


def test_the_public_members_are_those_that_users_need() -> None:
    public = {name for name in dir(Monitor(model="m")) if not name.startswith("_")}
    assert public == {
        *("collector", "config", "health_app", "metrics_app", "models", "page_app", "report"),
        "writing_apps",
        *("observe", "observe_ground_truth", "observe_kpi", "prediction", "readings"),
        *("attach", "close", "flush", "shutdown", "is_reader", "wait_seconds"),
    }


def test_a_share_of_bodies_is_read_and_ground_truth_of_the_others_is_not_unknown(
    reference: str,
) -> None:
    options: dict[str, Any] = {"task": "regression", "sample_ratio": 0.5}
    app, monitor = served(model="m", reference=reference, **options)
    answers = post_all(app, "/predict", [{"instances": [row(i)]} for i in range(100)])
    assert monitor.flush(60.0)
    ids = [answer.headers["x-prediction-id"] for answer in answers]
    statuses = [monitor.observe_ground_truth(each, 0.5) for each in ids]
    assert 20 < statuses.count("matched") < 80
    assert set(statuses) == {"matched", "unknown"}
    assert value(monitor, "mlmon_prediction_rows_total") == statuses.count("matched")
    assert value(monitor, "mlmon_request_duration_seconds_count") == 100
    assert not value(monitor, "mlmon_ground_truth_total", model="", outcome="unknown")
    assert value(monitor, "mlmon_sample_ratio") is None  # of the scrape's own numbers
    assert "mlmon_sample_ratio 0.5" in get(app, "/metrics").text
    assert monitor.observe_ground_truth(read_id(), 0.5) == "unknown"
    assert value(monitor, "mlmon_ground_truth_total", model="", outcome="unknown") == 1


def read_id() -> str:
    """Return an id that no request had and that the share of a half holds."""
    return next(str(i) for i in range(100) if place(str(i)) < 0.5)
