"""What a window looks like beside its reference: what people look at, and no metric has.

Rows per bin of a window, and how its deciding scores went from pane to pane. The panes are those
that the window is made of, so nothing more is kept, and a restart loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.labels import distinct_labels
from mlmon_exporter.core.profile.column import MID_RANKS
from mlmon_exporter.core.records import Histograms, Readings
from mlmon_exporter.core.settings import Policy, WindowName
from mlmon_exporter.core.stats.thresholds import level
from mlmon_exporter.core.windows.columns import Columns
from mlmon_exporter.core.windows.matrix import QUANTILES, ReferenceMatrix, Sums
from mlmon_exporter.core.windows.tally import Tally

from .readings import ColumnReadings, Role
from .tests import SCORES, TESTS, Comparison, threshold

Floats = NDArray[np.float64]


class Bars(NamedTuple):
    """A reference's shares of rows per bin: what the windows of all columns are drawn beside."""

    names: tuple[str, ...]
    """Of the columns, as readings have them."""
    kinds: tuple[str, ...]
    intervals: tuple[tuple[str, ...], ...]
    """Per column, each bin in words."""
    reference: tuple[Floats, ...]
    """Per column, shares of the reference's rows, 0 to 1; NaN where it has no rows."""
    quantiles: tuple[Floats, ...]
    """Per column, the reference's values at `QUANTILES`; NaN for a category."""


class History(NamedTuple):
    """One deciding score, pane by pane: arrays of shape (panes, columns).

    NaN where a pane has too few rows, or the column has no such score.
    """

    values: Floats
    thresholds: Floats
    """What unchanged traffic of as many rows stays under."""
    severity: Floats
    """How far the score is on the way from unchanged, 0, to its threshold, 1, and beyond."""


class WindowSummary(NamedTuple):
    """One window of one side of a model's version, beside the reference."""

    role: Role
    model: str
    version: str
    window: WindowName
    rows: int
    bars: Bars
    current: tuple[Floats, ...]
    """Per column, shares of the window's rows per bin, 0 to 1; NaN where it has no rows."""
    severity: Mapping[str, Floats]
    """Threshold's name -> severity of the window's score, length columns; see `History`."""
    pane_starts: Floats
    """Unix seconds, oldest first: always as many as the window has panes."""
    history: Mapping[str, History]
    """Threshold's name -> its score, pane by pane."""


class Snapshot(NamedTuple):
    """All that a monitor says at one time, for a page."""

    now: float
    """Unix seconds."""
    blocks: Sequence[Readings | Histograms]
    summaries: Sequence[WindowSummary]


