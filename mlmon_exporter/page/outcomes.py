"""What came true of predictions, as the page shows it: quality, concept drift, parities, counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mlmon_exporter.core.counts.feedback import STATUSES
from mlmon_exporter.core.outcomes.fairness import PARITIES
from mlmon_exporter.core.outcomes.quality import QUALITY

from .numbers import Numbers

Slice = tuple[str, str]
"""A feature's name and one of its segments."""
ALL: Slice = ("", "")
"""All rows."""
RATES = ("selection", "true_positive", "false_positive")
ESTIMATED = "mlmon_estimated_quality_accuracy"
"""It is there wherever anything is estimated."""


class Held(NamedTuple):
    """A quality beside the reference's; NaN where a number is absent."""

    name: str
    value: float
    reference: float
    threshold: float
    """The worst that chance makes of it."""

    @property
    def is_worse(self) -> bool:
        """Whether it is worse than chance explains."""
        return QUALITY[self.name].sign * (self.value - self.threshold) < 0

    @property
    def severity(self) -> float:
        """How far it is from the reference's, 0, to the threshold, 1, and beyond."""
        way = self.threshold - self.reference
        return (self.value - self.reference) / way if way else math.nan


class Concept(NamedTuple):
    """Whether the errors are those of the reference; NaN where a number is absent."""

    is_drifted: bool | None
    """None while outcomes are too few."""
    statistic: float
    threshold: float


class Difference(NamedTuple):
    """How much a version's quality is above the champion's; NaN where a number is absent."""

    value: float
    threshold: float
    """How far from 0 chance brings it."""


@dataclass(frozen=True)
class VersionOutcomes:
    """What came true of one version's predictions."""

    numbers: Numbers
    model: str
    version: str

    def held(self, name: str, window: str, of: Slice = ALL) -> Held:
        """Return a quality by the end of its name, such as `accuracy`."""
        key = (self.model, self.version)
        get = self.numbers.get
        return Held(
            name,
            get(f"mlmon_quality_{name}", *key, window, *of),
            get(f"mlmon_reference_quality_{name}", *key, *of),
            get(f"mlmon_quality_{name}_threshold", *key, window, *of),
        )

    @property
    def has_reference(self) -> bool:
        """Whether the reference has outcomes to compare with."""
        return any(not math.isnan(self.held(name, "").reference) for name in QUALITY)

    def estimate(self, name: str, window: str) -> float:
        """Return what the scores alone say of a quality."""
        return self.numbers.get(f"mlmon_estimated_quality_{name}", self.model, self.version, window)

    def rows(self, window: str, of: Slice = ALL) -> float:
        """Return the rows with ground truth; NaN where there are none."""
        return self.numbers.get("mlmon_quality_rows", self.model, self.version, window, *of)

    def concept(self, window: str) -> Concept:
        """Return what the errors say."""
        names = ("concept_drifted", "error_ks_statistic", "error_ks_threshold")
        drifted, *rest = (
            self.numbers.get(f"mlmon_{n}", self.model, self.version, window) for n in names
        )
        return Concept(None if math.isnan(drifted) else drifted == 1.0, *rest)

    def difference(self, name: str, window: str) -> Difference:
        """Return how much a quality is above the champion's."""
        full = f"mlmon_quality_{name}_difference"
        key = (self.model, self.version, window)
        return Difference(self.numbers.get(full, *key), self.numbers.get(f"{full}_threshold", *key))

    def segments(self, window: str) -> list[Slice]:
        """Return the segments that have outcomes, the worst first, those with few last."""
        key = (self.model, self.version, window)
        rows = self.numbers.rows("mlmon_quality_rows")
        found = [
            labels[3:] for labels, n in rows.items() if labels[:3] == key and labels[3] and n > 0
        ]
        return sorted(((f, s) for f, s in found), key=lambda of: -self._worst(window, of))

    def _worst(self, window: str, of: Slice) -> float:
        severities = (self.held(name, window, of).severity for name in QUALITY)
        return max((s for s in severities if not math.isnan(s)), default=-math.inf)

    def parities(self, window: str) -> Mapping[str, Mapping[str, float]]:
        """Return feature -> parity -> its number, of features that have any."""
        found: dict[str, dict[str, float]] = {}
        for parity in PARITIES:
            for labels, value in self.numbers.rows(f"mlmon_{parity}").items():
                if labels[:3] == (self.model, self.version, window):
                    found.setdefault(labels[3], {})[parity] = value
        return found

    def rates(self, window: str, feature: str) -> Mapping[str, Mapping[str, float]]:
        """Return segment -> `rows` and `RATES` -> its number; NaN where it has none."""
        key = (self.model, self.version, window, feature)
        rows = self.numbers.rows("mlmon_segment_rows")
        return {
            labels[4]: {"rows": n}
            | {rate: self.numbers.get(f"mlmon_segment_{rate}_ratio", *labels) for rate in RATES}
            for labels, n in rows.items()
            if labels[:4] == key
        }

    def worse(self, windows: Iterable[str]) -> Iterator[tuple[str, Slice, Held]]:
        """Give what is worse than chance explains: window, all rows or a segment, its quality."""
        for window in windows:
            for of in (ALL, *self.segments(window)):
                for name in QUALITY:
                    held = self.held(name, window, of)
                    if held.is_worse:
                        yield window, of, held


class Kpi(NamedTuple):
    """A business number since the start."""

    version: str
    name: str
    events: float
    total: float
    """Sum of the values."""


@dataclass(frozen=True)
class ModelOutcomes:
    """What came back about a model's predictions."""

    numbers: Numbers
    model: str
    configured: str
    """The version that others are held against."""

    @cached_property
    def versions(self) -> tuple[VersionOutcomes, ...]:
        """Those with an outcome or a prediction in a window, the configured one first."""
        names = dict.fromkeys(
            labels[1]
            for name in ("mlmon_quality_rows", "mlmon_segment_rows", ESTIMATED)
            for labels, value in self.numbers.rows(name).items()
            if labels[0] == self.model and value > 0
        )
        order = sorted(names, key=lambda version: version != self.configured)
        return tuple(VersionOutcomes(self.numbers, self.model, version) for version in order)

    @property
    def waiting(self) -> float:
        """Predictions that wait for their ground truth; NaN where that is not known."""
        rows = self.numbers.rows("mlmon_pending_predictions").items()
        return next((n for labels, n in rows if labels[0] == self.model), math.nan)

    @property
    def statuses(self) -> Mapping[str, float]:
        """What became of ground truths -> how many since the start; empty without a task."""
        rows = self.numbers.rows("mlmon_ground_truth_total").items()
        found = [(labels[2], n) for labels, n in rows if labels[0] == self.model]
        return {s: sum(n for status, n in found if status == s) for s in STATUSES} if found else {}

    @property
    def kpis(self) -> list[Kpi]:
        """The business numbers."""
        get = self.numbers.get
        kpis = []
        for key, events in self.numbers.rows("mlmon_kpi_events_total").items():
            if key[0] == self.model:
                total = get("mlmon_kpi_value_total", *key)
                total = get("mlmon_kpi_value_sum", *key) if math.isnan(total) else total
                kpis.append(Kpi(key[1], key[2], events, total))
        return sorted(kpis, key=lambda kpi: (kpi.name, kpi.version))
