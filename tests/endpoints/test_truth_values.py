"""Facts about ground truths at the edge of what can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlmon_exporter import Monitor, Reference

NOW = 1.7e9


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    rng = np.random.default_rng(1)
    p = rng.random(500).round(3)
    data = {"x": rng.normal(size=500), "p": p, "y": (rng.random(500) < p).astype(int)}
    path = tmp_path / "m.reference.json"
    Reference.build(data, predictions="p", ground_truth="y").save(path)
    return Monitor(model="m", reference=str(path))


@pytest.mark.parametrize(
    ("probability", "status"),
    [(1.0000001, "matched"), (-1e-8, "matched"), (1.1, "invalid"), (-0.1, "invalid")],
)
def test_a_probability_is_clipped_where_it_is_rounded(
    monitor: Monitor, probability: float, status: str
) -> None:
    monitor.observe({"x": 0.1}, probability, prediction_ids=["a"], now=NOW)
    assert monitor.observe_ground_truth("a", 1, now=NOW + 5) == status
    monitor.close()


@pytest.mark.parametrize("time", [1.7e12, 1.7e15, 1.7e18])
def test_a_time_in_another_unit_is_invalid_and_leaves_no_delay(
    monitor: Monitor, time: float
) -> None:
    monitor.observe({"x": 0.1}, 0.5, prediction_ids=["a"], now=NOW)
    assert monitor.observe_ground_truth("a", 1, timestamp=time, now=NOW + 5) == "invalid"
    assert monitor.observe_ground_truth("a", 1, timestamp=NOW + 3, now=NOW + 5) == "matched"
    sums = [r.value for r in monitor.readings(NOW + 6) if r.name.endswith("delay_seconds_sum")]
    assert sums == [3.0]
    monitor.close()
