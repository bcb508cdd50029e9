"""Outcomes as the page shows them: quality, concept drift, parities, counts."""

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

Segment = tuple[str, str]
"""Feature and value."""
ALL: Segment = ("", "")
"""All rows."""
RATES = ("selection", "true_positive", "false_positive")
LEAST_PARITY = 0.8
"""As in the alert MlmonGroundTruthUneven."""
LOW_COVERAGE = 0.5
DOUBT = "mlmon_estimate_doubt_ratio"
"""Present whenever a quality is estimated, or would be without doubt."""


class Quality(NamedTuple):
    """A quality, its value in the reference and its threshold; NaN where a number is absent."""

    name: str
    value: float
    reference: float
    threshold: float
    """The worst value that chance explains."""

    @property
    def is_worse(self) -> bool:
        """True if it is beyond its threshold."""
        return QUALITY[self.name].sign * (self.value - self.threshold) < 0

    @property
    def severity(self) -> float:
        """0 at the reference's value, 1 at the threshold, more beyond it."""
        way = self.threshold - self.reference
        return (self.value - self.reference) / way if way else math.nan


class Concept(NamedTuple):
    """The verdict on concept drift; NaN where a number is absent."""

    is_drifted: bool | None
    """None while outcomes are too few."""
    statistic: float
    threshold: float


class Coverage(NamedTuple):
    """The share of predictions whose ground truth came; NaN where it is not known."""

    all_rows: float
    by_class: Mapping[str, float]
    parity: float
    """Least coverage of a predicted class over that of another, beyond chance."""

    @property
    def is_uneven(self) -> bool:
        """True if outcomes of some classes come so much more often that quality is theirs."""
        return self.parity < LEAST_PARITY

    @property
    def is_low(self) -> bool:
        """True if most outcomes have not come."""
        return self.all_rows < LOW_COVERAGE


class Difference(NamedTuple):
    """A version's quality less the champion's; NaN where a number is absent."""

    value: float
    threshold: float
    """The greatest distance from 0 that chance explains."""


@dataclass(frozen=True)
class VersionOutcomes:
    """Outcomes of one version's predictions."""

    numbers: Numbers
    model: str
    version: str

    def quality(self, name: str, window: str, segment: Segment = ALL) -> Quality:
        """Return a quality by the end of its metric's name, such as `accuracy`."""
        key = (self.model, self.version)
        get = self.numbers.get
        return Quality(
            name,
            get(f"mlmon_quality_{name}", *key, window, *segment),
            get(f"mlmon_reference_quality_{name}", *key, *segment),
            get(f"mlmon_quality_{name}_threshold", *key, window, *segment),
        )

    @property
    def has_reference(self) -> bool:
        """True if the reference has outcomes to compare with."""
        return any(not math.isnan(self.quality(name, "").reference) for name in QUALITY)

    def estimate(self, name: str, window: str) -> float:
        """Return the estimate of a quality from inputs and predictions alone."""
        return self.numbers.get(f"mlmon_estimated_quality_{name}", self.model, self.version, window)

    def doubt(self, window: str) -> float:
        """Return the share of rows unlike any of the reference; NaN where nothing is estimated."""
        return self.numbers.get(DOUBT, self.model, self.version, window)

    def rows(self, window: str, segment: Segment = ALL) -> float:
        """Return the number of rows with ground truth; NaN if absent."""
        return self.numbers.get("mlmon_quality_rows", self.model, self.version, window, *segment)

    def concept(self, window: str) -> Concept:
        """Return the verdict on concept drift."""
        names = ("concept_drifted", "error_ks_statistic", "error_ks_threshold")
        drifted, *rest = (
            self.numbers.get(f"mlmon_{n}", self.model, self.version, window) for n in names
        )
        return Concept(None if math.isnan(drifted) else drifted == 1.0, *rest)

    def coverage(self, window: str) -> Coverage:
        """Return the coverage of ground truth."""
        key = (self.model, self.version, window)
        rows = self.numbers.rows("mlmon_ground_truth_coverage_ratio")
        shares = {labels[3]: share for labels, share in rows.items() if labels[:3] == key}
        parity = self.numbers.get("mlmon_ground_truth_parity_ratio", *key)
        return Coverage(shares.pop("", math.nan), shares, parity)

    def difference(self, name: str, window: str) -> Difference:
        """Return a quality less the champion's."""
        full = f"mlmon_quality_{name}_difference"
        key = (self.model, self.version, window)
        return Difference(self.numbers.get(full, *key), self.numbers.get(f"{full}_threshold", *key))

    def segments(self, window: str) -> list[Segment]:
        """Return the segments with outcomes, worst first; those with too few to judge last."""
        key = (self.model, self.version, window)
        rows = self.numbers.rows("mlmon_quality_rows")
        found = [
            labels[3:] for labels, n in rows.items() if labels[:3] == key and labels[3] and n > 0
        ]
        return sorted(((f, s) for f, s in found), key=lambda of: -self._worst(window, of))

    def _worst(self, window: str, segment: Segment) -> float:
        severities = (self.quality(name, window, segment).severity for name in QUALITY)
        return max((s for s in severities if not math.isnan(s)), default=-math.inf)

    def parities(self, window: str) -> Mapping[str, Mapping[str, float]]:
        """Return feature -> parity -> value."""
        found: dict[str, dict[str, float]] = {}
        for parity in PARITIES:
            for labels, value in self.numbers.rows(f"mlmon_{parity}").items():
                if labels[:3] == (self.model, self.version, window):
                    found.setdefault(labels[3], {})[parity] = value
        return found

    def rates(self, window: str, feature: str) -> Mapping[str, Mapping[str, float]]:
        """Return segment -> `rows` and `RATES` -> value; NaN if absent."""
        key = (self.model, self.version, window, feature)
        rows = self.numbers.rows("mlmon_segment_rows")
        return {
            labels[4]: {"rows": n}
            | {rate: self.numbers.get(f"mlmon_segment_{rate}_ratio", *labels) for rate in RATES}
            for labels, n in rows.items()
            if labels[:4] == key
        }

    def worse(self, windows: Iterable[str]) -> Iterator[tuple[str, Segment, Quality]]:
        """Give each quality beyond its threshold, with its window and segment (or `ALL`)."""
        for window in windows:
            for segment in (ALL, *self.segments(window)):
                for name in QUALITY:
                    quality = self.quality(name, window, segment)
                    if quality.is_worse:
                        yield window, segment, quality


