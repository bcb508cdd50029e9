from __future__ import annotations

import gc
import gzip
import re
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import Body, FastAPI
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmon_exporter import ConfigError, Monitor, MonitorMiddleware, Reference, instrument
from mlmon_exporter.metrics.table import METRICS
from tests.asgi import get, post_all

NOW = 1_750_000_000.0


@pytest.fixture
def reference(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    rows = {
        "age": rng.normal(40, 10, 5000).round(),
        "income": rng.lognormal(10, 1, 5000),
        "city": rng.choice(["Bern", "Genf", "Uri"], 5000),
        "score": rng.random(5000),
    }
    path = tmp_path / "m.reference.json"
    Reference.build(rows, predictions="score", model="m").save(path)
    return str(path)


def served(**options: Any) -> tuple[FastAPI, Monitor]:
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        return {"predictions": [0.5] * len(body["instances"])}

    return app, instrument(app, **options)


def value(monitor: Monitor, name: str, **labels: str) -> float | None:
    found = [
        reading.value
        for reading in monitor.readings()
        if reading.name == name and labels.items() <= reading.labels.items()
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


def row(i: int) -> dict[str, Any]:
    return {"age": 30 + i % 20, "income": 20000.0 + i, "city": "Uri"}


def test_one_line_gives_requests_features_predictions_and_drift(reference: str) -> None:
    app, monitor = served(model="m", reference=reference)
    post_all(app, "/predict", [{"instances": [row(i)]} for i in range(300)])
    text = get(app, "/metrics").text
    assert (
        'mlmon_requests_total{model="m",version="",route="/predict",method="POST",'
        'status="200",outcome="ok"} 300' in text
    )
    assert 'mlmon_prediction_rows_total{model="m",version=""} 3' in text
    assert value(monitor, "mlmon_feature_window_rows", feature="age", window="1h") == 300
    assert value(monitor, "mlmon_feature_drifted", feature="city", window="24h") == 1
    assert value(monitor, "mlmon_prediction_psi", output="score", window="1h") is not None
    assert value(monitor, "mlmon_feature_missing_total", feature="income") == 0
    monitor.close()


def test_a_scrape_shows_what_was_answered_before_it(reference: str) -> None:
    app, monitor = served(model="m", reference=reference)
    for count in range(1, 6):
        post_all(app, "/predict", [{"instances": [row(0), row(1)]}])
        assert (
            f'mlmon_prediction_rows_total{{model="m",version=""}} {2 * count}\n'
            in get(app, "/metrics").text
        )
    monitor.close()


def test_the_page_of_metrics_is_not_counted_and_not_in_the_schema(reference: str) -> None:
    app, monitor = served(model="m", reference=reference)
    first, second = get(app, "/metrics"), get(app, "/metrics")
    assert first.status_code == second.status_code == 200
    assert not first.history
    assert '/metrics"' not in second.text
    assert "/metrics" not in get(app, "/openapi.json").json()["paths"]
    monitor.close()


def test_without_a_reference_one_is_learned_and_then_scored(tmp_path: Path) -> None:
    state = tmp_path / "state"
    monitor = Monitor(model="m", learn_rows=1000, state_dir=str(state))
    rng = np.random.default_rng(1)
    for _ in range(10):
        assert value(monitor, "mlmon_reference_learning") == 1
        assert value(monitor, "mlmon_feature_psi", feature="x", window="1h") is None
        monitor.observe({"x": rng.normal(size=100), "c": ["a", "b"] * 50})
    assert value(monitor, "mlmon_reference_learning") == 0
    assert value(monitor, "mlmon_reference_rows") == 1000
    monitor.observe({"x": rng.normal(size=500) + 3.0, "c": ["a", "b"] * 250})
    assert value(monitor, "mlmon_feature_drifted", feature="x", window="1h") == 1
    assert value(monitor, "mlmon_feature_drifted", feature="c", window="1h") == 0
    again = Monitor(model="m", state_dir=str(state))
    assert value(again, "mlmon_reference_learning") == 0
    # Alerts tell it from one that was given, however often the server restarts.
    assert value(again, "mlmon_model_info", reference="learned") == 1
    assert value(again, "mlmon_reference_rows") == 1000


def test_what_single_requests_said_is_neither_shown_nor_kept_once_learned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        return {"score": 0.5, "echo": body["email"]}

    @app.post("/login")
    def login(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008
        return {"ok": bool(body)}

    instrument(app, model="m", learn_rows=300, state_dir=str(tmp_path / "state"))
    city = ["Bern"] * 40 + ["Genf"] * 9 + ["Uri"]
    post_all(
        app,
        "/predict",
        [
            {"email": f"user{i}@example.com", "note": f"patient {i}", "city": city[i % 50]}
            for i in range(225)
        ],
    )
    post_all(app, "/login", [{"password": f"hunter{i}", "pin": f"{i % 9}"} for i in range(15)])
    post_all(app, "/predict", [{"email": "a@b.c", "note": "x", "city": "Zug"}] * 100)
    text = get(app, "/metrics").text
    [file] = (tmp_path / "state").glob("*.learned-reference.json")
    for secret in ("user1", "patient", "hunter", "a@b.c"):
        assert secret not in text
        assert secret not in file.read_text()
    assert 'feature="city",kind="categorical",bin="Genf"' in text
    assert "Uri" not in text + file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert 'feature="note.words"' in text
    [told] = [r.getMessage() for r in caplog.records if "/login" in r.getMessage()]
    assert "holds what is called a password" in told


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


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as an app of no framework does, which leaves nothing in the scope."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"predictions": [0.5]}'})


def test_a_bare_app_is_watched_at_the_configured_routes() -> None:
    monitor = Monitor(model="m", learn_rows=20, routes=["/predict"])
    app = MonitorMiddleware(bare, monitor)
    answers = post_all(app, "/predict", [{"x": float(i)} for i in range(50)])
    post_all(app, "/login", [{"name": "bob"}])
    assert monitor.flush(60.0)
    assert all(answer.headers["x-prediction-id"] for answer in answers)
    assert value(monitor, "mlmon_requests_total", model="m", outcome="ok") == 50
    assert value(monitor, "mlmon_requests_total", route="other", outcome="ok") == 1
    assert value(monitor, "mlmon_reference_rows") == 20
    assert value(monitor, "mlmon_dropped_total", reason="unknown_route") == 0
    monitor.close()


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


def test_error_series_of_configured_routes_exist_before_the_first_request() -> None:
    monitor = Monitor(models=[{"name": "a", "routes": ["/a"]}])
    for status in ("500", "502", "503", "504"):
        labels = {"route": "/a", "method": "POST", "status": status, "outcome": "server_error"}
        assert value(monitor, "mlmon_requests_total", **labels) == 0
    assert value(monitor, "mlmon_requests_total", route="/a", outcome="interrupted") == 0


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


def test_every_reading_is_in_the_table_of_metrics(reference: str) -> None:
    app, monitor = served(model="m", reference=reference)
    post_all(app, "/predict", [{"instances": [row(i) for i in range(200)]}])
    assert monitor.flush(60.0)
    suffixes = ("_bucket", "_count", "_sum")
    names = {reading.name for reading in monitor.readings()}
    unknown = {
        name
        for name in names
        if name not in METRICS and not any(name.removesuffix(s) in METRICS for s in suffixes)
    }
    assert not unknown
    monitor.close()


OUTCOMES = "ground_truth|pending|quality|error_ks|concept|segment|parity|opportunity|odds|kpi"


def test_a_scrape_shows_every_metric_of_the_table(reference: str, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    app, monitor = served(
        model="m", reference=reference, version="1", state_dir=state, detail="full"
    )

    @app.post("/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"data: 1\n\n"] * 2), media_type="text/event-stream")

    post_all(app, "/predict", [{"instances": [row(i) for i in range(200)]}])
    post_all(app, "/stream", [{}, {"words": 3}])
    text = get(app, "/metrics").text
    missing = [name for name in METRICS if f"# TYPE {name} " not in text]
    # What came true is shown once there is a task, or a number comes.
    assert all(re.search(OUTCOMES, name) for name in missing), missing
    monitor.close()


def test_a_missing_reference_stops_at_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(ConfigError) as raised:
        Monitor(model="m", reference=str(path))
    assert str(raised.value) == (
        f"{path}: cannot read the reference: No such file or directory; "
        "make one with 'mlmon-exporter build-reference'"
    )


def test_an_unknown_format_stops_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"format: expected .*json.*, got 'jsno'"):
        Monitor(model="m", format="jsno")


def test_two_apps_in_one_process_do_not_meet(reference: str) -> None:
    one, first = served(model="m", reference=reference)
    _, second = served(model="m", reference=reference)
    post_all(one, "/predict", [{"instances": [row(0)]}])
    assert first.flush(60.0)
    assert value(first, "mlmon_prediction_rows_total") == 1
    assert value(second, "mlmon_prediction_rows_total") == 0
    first.close()
    second.close()


def test_importing_the_package_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, mlmon_exporter; from mlmon_exporter import instrument;"
        "heavy = {'pandas', 'scipy', 'sklearn', 'pyarrow', 'fastapi', 'typer', 'rich'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_route_has_none_in_progress_before_its_first_request() -> None:
    _, monitor = served(routes=["/predict"])
    assert value(monitor, "mlmon_requests_in_progress", route="/predict") == 0


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
        *("observe", "observe_ground_truth", "observe_kpi", "readings"),
        *("attach", "close", "flush", "shutdown", "is_reader", "wait_seconds"),
    }


@pytest.mark.parametrize("is_shared", [False, True])
def test_apps_that_are_gone_leave_no_threads_and_no_memory(is_shared: bool, tmp_path: Path) -> None:
    state = {"state_dir": tmp_path} if is_shared else {}
    before = {*threading.enumerate()}

    def asked_and_dropped(is_watched: bool) -> None:
        app = FastAPI()

        @app.post("/predict")
        def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
            return {"score": len(body)}

        if is_watched:
            instrument(app, model="m", learn_rows=5, **state)  # type: ignore[arg-type]
        post_all(app, "/predict", [{"a": i, "b": 2} for i in range(10)])
        assert get(app, "/metrics").status_code == (200 if is_watched else 404)

    def left() -> list[str]:
        gc.collect()
        alive = {*threading.enumerate()} - before
        return [thread.name for thread in alive if thread.name.startswith("mlmon-")]

    def grown(count: int, *, is_watched: bool) -> int:
        """Return the bytes that so many apps leave behind."""
        asked_and_dropped(is_watched)
        tracemalloc.start()
        try:
            start, _ = tracemalloc.get_traced_memory()
            for _ in range(count):
                asked_and_dropped(is_watched)
            deadline = time.monotonic() + 60.0
            while left() and time.monotonic() < deadline:
                threading.Event().wait(0.02)
            gc.collect()
            return tracemalloc.get_traced_memory()[0] - start
        finally:
            tracemalloc.stop()

    count = 5 if is_shared else 60
    kept = grown(count, is_watched=False)
    added = grown(count, is_watched=True) - kept
    assert left() == []
    if kept > count * 40_000:
        pytest.skip(f"this FastAPI keeps {kept // count} bytes of each app that is gone")
    assert added < 60 * 40_000


def test_what_a_monitor_has_counted_is_flushed_when_it_is_gone(
    reference: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    monitor = Monitor(model="m", reference=reference, state_dir=state, flush_seconds=3600.0)
    monitor.observe({"age": 30, "income": 1e4, "city": "Uri"}, 0.5)
    del monitor
    gc.collect()
    again = Monitor(model="m", reference=reference, state_dir=state)
    deadline = time.monotonic() + 30.0
    while value(again, "mlmon_prediction_rows_total") != 1 and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert value(again, "mlmon_prediction_rows_total") == 1
    again.close()


def test_instrumented_for_two_models_both_are_served(reference: str) -> None:
    app = FastAPI()

    @app.post("/a")
    @app.post("/b")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        return {"score": 0.5}

    first = instrument(app, model="a", reference=reference, routes=["/a"])
    second = instrument(app, model="b", reference=reference, routes=["/b"])
    assert first is second
    post_all(app, "/a", [row(i) for i in range(3)])
    post_all(app, "/b", [row(i) for i in range(5)])
    text = get(app, "/metrics").text
    assert 'mlmon_prediction_rows_total{model="a",version=""} 3' in text
    assert 'mlmon_prediction_rows_total{model="b",version=""} 5' in text
    first.close()


def test_instrumented_twice_for_one_model_it_is_watched_once(reference: str) -> None:
    app, first = served(model="m", reference=reference)
    assert instrument(app, model="m", reference=reference) is first
    assert len(app.user_middleware) == 1
    post_all(app, "/predict", [{"instances": [row(0)]}])
    assert 'mlmon_prediction_rows_total{model="m",version=""} 1' in get(app, "/metrics").text
    first.close()


def test_the_apps_own_metrics_behind_ours_are_told_once(
    reference: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, monitor = served(model="m", reference=reference)
    app.add_route("/metrics", lambda request: StreamingResponse(iter([b"own"])))
    get(app, "/metrics")
    get(app, "/metrics")
    (told,) = [r.getMessage() for r in caplog.records if "cannot be reached" in r.getMessage()]
    assert told.startswith("mlmon: the app's own /metrics")
    assert 'metrics_path = "/mlmon/metrics"' in told
    monitor.close()
