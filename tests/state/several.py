"""Monitors that share a state directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlmon_exporter import Config, Monitor
from tests.asgi import get
from tests.e2e.load import Series, counters

ROWS = "mlmon_prediction_rows_total"


def monitor_of(reference: str, folder: Path) -> Monitor:
    # Longer than a test: what is flushed is flushed by the test.
    options = {"model": "m", "reference": reference, "state_dir": str(folder)}
    return Monitor(Config.from_options(None, flush_seconds=600.0, **options))


def observe(monitor: Monitor, count: int, shift: float = 0.0) -> None:
    rng = np.random.default_rng(count)
    monitor.observe({"x": rng.normal(size=count) + shift}, [*rng.random(count)])


def scraped(monitor: Monitor) -> tuple[dict[Series, float], str]:
    text = get(monitor.metrics_app(), "/metrics").text
    return counters(text), text
