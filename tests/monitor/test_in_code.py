"""What code reports to a monitor finds its outcome; what cannot be read is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlmon_exporter import Monitor
from tests.references import small_reference


@pytest.fixture
def reference(tmp_path: Path) -> str:
    return small_reference(tmp_path)


@pytest.fixture
def monitor(reference: str) -> Iterator[Monitor]:
    with Monitor(model="m", version="3", reference=reference) as monitor:
        yield monitor


def value(monitor: Monitor, name: str, **labels: str) -> float:
    found = (r for r in monitor.readings() if r.name == name and labels.items() <= r.labels.items())
    return sum(reading.value for reading in found)


OK = {"model": "m", "version": "3", "method": "other", "status": "200", "outcome": "ok"}


def test_outcomes_find_a_prediction_by_its_id_and_rows_by_theirs(monitor: Monitor) -> None:
    with monitor.prediction() as one:
        one.features, one.output = {"a": 1.5}, 1.0
    with monitor.prediction(prediction_id="batch-7") as two:
        two.features, two.output = {"a": [1.5, 0.5]}, [1.0, 0.0]
    with monitor.prediction() as three:
        three.features, three.output = {"a": [1.5, 0.5]}, [1.0, 0.0]
        three.prediction_ids = ["order-1", "order-2"]
    assert len(one.prediction_id) == 24
    for key in (one.prediction_id, "batch-7:0", "batch-7:1", "order-1", "order-2"):
        assert monitor.observe_ground_truth(key, 1.0) == "matched"


@pytest.mark.parametrize(
    ("features", "output", "ids", "problem"),
    [
        ({"a": [1.0, 2.0]}, 1.0, None, "expected columns of one length, got [1, 2]"),
        (5, 1.0, None, "features: expected a mapping of names, or a frame, got int"),
        ({"a": 1.0}, 1.0, ["1", "2"], "prediction_ids: expected one for each of 1 rows, got 2"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), 1.0, None, "expected each column once"),
    ],
)
def test_what_cannot_be_read_is_counted_and_told_once(
    monitor: Monitor,
    caplog: pytest.LogCaptureFixture,
    features: Any,
    output: Any,
    ids: list[str] | None,
    problem: str,
) -> None:
    for _ in range(2):
        with monitor.prediction() as p:
            p.features, p.output, p.prediction_ids = features, output, ids
    assert value(monitor, "mlmon_requests_total", **OK) == 2
    assert value(monitor, "mlmon_parse_errors_total", format="python", reason="malformed") == 2
    assert value(monitor, "mlmon_internal_errors_total") == 0
    (line,) = caplog.messages
    assert problem in line


def test_the_model_is_named_where_there_are_several(reference: str) -> None:
    models = [{"name": name, "reference": reference} for name in ("a", "b")]
    with Monitor(models=models) as monitor:
        with pytest.raises(ValueError, match="model: expected one of a, b, got None"):
            monitor.prediction()
        with monitor.prediction(model="b") as p:
            p.features, p.output = {"a": 1.5}, 1.0
        assert value(monitor, "mlmon_prediction_rows_total", model="b") == 1