class Kpi(NamedTuple):
    """A business number since the start."""

    version: str
    name: str
    events: float
    total: float
    """Sum of the values."""


@dataclass(frozen=True)
class ModelOutcomes:
    """Outcomes and business numbers of one model."""

    numbers: Numbers
    model: str
    configured: str
    """The champion: other versions are compared with it."""

    @cached_property
    def versions(self) -> tuple[VersionOutcomes, ...]:
        """Versions with an outcome or a prediction in a window, the configured one first."""
        names = dict.fromkeys(
            labels[1]
            for name in ("mlmon_quality_rows", "mlmon_segment_rows", DOUBT)
            for labels, value in self.numbers.rows(name).items()
            if labels[0] == self.model and (value > 0 or name == DOUBT)
        )
        order = sorted(names, key=lambda version: version != self.configured)
        return tuple(VersionOutcomes(self.numbers, self.model, version) for version in order)

    @property
    def is_independent(self) -> bool:
        """Thresholds take outcomes for independent, as it is not known how they depend."""
        known = self.numbers.get("mlmon_outcome_dependence_known", self.model, self.configured)
        return known == 0.0

    @property
    def waiting(self) -> float:
        """Pending predictions; NaN if unknown."""
        rows = self.numbers.rows("mlmon_pending_predictions").items()
        return next((n for labels, n in rows if labels[0] == self.model), math.nan)

    @property
    def statuses(self) -> Mapping[str, float]:
        """Status of ground truths -> their count since the start; empty without a task."""
        rows = self.numbers.rows("mlmon_ground_truth_total").items()
        found = [(labels[2], n) for labels, n in rows if labels[0] == self.model]
        return {s: sum(n for status, n in found if status == s) for s in STATUSES} if found else {}

    @property
    def kpis(self) -> list[Kpi]:
        """Business numbers by name and version."""
        get = self.numbers.get
        kpis = []
        for key, events in self.numbers.rows("mlmon_kpi_events_total").items():
            if key[0] == self.model:
                total = get("mlmon_kpi_value_total", *key)
                total = get("mlmon_kpi_value_sum", *key) if math.isnan(total) else total
                kpis.append(Kpi(key[1], key[2], events, total))
        return sorted(kpis, key=lambda kpi: (kpi.name, kpi.version))
