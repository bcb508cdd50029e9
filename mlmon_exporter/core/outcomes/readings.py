"""Numbers of a version's outcomes: quality, its thresholds, fairness and residuals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.drift.context import MODEL_LABELS, WINDOW_LABELS, Labels, ScoringContext
from mlmon_exporter.core.drift.dependence import Followed, LiveDependence
from mlmon_exporter.core.drift.readings import HELD_SECONDS
from mlmon_exporter.core.drift.tests import CALM_SHARE, SCORES, TESTS, Comparison, threshold
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.records import Readings
from mlmon_exporter.core.stats.scatter import doubt
from mlmon_exporter.core.stats.thresholds import TYPICAL
from mlmon_exporter.core.windows.matrix import ReferenceMatrix, Sums
from mlmon_exporter.core.windows.natural import NaturalVariation
from mlmon_exporter.core.windows.tally import Tally
from mlmon_exporter.core.windows.window import Memo, WindowedTallies

from .coverage import coverage
from .fairness import PARITIES, Rates, parities, rates
from .latch import Latch
from .quality import QUALITY, quality
from .tallies import SegmentLayout, SegmentSums, SegmentTally
from .task import REGRESSION
from .thresholds import (
    NO_VARIANCE,
    LossLaw,
    TimeVariance,
    Variances,
    count_thresholds,
    loss_laws,
    quality_thresholds,
    worst_share,
)

Floats = NDArray[np.float64]

SEGMENT_LABELS = (*WINDOW_LABELS, "segment_feature", "segment")


class ReferenceOutcomes:
    """Outcomes of the reference, in the layout of the windows."""

    def __init__(self, sums: SegmentSums, residuals: ColumnReference | None) -> None:
        self.sums = sums
        self._residuals = residuals

    @cached_property
    def quality(self) -> Mapping[str, Floats]:
        """Qualities of each segment."""
        return quality(self.sums)

    @cached_property
    def wrong_share(self) -> float:
        """Share of rows whose class is wrong; 0 for a regression."""
        right = self.quality.get("accuracy")
        return 1 - float(right[0]) if right is not None and not np.isnan(right[0]) else 0.0

    @cached_property
    def laws(self) -> Mapping[str, LossLaw]:
        """Laws of the losses, by quality."""
        is_regression = self.sums.layout.task.kind == REGRESSION
        return loss_laws(self._residuals, is_regression=is_regression)

    def variances(
        self, seconds: float, level: float, live: NaturalVariation | None = None
    ) -> Variances:
        """Return the natural variance of each quality over so much time, in doubt at a level.

        That of live traffic where it is given, else that of the reference.
        """
        if self._residuals is None:
            return {}
        natural = live or NaturalVariation([self._residuals.variation])
        found = {
            name: (float(field[0]) for field in natural.of(name, seconds)) for name in self.quality
        }
        return {
            name: TimeVariance(variance, variance / degrees)
            for name, (variance, degrees, _) in found.items()
            for variance in [variance * float(doubt(np.array(degrees), level))]
            if variance > 0
        }

    @property
    def tests(self) -> int:
        """Number of tests of quality, for one window."""
        return count_thresholds(self.sums)


class QualityReadings:
    """Quality and fairness of a version by segment; the same objects while no count changes."""

    def __init__(
        self,
        tallies: WindowedTallies[SegmentTally],
        layout: SegmentLayout,
        reference: ReferenceOutcomes | None,
        context: ScoringContext,
        dependence: LiveDependence | None = None,
    ) -> None:
        self._tallies = tallies
        self._followed = Followed(dependence) if dependence is not None else None
        self._live: NaturalVariation | None = None
        self._layout = layout
        self._reference = reference
        self.context = context
        base, segments = context.labels, layout.segments
        self._by_segment: list[Labels] = [
            tuple((*base, w.label, *each) for each in segments.all) for w in context.windows
        ]
        self._by_feature: list[Labels] = [
            tuple((*base, w.label, f.feature) for f in segments.features) for w in context.windows
        ]
        self._of_reference = [*self._reference_readings()]
        self._windows: Memo[list[list[Readings]]] = Memo()
        self.sums: list[SegmentSums] = []
        """Sums of each window that was last read."""
        self._latches: dict[tuple[int, str], Latch] = {}

    def _reference_readings(self) -> Iterator[Readings]:
        if self._reference is None:
            return
        names = (*MODEL_LABELS, *SEGMENT_LABELS[-2:])
        labels = tuple((*self.context.labels, *each) for each in self._layout.segments.all)
        for name, values in self._reference.quality.items():
            yield Readings(f"mlmon_reference_quality_{name}", names, labels, values)

    @property
    def tallies(self) -> list[SegmentTally]:
        """Those of each window that was last read."""
        return [sums.tally for sums in self.sums]

    def revision(self, now: float) -> tuple[int, ...]:
        """Return a key that changes whenever `at` may give something else."""
        return self._tallies.revision(now)

    def at(self, now: float) -> Iterator[Readings]:
        """Give all readings at `now`, Unix seconds."""
        yield from self._of_reference
        for readings in self._windows.get(self._tallies.revision(now), lambda: self._scored(now)):
            yield from readings

    def _scored(self, now: float) -> list[list[Readings]]:
        if self._followed is not None:
            self._live, is_anew = self._followed.at(now, np.ones(1))
            if is_anew:
                self._latches.clear()
        self.sums = [SegmentSums(self._layout, tally) for tally in self._tallies.merged(now)]
        # Panes of predictions whose outcomes have not come hold no time of quality.
        rows = self._layout.fields["rows"].start
        held = self._tallies.held_seconds(now, lambda tally: int(tally.sums[0, rows]))
        return [
            [*self._quality(k, s, held[k], now), *self._coverage(k, s), *self._fairness(k, s)]
            for k, s in enumerate(self.sums)
        ]

    def _quality(self, k: int, sums: SegmentSums, held: float, now: float) -> Iterator[Readings]:
        labels, rows, policy = self._by_segment[k], sums["rows"], self.context.policy
        is_small = rows < policy.min_window_rows
        known = {name: np.where(is_small, np.nan, v) for name, v in quality(sums).items()}
        for name, shown in known.items():
            yield Readings(f"mlmon_quality_{name}", SEGMENT_LABELS, labels, shown)
        is_shown = (rows > 0) | (np.arange(len(rows)) == 0)
        shown = np.where(is_shown, rows, np.nan)
        yield Readings("mlmon_quality_rows", SEGMENT_LABELS, labels, shown)
        if self._reference is None or is_small.all():
            return
        laws, level = self._reference.laws, self.context.level(k)
        # A window that is filling varies as the time that it holds.
        variances = self._reference.variances(held, level, self._live)
        bars = quality_thresholds(self._reference.sums, sums, laws, policy, level, variances)
        calm = self._calm(k, sums, held)
        for name, bar in bars.items():
            latch = self._latches.setdefault((k, name), Latch(len(bar)))
            sign = QUALITY[name].sign
            held_bar = latch.threshold(sign, known[name], bar, calm.get(name, bar), now)
            shown = np.where(is_small, np.nan, held_bar)
            yield Readings(f"mlmon_quality_{name}_threshold", SEGMENT_LABELS, labels, shown)

    def _calm(self, k: int, sums: SegmentSums, held: float) -> Mapping[str, Floats]:
        """Return the thresholds of recovery; none where no quality has become worse."""
        is_worse = any(latch.is_any for (i, _), latch in self._latches.items() if i == k)
        if self._reference is None or not is_worse:
            return {}
        of, laws = self._reference.sums, self._reference.laws
        variances = self._reference.variances(held, TYPICAL, self._live)
        policy = self.context.policy
        return quality_thresholds(of, sums, laws, policy, TYPICAL, variances, CALM_SHARE)

    def variances(self, k: int) -> Variances:
        """Return the natural variance of each quality over window `k`, as far as it is known."""
        if self._reference is None:
            return {}
        seconds, level = self.context.windows[k].seconds, self.context.level(k)
        return self._reference.variances(seconds, level, self._live)

    def _natural(self, k: int) -> float:
        """Return the natural variance of a share over window `k`: that of accuracy."""
        return self.variances(k).get("accuracy", NO_VARIANCE).window

    def _coverage(self, k: int, sums: SegmentSums) -> Iterator[Readings]:
        """Give the coverage of ground truth; none before the first outcome."""
        min_rows, level = self.context.policy.min_window_rows, self.context.level(k)
        found = coverage(sums, min_rows, level, self._natural(k))
        if found is None:
            return
        base = *self.context.labels, self.context.windows[k].label
        labels: Labels = tuple((*base, name) for name in found.ratios)
        values = np.array([*found.ratios.values()])
        names = (*WINDOW_LABELS, "predicted_class")
        yield Readings("mlmon_ground_truth_coverage_ratio", names, labels, values)
        metric, labels = "mlmon_ground_truth_parity_ratio", self.context.window_labels[k]
        yield Readings(metric, WINDOW_LABELS, labels, [found.parity])

    def _fairness(self, k: int, sums: SegmentSums) -> Iterator[Readings]:
        layout = self._layout
        if layout.task.positive is None or not layout.segments.features:
            return
        found = rates(sums, self.context.policy.min_window_rows)
        if found is None:
            return
        no_segment = np.arange(layout.segment_count) == 0
        for name, values, is_absent in (
            ("rows", found.rows, found.rows == 0),
            ("positive_rows", found.positives, sums["rows"] == 0),
            ("selection_ratio", found.selection, False),
            ("true_positive_ratio", found.true_positive, False),
            ("false_positive_ratio", found.false_positive, False),
        ):
            shown = np.where(no_segment | is_absent, np.nan, values)
            yield Readings(f"mlmon_segment_{name}", SEGMENT_LABELS, self._by_segment[k], shown)
        own = [list(index.values()) for index in layout.segments.indexes]
        level, natural = self.context.level(k), self._natural(k)
        of_features = [
            parities(Rates(*(rate[each] for rate in found)), level, natural) for each in own
        ]
        names = SEGMENT_LABELS[:-1]
        for parity in PARITIES:
            values = np.array([each[parity] for each in of_features])
            yield Readings(f"mlmon_{parity}", names, self._by_feature[k], values)


class ResidualReadings:
    """Drift of the residuals in each window: concept drift."""

    def __init__(
        self,
        tallies: WindowedTallies[Tally],
        matrix: ReferenceMatrix,
        context: ScoringContext,
        dependence: LiveDependence | None = None,
        wrong_share: float = 0.0,
    ) -> None:
        """Read the residuals; `wrong_share` is that of the reference, 0 if it has no classes."""
        self._tallies = tallies
        self._followed = Followed(dependence) if dependence is not None else None
        self._live: NaturalVariation | None = None
        self._matrix = matrix
        self._context = context
        self._wrong_share = wrong_share
        self._kept: Memo[list[Readings]] = Memo()
        self._drifted: dict[int, bool] = {}
        self._judged: dict[int, float] = {}

    def at(self, now: float) -> list[Readings]:
        """Return all readings at `now`, Unix seconds; the same objects while no count changes."""
        return self._kept.get(self._tallies.revision(now), lambda: [*self._all(now)])

    def _all(self, now: float) -> Iterator[Readings]:
        if self._followed is not None:
            self._live, is_anew = self._followed.at(now, np.ones(1))
            if is_anew:
                self._drifted.clear()
        each = zip(self._tallies.merged(now), self._tallies.held_seconds(now), strict=True)
        for k, (tally, held) in enumerate(each):
            labels = self._context.window_labels[k]
            for name, value in self._scored(k, self._matrix.sums(tally), held, now).items():
                yield Readings(f"mlmon_{name}", WINDOW_LABELS, labels, [value])

    def _scored(self, k: int, current: Sums, held: float, now: float) -> Mapping[str, float]:
        score, bar = np.nan, np.nan
        before = self._drifted.get(k, False) and now - self._judged[k] <= HELD_SECONDS
        drifted = 1.0 if before else np.nan
        policy = self._context.policy
        if current.rows >= policy.min_window_rows:
            level = self._context.level(k)
            comparison = Comparison(self._matrix, current, policy, level, held, self._live)
            score = float(SCORES["ks_statistic"](comparison)[0])
            bar = self._threshold(comparison, level)
            # As for features: rows end a verdict, and not that there are fewer of them.
            calm = self._threshold(comparison, TYPICAL, CALM_SHARE)
            drifted = float(score > (min(bar, calm) if before else bar))
            self._judged[k] = now
        self._drifted[k] = drifted == 1.0
        return {
            "error_ks_statistic": score,
            "error_ks_threshold": bar,
            "concept_drifted": drifted,
        }

    def _threshold(self, comparison: Comparison, level: float, floor_share: float = 1.0) -> float:
        """Return the threshold of the KS statistic at a level.

        Luck that neighbours share moves residuals one way, and most between right and wrong: the
        statistic varies there by more than by the mean over all residuals.
        """
        bar = float(threshold(TESTS["ks_threshold"], comparison, level, floor_share)[0])
        time = comparison.natural("accuracy", level)
        natural = float(time.window[0] + time.reference[0])
        if not natural:
            return bar
        rows = comparison.current.rows, max(float(self._matrix.column_rows[0]), 1.0)
        noise = natural + sum(1 / each for each in rows)
        share = self._wrong_share
        return max(bar, worst_share(share, noise, level / 2) - share)
