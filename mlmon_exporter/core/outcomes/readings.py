"""The numbers of a version's outcomes: quality, its thresholds, estimates, and fairness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.drift.tests import CALM_SHARE, SCORES, TESTS, Comparison, threshold
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.records import Readings
from mlmon_exporter.core.settings import Policy, WindowName
from mlmon_exporter.core.stats.thresholds import level
from mlmon_exporter.core.windows.columns import Columns
from mlmon_exporter.core.windows.matrix import Sums

from .estimate import ESTIMATED, Calibration, calibration_of, estimates, middles
from .fairness import PARITIES, parities, rates
from .quality import quality
from .tallies import SegmentLayout, SegmentSums
from .task import REGRESSION
from .thresholds import LossLaw, count_thresholds, loss_laws, quality_thresholds
from .windows import SliceWindows

Floats = NDArray[np.float64]
Labels = tuple[tuple[str, ...], ...]

OF_SEGMENT = ("segment_feature", "segment")


class ScoringContext(NamedTuple):
    """What readings of outcomes are made with."""

    model: str
    version: str
    windows: Sequence[WindowName]
    policy: Policy
    tests: int
    """All tests of the model."""

    def level(self, k: int) -> float:
        """Return the level of one test of a window."""
        return level(self.windows[k].seconds, self.policy.budget_seconds, self.tests)


class ReferenceOutcomes:
    """The outcomes of the reference, laid out as those of the windows are."""

    def __init__(self, sums: SegmentSums, error: ColumnReference | None) -> None:
        self.sums = sums
        self._error = error

    @cached_property
    def quality(self) -> Mapping[str, Floats]:
        """The qualities of each slice."""
        return quality(self.sums)

    @cached_property
    def laws(self) -> Mapping[str, LossLaw]:
        """How losses vary by chance."""
        is_regression = self.sums.layout.task.kind == REGRESSION
        return loss_laws(self._error, is_regression=is_regression)

    @cached_property
    def calibration(self) -> Calibration | None:
        """The chance of each score."""
        return calibration_of(self.sums)

    @property
    def tests(self) -> int:
        """How many tests of quality there are, for one window."""
        return count_thresholds(self.sums)


class QualityReadings:
    """All readings of a version's slices, kept while nothing has changed."""

    def __init__(
        self, shown: SliceWindows, reference: ReferenceOutcomes | None, settled: ScoringContext
    ) -> None:
        self._shown = shown
        self._reference = reference
        self.settled = settled
        base = (settled.model, settled.version)
        layout = shown.layout
        self._of_reference: Labels = tuple((*base, *each) for each in layout.segments.all)
        self._of_slices: list[Labels] = [
            tuple((*base, w.label, *each) for each in layout.segments.all) for w in settled.windows
        ]
        self._of_features: list[Labels] = [
            tuple((*base, w.label, f.feature) for f in layout.segments.features)
            for w in settled.windows
        ]
        self._static = [*self._of_the_reference()]
        self._kept: dict[int, tuple[tuple[int, int], list[Readings]]] = {}
        self.sums: dict[int, SegmentSums] = {}
        """The windows that were last read."""

    def _of_the_reference(self) -> Iterator[Readings]:
        if self._reference is None:
            return
        names = ("model", "version", *OF_SEGMENT)
        for name, values in self._reference.quality.items():
            yield Readings(f"mlmon_reference_quality_{name}", names, self._of_reference, values)

    def at(self, now: float) -> Iterator[Readings]:
        """Give all readings at `now`; those that did not change are the same objects as before."""
        yield from self._static
        keys = [(self._shown.generation, w.pane_number(now)) for w in self._shown.windows]
        if any(k not in self._kept or self._kept[k][0] != key for k, key in enumerate(keys)):
            for k, tally in enumerate(self._shown.merged(now)):
                self.sums[k] = SegmentSums(self._shown.layout, tally)
                self._kept[k] = (keys[k], [*self._quality(k), *self._fairness(k)])
        for k in range(len(keys)):
            yield from self._kept[k][1]

    def _quality(self, k: int) -> Iterator[Readings]:
        sums, labels = self.sums[k], self._of_slices[k]
        names = ("model", "version", "window", *OF_SEGMENT)
        rows = sums["rows"]
        is_small = rows < self.settled.policy.min_window_rows
        for name, values in quality(sums).items():
            shown = np.where(is_small, np.nan, values)
            yield Readings(f"mlmon_quality_{name}", names, labels, shown)
        is_shown = (rows > 0) | (np.arange(len(rows)) == 0)
        yield Readings("mlmon_quality_rows", names, labels, np.where(is_shown, rows, np.nan))
        if self._reference is None or is_small.all():
            return
        reference, policy = self._reference, self.settled.policy
        bars = quality_thresholds(
            reference.sums, sums, reference.laws, policy, self.settled.level(k)
        )
        for name, values in bars.items():
            shown = np.where(is_small, np.nan, values)
            yield Readings(f"mlmon_quality_{name}_threshold", names, labels, shown)

    def _fairness(self, k: int) -> Iterator[Readings]:
        sums, layout = self.sums[k], self._shown.layout
        found = (
            rates(sums, self.settled.policy.min_window_rows)
            if layout.task.positive is not None
            else None
        )
        if found is None or not layout.segments.features:
            return
        names: tuple[str, ...] = ("model", "version", "window", *OF_SEGMENT)
        labels = self._of_slices[k]
        no_segment = np.arange(layout.segment_count) == 0
        rows = np.where(no_segment | (found.rows == 0), np.nan, found.rows)
        yield Readings("mlmon_segment_rows", names, labels, rows)
        positives = np.where(no_segment | (sums["rows"] == 0), np.nan, found.positives)
        yield Readings("mlmon_segment_positive_rows", names, labels, positives)
        for name in ("selection", "true_positive", "false_positive"):
            values = np.where(no_segment, np.nan, getattr(found, name))
            yield Readings(f"mlmon_segment_{name}_ratio", names, labels, values)
        own = [list(index.values()) for index in layout.segments.indexes]
        of_features = [parities(type(found)(*(rate[each] for rate in found))) for each in own]
        for parity in PARITIES:
            values = np.array([each[parity] for each in of_features])
            yield Readings(f"mlmon_{parity}", names[:-1], self._of_features[k], values)


