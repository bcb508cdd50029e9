"""Facts about the numbers of a process: all are in the table, and those before a scrape count."""

from __future__ import annotations

import re
import time
from pathlib import Path

from starlette.responses import StreamingResponse

from mlmon_exporter import Monitor
from mlmon_exporter.core.counts.health import COUNTERS
from mlmon_exporter.metrics.table import METRICS
from tests.asgi import get, post_all
from tests.monitor.served import row, served, value


def test_a_scrape_shows_what_was_answered_before_it(reference: str) -> None:
    app, monitor = served(model="m", reference=reference)
    for count in range(1, 6):
        post_all(app, "/predict", [{"instances": [row(0), row(1)]}])
        assert (
            f'mlmon_prediction_rows_total{{model="m",version=""}} {2 * count}\n'
            in get(app, "/metrics").text
        )
    monitor.close()


def test_error_series_of_configured_routes_exist_before_the_first_request() -> None:
    monitor = Monitor(models=[{"name": "a", "routes": ["/a"]}])
    for status in ("500", "502", "503", "504"):
        labels = {"route": "/a", "method": "POST", "status": status, "outcome": "server_error"}
        assert value(monitor, "mlmon_requests_total", **labels) == 0
    assert value(monitor, "mlmon_requests_total", route="/a", outcome="interrupted") == 0


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


def test_traffic_is_that_of_all_workers_over_a_restart_and_of_one_without_a_state(
    reference: str, tmp_path: Path
) -> None:
    for state in (str(tmp_path / "state"), None):
        monitors = [Monitor(model="m", reference=reference, state_dir=state) for _ in range(2)]
        start = time.time()
        for monitor in monitors:
            monitor.readings(start)
        for monitor, count in zip(monitors, (30, 12), strict=True):
            for _ in range(count):
                labels = ("m", "", "/p", "POST", 200, "ok")
                monitor._counts.requests.record(labels, (0.02, 0.02, 1.0, 1.0))
        found = monitors[0]._readout.snapshot(now=start + 600.0).traffic["m"]
        assert found.total == 30
        for monitor in monitors:
            monitor.close()
        again = Monitor(model="m", reference=reference, state_dir=state)
        traffic = again._readout.snapshot(now=start + 1800.0).traffic
        assert traffic["m"].total == 42 if state else "m" not in traffic
        again.close()


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
    # What came true is shown once there is a task, or a number comes; what happens, once it does.
    later = "mlmon_feature_importance|derived_risen|estimate_doubt|outcome_dependence"
    expected = rf"{OUTCOMES}|{later}|{'|'.join(COUNTERS)}"
    assert all(re.search(expected, name) for name in missing), missing
    monitor.close()


def test_a_route_has_none_in_progress_before_its_first_request() -> None:
    _, monitor = served(routes=["/predict"])
    assert value(monitor, "mlmon_requests_in_progress", route="/predict") == 0
