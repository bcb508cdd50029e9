"""Windows beside their reference, bin by bin and pane by pane: for the page, not for metrics.

Rows per bin of a window, and its deciding scores pane by pane. The panes are those of the window,
so nothing more is kept, and a restart loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.labels import distinct_labels
from mlmon_exporter.core.records import Histograms, Readings, Requests
from mlmon_exporter.core.settings import QUANTILES, Policy, WindowName
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.tally import Tally
from mlmon_exporter.core.windows.window import Memo, PaneKey, WindowedTallies

from .context import ScoringContext
from .moved import TAIL, Move, greatest_move, into_tails
from .readings import ColumnReadings, Role
from .tests import SCORES, TESTS, Comparison, threshold

Floats = NDArray[np.float64]


class Bars(NamedTuple):
    """Shares of the reference's rows per bin, for all columns of a side."""

    names: tuple[str, ...]
    """Columns, as labels have them."""
    kinds: tuple[str, ...]
    intervals: tuple[tuple[str, ...], ...]
    """Per column, each bin in words."""
    reference: tuple[Floats, ...]
    """Per column, shares of the reference's rows, 0 to 1; NaN where it has no rows."""
    quantiles: tuple[Floats, ...]
    """Per column, the reference's values at `QUANTILES`; NaN for a category."""
    importance: Floats
    """Per column, its share of the features' importance, 0 to 1; NaN where it is not known."""

    def weight(self, j: int) -> float:
        """Return the importance of column `j` over the mean of all; 1 where it is not known."""
        own = float(self.importance[j])
        return 1.0 if np.isnan(own) else own * int((~np.isnan(self.importance)).sum())


class ScoreHistory(NamedTuple):
    """One deciding score, pane by pane: arrays of shape (panes, columns).

    NaN where a pane has too few rows, or the column has no such score.
    """

    values: Floats
    thresholds: Floats
    """A score above this counts as drift."""
    severity: Floats
    """The score on a scale from 0 (unchanged) to 1 (its threshold) and beyond."""


class WindowSummary(NamedTuple):
    """One window of one side of a version beside the reference."""

    role: Role
    model: str
    version: str
    window: WindowName
    rows: int
    bars: Bars
    current: tuple[Floats, ...]
    """Per column, shares of the window's rows per bin, 0 to 1; NaN where it has no rows."""
    severity: Mapping[str, Floats]
    """Threshold's name -> severity of the window's score, length columns; see `ScoreHistory`."""
    pane_starts: Floats
    """Unix seconds, oldest first; one for each pane of the window, with rows or without."""
    history: Mapping[str, ScoreHistory]
    """Threshold's name -> its score, pane by pane."""

    def moved(self, j: int, test: str, value: float) -> Move | None:
        """Return what moved in column `j`, given the threshold that was crossed and its score."""
        bars = self.bars
        if test == TAIL:
            return into_tails(value, bars.reference[j])
        sides = bars.reference[j], self.current[j]
        return greatest_move(bars.kinds[j], bars.intervals[j], *sides, test)


class Snapshot(NamedTuple):
    """All readings and window summaries of a monitor at one time."""

    now: float
    """Unix seconds."""
    blocks: Sequence[Readings | Histograms]
    summaries: Sequence[WindowSummary]
    trouble: str = ""
    """Reason why the numbers are not those of all processes up to now; empty if they are."""
    traffic: Mapping[str, Requests] = MappingProxyType({})
    """Model -> its requests of the last hour."""
    host: str = ""


