"""Quality and fairness for the terminal, from the monitor's readings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.core.records import Reading

TITLES = {"accuracy": "accuracy", "f1": "F1", "mae": "MAE"}
"""Qualities shown, if the model has them."""
PARITY = "mlmon_demographic_parity_ratio"
SELECTION = "mlmon_segment_selection_ratio"

Key = tuple[str, str]
"""Model and quality."""


class Measure(NamedTuple):
    """One quality of a model's predictions."""

    model: str
    name: str
    rows: int
    """With ground truth in the window."""
    value: float
    """NaN with too few rows."""
    reference: float
    threshold: float
    """The worst value that chance explains; NaN without one."""

    @property
    def is_worse(self) -> bool:
        """True if it is beyond its threshold."""
        return QUALITY[self.name].sign * (self.value - self.threshold) < 0


class Parity(NamedTuple):
    """Demographic parity of a model over the segments of a feature."""

    model: str
    feature: str
    ratio: float
    """Least over greatest selection ratio."""
    selected: Mapping[str, float]
    """Segment -> selection ratio."""


def measures(readings: Iterable[Reading]) -> list[Measure]:
    """Return the qualities that the reference has too, by model.

    Args:
        readings: Of a monitor with a single window.
    """
    found: dict[str, dict[str, float]] = {}
    for reading in readings:
        if "quality" in reading.name and not reading.labels.get("segment_feature"):
            found.setdefault(reading.name, {})[reading.labels["model"]] = reading.value
    return [
        Measure(
            model,
            name,
            int(found.get("mlmon_quality_rows", {}).get(model, 0)),
            found.get(f"mlmon_quality_{name}", {}).get(model, math.nan),
            reference,
            found.get(f"mlmon_quality_{name}_threshold", {}).get(model, math.nan),
        )
        for name in TITLES
        for model, reference in found.get(f"mlmon_reference_quality_{name}", {}).items()
    ]


def parity(readings: Iterable[Reading]) -> list[Parity]:
    """Return the demographic parity of each model and segment feature."""
    ratios: dict[Key, float] = {}
    selected: dict[Key, dict[str, float]] = {}
    for reading in readings:
        if reading.name in (PARITY, SELECTION):
            key = reading.labels["model"], reading.labels["segment_feature"]
            if reading.name == PARITY:
                ratios[key] = reading.value
            else:
                selected.setdefault(key, {})[reading.labels["segment"]] = reading.value
    return [Parity(*key, ratio, selected.get(key, {})) for key, ratio in ratios.items()]