class ColumnHistory:
    """The pictures of one side of a model's version.

    What was computed of a pane is kept until it changes, as only the newest one mostly does:
    120 numbers a column and window.
    """

    def __init__(
        self,
        columns: Columns,
        readings: ColumnReadings,
        role: Role,
        model_version: tuple[str, str],
        windows: Sequence[WindowName],
        policy: Policy,
        tests: int,
    ) -> None:
        self._columns = columns
        self._role = role
        self._model_version = model_version
        self._windows = tuple(windows)
        self._readings = readings
        self._policy = policy
        self._tests = tests
        self._bars: Bars | None = None
        self._bases: Floats = np.empty(0)
        self._pictures: dict[int, tuple[tuple[int, int], WindowSummary]] = {}
        self._panes: dict[int, dict[int, tuple[int, Floats]]] = {}

    def at(self, now: float) -> Iterator[WindowSummary]:
        """Give a picture of each window at `now`, Unix seconds, once its readings were given."""
        if self._bars is None:
            self._bars = reference_bars(self._columns.frame)
            self._bases = _bases(self._columns.frame)
        generation = self._columns.generation
        for k, window in enumerate(self._columns.windows):
            key = (generation, window.pane_number(now))
            if k not in self._pictures or self._pictures[k][0] != key:
                self._pictures[k] = (key, self._picture(k, self._bars, key[1]))
            yield self._pictures[k][1]

    def _picture(self, k: int, bars: Bars, newest: int) -> WindowSummary:
        window, frame = self._columns.windows[k], self._columns.frame
        numbers = range(newest - window.pane_count + 1, newest + 1)
        counted = self._columns.parts()
        panes = {n: counted[k, n] for n in numbers if (k, n) in counted}
        self._panes[k] = {n: self._pane(k, n, pane) for n, pane in panes.items()}
        tally = Tally(frame.layout)
        for pane in panes.values():
            tally.merge_counts(pane)
        sums = frame.sums_of_counts(tally)
        severity = dict(zip(TESTS, self._severity(self._readings.scores(k)), strict=True))
        current = tuple(map(_shares, np.split(sums.bins, frame.bin_starts[1:])))
        model, version = self._model_version
        return WindowSummary(
            self._role,
            model,
            version,
            self._windows[k],
            sums.rows,
            bars,
            current,
            severity,
            np.array(numbers, dtype=np.float64) * window.pane_seconds,
            self._history([self._panes[k].get(n) for n in numbers]),
        )

    def _level(self, k: int) -> float:
        return level(self._windows[k].seconds, self._policy.budget_seconds, self._tests)

    def _pane(self, k: int, number: int, pane: Tally) -> tuple[int, Floats]:
        kept = self._panes.get(k, {}).get(number)
        if kept is None or kept[0] != pane.rows:
            kept = (pane.rows, self._tested(k, self._columns.frame.sums_of_counts(pane)))
        return kept

    def _tested(self, k: int, sums: Sums) -> Floats:
        """Return values, thresholds and severities, shape (3, tests, columns)."""
        frame, seconds = self._columns.frame, self._windows[k].seconds
        if sums.rows < self._policy.min_window_rows or not frame.reference.rows:
            return np.full((3, len(TESTS), len(frame.references)), np.nan)
        comparison = Comparison(frame, sums, self._policy, self._level(k), seconds)
        values = np.array([SCORES[test.score](comparison) for test in TESTS.values()])
        bars = np.array([threshold(test, comparison) for test in TESTS.values()])
        return np.array([values, bars, self._over_base(values, bars)])

    def _severity(self, scores: Mapping[str, Floats]) -> Floats:
        """Return severities, shape (tests, columns), of scores and thresholds by name."""
        absent = np.full(len(self._columns.frame.references), np.nan)
        values = np.array([scores.get(test.score, absent) for test in TESTS.values()])
        bars = np.array([scores.get(name, absent) for name in TESTS])
        return self._over_base(values, bars)

    def _over_base(self, values: Floats, bars: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.maximum(values - self._bases, 0.0) / (bars - self._bases)

    def _history(self, panes: Sequence[tuple[int, Floats] | None]) -> Mapping[str, History]:
        absent = np.full((3, len(TESTS), len(self._columns.frame.references)), np.nan)
        stacked = np.array([absent if pane is None else pane[1] for pane in panes])
        return {name: History(*np.moveaxis(stacked[:, :, i], 1, 0)) for i, name in enumerate(TESTS)}


def reference_bars(frame: ReferenceMatrix) -> Bars:
    """Return the shares of a reference."""
    bins = frame.layout.bins
    counts = np.split(frame.reference.bins, frame.bin_starts[1:]) if bins else []
    return Bars(
        distinct_labels(frame.layout.names),
        tuple(b.kind for b in bins),
        tuple(b.intervals for b in bins),
        tuple(map(_shares, counts)),
        tuple(np.interp(QUANTILES, MID_RANKS, column.quantiles) for column in frame.references),
    )


def _bases(frame: ReferenceMatrix) -> Floats:
    """Return what each deciding score is when nothing has changed, shape (tests, columns)."""
    unchanged = Comparison(frame, frame.reference, Policy(), level=0.05)
    return np.array([test.base(unchanged) for test in TESTS.values()])


def _shares(rows: NDArray[np.int64]) -> Floats:
    total = rows.sum()
    return np.asarray(rows / (total or np.nan), dtype=np.float64)