class EstimateReadings:
    """The quality to be expected of the scores in each window."""

    def __init__(
        self,
        outputs: Columns,
        layout: SegmentLayout,
        calibration: Calibration,
        settled: ScoringContext,
    ) -> None:
        self._outputs = outputs
        self._calibration = calibration
        self._settled = settled
        self._column = outputs.frame.layout.names.index(layout.task.outputs[layout.task.scores[0]])
        self._scores = middles(outputs.frame.layout.bins[self._column])
        base = (settled.model, settled.version)
        self._labels: list[Labels] = [((*base, w.label),) for w in settled.windows]
        self._kept: tuple[object, list[Readings]] = (None, [])

    def at(self, now: float) -> list[Readings]:
        """Return all readings at `now`; the same objects while nothing has changed."""
        outputs = self._outputs
        key = (outputs.generation, *(window.pane_number(now) for window in outputs.windows))
        if self._kept[0] != key:
            tallies = enumerate(outputs.merged(now))
            self._kept = (key, [r for k, tally in tallies for r in self._of(k, tally.counts)])
        return self._kept[1]

    def _of(self, k: int, counts: NDArray[np.int64]) -> Iterator[Readings]:
        start, end = self._outputs.frame.layout.cell_starts[self._column : self._column + 2]
        rows = counts[start : end - 1].astype(np.float64)
        if rows.sum() < self._settled.policy.min_window_rows:
            rows = np.zeros(len(rows))
        found = estimates(self._calibration, self._scores, rows)
        for name in ESTIMATED:
            names = ("model", "version", "window")
            labels = self._labels[k]
            yield Readings(f"mlmon_estimated_quality_{name}", names, labels, [found[name]])


class ResidualReadings:
    """How far the errors in each window are from the reference's: concept drift."""

    def __init__(self, shown: Columns, settled: ScoringContext) -> None:
        self.shown = shown
        self._settled = settled
        base = (settled.model, settled.version)
        self._labels: list[Labels] = [((*base, w.label),) for w in settled.windows]
        self._kept: tuple[object, list[Readings]] = (None, [])
        self._drifted: dict[int, bool] = {}

    def at(self, now: float) -> list[Readings]:
        """Return all readings at `now`; the same objects while nothing has changed."""
        shown = self.shown
        key = (shown.generation, *(window.pane_number(now) for window in shown.windows))
        if self._kept[0] != key:
            sums = map(shown.frame.sums, shown.merged(now))
            self._kept = (key, [r for k, each in enumerate(sums) for r in self._of(k, each)])
        return self._kept[1]

    def _of(self, k: int, current: Sums) -> Iterator[Readings]:
        settled, frame = self._settled, self.shown.frame
        score, bar, drifted = np.nan, np.nan, np.nan
        if current.rows >= settled.policy.min_window_rows:
            seconds = settled.windows[k].seconds
            comparison = Comparison(frame, current, settled.policy, settled.level(k), seconds)
            score = float(SCORES["ks_statistic"](comparison)[0])
            bar = float(threshold(TESTS["ks_threshold"], comparison)[0])
            # As with features: what hovers at its threshold does not flap.
            limit = CALM_SHARE * bar if self._drifted.get(k) else bar
            drifted = float(score > limit)
        self._drifted[k] = drifted == 1.0
        values = {
            "error_ks_statistic": score,
            "error_ks_threshold": bar,
            "concept_drifted": drifted,
        }
        for name, value in values.items():
            yield Readings(
                f"mlmon_{name}", ("model", "version", "window"), self._labels[k], [value]
            )
