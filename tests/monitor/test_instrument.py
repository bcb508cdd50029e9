"""Facts about the ways to put a monitor around an app."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from fastapi import Body, FastAPI
from starlette.responses import StreamingResponse

from mlmon_exporter import Monitor, MonitorMiddleware, instrument
from tests.asgi import get, post_all
from tests.monitor.served import bare, row, served, value


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


def test_two_apps_in_one_process_do_not_meet(reference: str) -> None:
    one, first = served(model="m", reference=reference)
    _, second = served(model="m", reference=reference)
    post_all(one, "/predict", [{"instances": [row(0)]}])
    assert first.flush(60.0)
    assert value(first, "mlmon_prediction_rows_total") == 1
    assert value(second, "mlmon_prediction_rows_total") == 0
    first.close()
    second.close()


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
            deadline = time.monotonic() + 120.0
            while left() and time.monotonic() < deadline:
                threading.Event().wait(0.02)
            gc.collect()
            return tracemalloc.get_traced_memory()[0] - start
        finally:
            tracemalloc.stop()

    count = 5 if is_shared else 60
    kept = grown(count, is_watched=False)
    # What is loaded once, by threads of other tests too, is not left by apps: it grows no more.
    more = (grown(count, is_watched=True) - kept for _ in range(3))
    added = next((bytes_ for bytes_ in more if bytes_ < 60 * 40_000), None)
    assert left() == []
    if kept > count * 40_000:
        pytest.skip(f"this FastAPI keeps {kept // count} bytes of each app that is gone")
    assert added is not None


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
