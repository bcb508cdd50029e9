"""What the tests of the demo share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mlmon_exporter import Monitor
from mlmon_exporter.cli.demo.datasets import Splits
from mlmon_exporter.cli.demo.quality import Measure
from mlmon_exporter.cli.demo.traffic import Latencies
from mlmon_exporter.cli.demo.watch import FeatureDrift

TOKEN = "secret"


class Prepared(NamedTuple):
    bike: Splits
    income: Splits
    app: Any
    monitor: Monitor
    folder: Path
    added: Latencies


NOW = 1_700_000_000.0


def feature(model: str, name: str, *, is_drifted: bool) -> FeatureDrift:
    return FeatureDrift(model, name, 300, "psi", 0.5, 0.1, is_drifted, [0.5, 0.5], [0.1, 0.9])


def quality(model: str, name: str, value: float, *, threshold: float) -> Measure:
    return Measure(model, name, 4405, value, 43.6, threshold)