class ColumnHistory:
    """Window summaries of one side of a version.

    The scores of a pane are kept until it changes, as mostly only the newest does: 120 numbers a
    column and window.
    """

    def __init__(
        self,
        tallies: WindowedTallies[Tally],
        matrix: ReferenceMatrix,
        role: Role,
        context: ScoringContext,
        readings: ColumnReadings,
    ) -> None:
        self._tallies = tallies
        self._matrix = matrix
        self._role = role
        self._context = context
        self._readings = readings
        self._summaries: Memo[list[WindowSummary]] = Memo()
        self._panes: dict[PaneKey, Memo[Floats]] = {}

    @cached_property
    def _bars(self) -> Bars:
        return reference_bars(self._matrix)

    @cached_property
    def _bases(self) -> Floats:
        """Each deciding score when nothing has changed, shape (tests, columns)."""
        unchanged = Comparison(self._matrix, self._matrix.reference, Policy(), level=0.05)
        return np.array([test.base(unchanged) for test in TESTS.values()])

    def at(self, now: float) -> list[WindowSummary]:
        """Return a summary of each window at `now`, Unix seconds, once its readings were given."""
        return self._summaries.get(self._tallies.revision(now), lambda: self._all(now))

    def _all(self, now: float) -> list[WindowSummary]:
        panes = self._tallies.pane_sums()
        self._panes = {key: self._panes.get(key, Memo()) for key in panes}
        return [self._summary(k, panes, now) for k in range(len(self._tallies.windows))]

    def _summary(self, k: int, panes: Mapping[PaneKey, Tally], now: float) -> WindowSummary:
        window, matrix, context = self._tallies.windows[k], self._matrix, self._context
        newest = window.pane_number(now)
        numbers = range(newest - window.pane_count + 1, newest + 1)
        own = {n: panes[window.seconds, n] for n in numbers if (window.seconds, n) in panes}
        tally = matrix.layout.new()
        for pane in own.values():
            tally.merge_counts(pane)
        sums = matrix.sums_of_counts(tally)
        severity = self._severity(self._readings.scores(k))
        tested = {n: self._kept(k, n, pane) for n, pane in own.items()}
        return WindowSummary(
            self._role,
            context.model,
            context.version,
            context.windows[k],
            sums.rows,
            self._bars,
            tuple(map(_shares, np.split(sums.bins, matrix.bin_starts[1:]))),
            dict(zip(TESTS, severity, strict=True)),
            np.array(numbers, dtype=np.float64) * window.pane_seconds,
            self._history([tested.get(n) for n in numbers]),
        )

    def _kept(self, k: int, number: int, pane: Tally) -> Floats:
        memo = self._panes[self._context.windows[k].seconds, number]
        return memo.get(pane.rows, lambda: self._tested(k, pane))

    def _tested(self, k: int, pane: Tally) -> Floats:
        """Return values, thresholds and severities of a pane, shape (3, tests, columns)."""
        matrix, sums = self._matrix, self._matrix.sums_of_counts(pane)
        if sums.rows < self._context.policy.min_window_rows or not matrix.reference.rows:
            return self._absent
        seconds = self._tallies.windows[k].pane_seconds
        policy, level = self._context.policy, self._context.level(k)
        live = self._readings.live
        comparison = Comparison(matrix, sums, policy, level, seconds, live)
        values = np.array([SCORES[test.score](comparison) for test in TESTS.values()])
        bars = np.array([threshold(test, comparison) for test in TESTS.values()])
        return np.array([values, bars, self._over_base(values, bars)])

    @property
    def _absent(self) -> Floats:
        return np.full((3, len(TESTS), len(self._matrix.references)), np.nan)

    def _severity(self, scores: Mapping[str, Floats]) -> Floats:
        """Return severities, shape (tests, columns), of scores and thresholds by name."""
        absent = np.full(len(self._matrix.references), np.nan)
        values = np.array([scores.get(test.score, absent) for test in TESTS.values()])
        bars = np.array([scores.get(name, absent) for name in TESTS])
        return self._over_base(values, bars)

    def _over_base(self, values: Floats, bars: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.maximum(values - self._bases, 0.0) / (bars - self._bases)

    def _history(self, panes: Sequence[Floats | None]) -> Mapping[str, ScoreHistory]:
        """Return the history of each score, given what `_tested` returned of each pane."""
        absent = self._absent
        stacked = np.array([absent if pane is None else pane for pane in panes])
        by_test = np.moveaxis(stacked, 2, 0)
        return {
            name: ScoreHistory(*np.moveaxis(test, 1, 0))
            for name, test in zip(TESTS, by_test, strict=True)
        }


def reference_bars(matrix: ReferenceMatrix) -> Bars:
    """Return the shares of a reference, and its bins in words."""
    bins = matrix.layout.bins
    quantiles = np.full((len(bins), len(QUANTILES)), np.nan)
    quantiles[matrix.numeric] = matrix.reference.quantiles
    counts = np.split(matrix.reference.bins, matrix.bin_starts[1:]) if bins else []
    return Bars(
        distinct_labels(matrix.layout.names),
        tuple(b.kind for b in bins),
        tuple(b.intervals for b in bins),
        tuple(map(_shares, counts)),
        tuple(quantiles),
        np.array([column.importance for column in matrix.references]),
    )


def _shares(rows: NDArray[np.int64]) -> Floats:
    total = rows.sum()
    return np.asarray(rows / (total or np.nan), dtype=np.float64)
