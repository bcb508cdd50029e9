"""A state directory of the last release is read and added to: nothing of it is lost.

`release/` was written by the code of commit c9b568f, and `readings.json` is what it then showed:

    Reference.build({"x": x, "plan": plans, "y_hat": x, "y": y}, predictions="y_hat",
                    ground_truth="y", segments=["plan"]).save("reference.json")
    monitor = Monitor(model="m", version="1", reference="reference.json", windows=["1h"],
                      min_window_rows=1, flush_seconds=3600, state_dir=".")
    # 30 rows one-0..29 of version 1 and 20 rows two-0..19 of version 2, with prediction ids;
    # 3 requests with an exemplar each, a streamed answer of 2 tokens, 5 counts of health
    monitor._tick(NOW)
    # ground truths of one-0..9 and two-0, one of the unknown id "soon", 2 KPIs, a row three-0
    monitor._tick(NOW)
    monitor._shared.close()

All was done at NOW; the three files were packed with gzip. Readings that are 0, and thresholds,
are left out.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmon_exporter import Monitor

NOW = 1_750_000_000.0
RELEASE = Path(__file__).parent / "release"
Key = tuple[str, ...]


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    for packed in RELEASE.glob("*.gz"):
        (tmp_path / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    monitor = Monitor(
        model="m",
        version="1",
        reference=str(tmp_path / "reference.json"),
        windows=["1h"],
        min_window_rows=1,
        flush_seconds=3600,
        state_dir=str(tmp_path),
    )
    yield monitor
    monitor.close()


def numbers(monitor: Monitor, now: float = NOW) -> dict[Key, float]:
    return {
        (reading.name, *sorted(f"{k}={v}" for k, v in reading.labels.items())): reading.value
        for reading in monitor.readings(now)
    }


def released() -> dict[Key, float]:
    readings = json.loads(gzip.decompress((RELEASE / "readings.json.gz").read_bytes()))
    return {
        (name, *sorted(f"{k}={v}" for k, v in labels.items())): value
        for name, labels, value in readings
    }


def test_every_number_of_the_release_is_shown(monitor: Monitor) -> None:
    shown = numbers(monitor)
    assert {key: shown.get(key) for key in released()} == pytest.approx(released(), rel=1e-9)


def test_counts_go_on_from_those_of_the_release(monitor: Monitor) -> None:
    labels = ("m", "1", "/predict", "POST", 200, "ok")
    monitor._counts.requests.record(labels, (0.1, 0.05, 10.0, 20.0))
    monitor._counts.health.drop("queue_full", 2)
    monitor.observe({"x": 10.0, "plan": "a"}, {"y_hat": 10.0}, now=NOW)
    monitor.observe_kpi("refund", -1.0, now=NOW)
    before, after = released(), numbers(monitor)
    more = {key: after[key] - value for key, value in before.items() if key[0].endswith("_total")}
    grown = {key[0]: count for key, count in more.items() if count}
    assert grown == {
        "mlmon_requests_total": 1,
        "mlmon_dropped_total": 2,
        "mlmon_feature_bin_rows_total": 1,
        "mlmon_prediction_bin_rows_total": 1,
        "mlmon_prediction_rows_total": 1,
        "mlmon_kpi_events_total": 1,
    }


def test_predictions_of_the_release_still_wait_for_their_outcome(monitor: Monitor) -> None:
    answers = [
        monitor.observe_ground_truth(name, 9.0, now=NOW) for name in ("two-1", "three-0", "one-0")
    ]
    assert answers == ["matched", "matched", "duplicate"]


def test_a_ground_truth_that_the_release_kept_meets_its_prediction(monitor: Monitor) -> None:
    row = {"x": [9.0], "plan": ["a"]}
    monitor.observe(row, {"y_hat": [9.0]}, prediction_ids=["soon"], now=NOW)
    monitor._upkeep.tick(NOW)
    assert monitor.observe_ground_truth("soon", 9.0, now=NOW) == "duplicate"
