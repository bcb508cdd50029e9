"""All drift scores of one side of a model, and the thresholds that they are held against.

The two tables are the way in: a score is a row of `SCORES`, what decides whether a column has
drifted is a row of `TESTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import scores, thresholds
from .reference import MID_RANKS, RANKS, ColumnReference
from .tally import Layout, Tally

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Index = NDArray[np.intp]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Policy(NamedTuple):
    """When a column counts as drifted."""

    budget_seconds: float = 30 * 86400.0
    """At most one false alarm of the model in this time."""
    min_window_rows: int = 100
    psi_floor: float = 0.1
    ks_floor: float = 0.1
    share_floor: float = 0.01
    """Above the reference's share."""


class Sums(NamedTuple):
    """A reference or a window, added up to what scores need. Per column unless said."""

    rows: int
    bins: Counts
    """Rows per bin, all columns one after another."""
    cells: Counts
    """Rows per cell of the numeric columns, one after another, missing left out."""
    values: Counts
    """Rows with a usable value."""
    missing: Counts
    unseen: Counts
    tail: Counts
    outside: Counts
    """Rows beyond the reference's least and greatest value."""
    ranks: Floats
    """Shape (numeric columns, RANKS): values at evenly spaced mid-ranks."""
    quantiles: Floats
    """Shape (numeric columns, QUANTILES)."""


class Frame:
    """The reference of all columns, and how tallies are added up to compare with it."""

    def __init__(self, references: Sequence[ColumnReference]) -> None:
        self.references = tuple(references)
        self.layout = Layout(
            tuple(column.name for column in references), tuple(c.bins for c in references)
        )
        starts = self.layout.cell_starts
        self._start, self._missing = starts[:-1], starts[1:] - 1
        tails = np.array([c.tail_cells for c in references], dtype=np.intp).reshape(-1, 2)
        outer = np.array([c.outer_cells for c in references], dtype=np.intp).reshape(-1, 2)
        self._tail = tails + self._start[:, None]
        self._outer = outer + self._start[:, None]
        self.numeric: Index = np.array(self.layout.numeric, dtype=np.intp)
        self.is_numeric = np.zeros(len(references), dtype=bool)
        self.is_numeric[self.numeric] = True
        self._cells = _runs(self._start[self.numeric], self._missing[self.numeric])
        sizes = (self._missing - self._start)[self.numeric]
        self.cell_starts: Index = (np.cumsum(sizes) - sizes).astype(np.intp)
        self.bin_starts: Index = self.layout.bin_starts[:-1]
        self.sd = np.array([column.sd for column in references])
        self.rank_error = np.array([column.rank_error for column in references])
        self.singletons = np.array([column.singletons for column in references], dtype=np.int64)
        self.reference = self._reference_sums()

    def sums(self, tally: Tally) -> Sums:
        """Add a tally up."""
        wanted = (*MID_RANKS, *QUANTILES)
        absent = [np.nan] * len(wanted)
        digests = [tally.digests[j] for j in self.layout.numeric]
        values = [absent if d is None else d.quantiles(wanted) for d in digests]
        return self._sums(tally.counts, tally.rows, np.array(values).reshape(-1, len(wanted)))

    def sums_of_counts(self, tally: Tally) -> Sums:
        """Add a tally up, digests left out."""
        return self._sums(tally.counts, tally.rows, np.empty((0, RANKS)))

    def _reference_sums(self) -> Sums:
        counts = [column.counts for column in self.references]
        rows = max((column.rows for column in self.references), default=0)
        values = [column.quantiles for column in self.references if column.kind == "numeric"]
        for column in self.references:
            if column.digest is not None:
                column.digest.pack()
        ranks = np.array(values).reshape(-1, RANKS)
        flat = np.concatenate(counts) if counts else np.empty(0, dtype=np.int64)
        return self._sums(flat, rows, ranks)

    def _sums(self, cell_counts: NDArray[Any], rows: int, ranks: Floats) -> Sums:
        counts = cell_counts.astype(np.int64, copy=False)
        below = np.concatenate(([0], np.cumsum(counts)))
        start, missing = self._start, self._missing
        return Sums(
            rows=rows,
            bins=self.layout.per_bin(counts),
            cells=counts[self._cells],
            values=below[missing] - below[start],
            missing=counts[missing],
            unseen=np.where(self.is_numeric, 0, counts[missing - 1]),
            tail=_outside(below, start, missing, self._tail),
            outside=_outside(below, start, missing, self._outer),
            ranks=ranks[:, :RANKS],
            quantiles=ranks[:, RANKS:],
        )


def _runs(starts: Index, ends: Index) -> Index:
    runs = [np.arange(start, end) for start, end in zip(starts, ends, strict=True)]
    return np.concatenate(runs).astype(np.intp) if runs else np.empty(0, dtype=np.intp)


def _outside(below: Counts, start: Index, missing: Index, inner: Index) -> Counts:
    return below[inner[:, 0]] - below[start] + below[missing] - below[inner[:, 1]]


class Comparison(NamedTuple):
    """A window against the reference."""

    frame: Frame
    current: Sums
    policy: Policy
    level: float
    """Probability that one test of unchanged traffic goes over its threshold."""


def _for_numeric(frame: Frame, values: Floats) -> Floats:
    column = np.full(len(frame.references), np.nan)
    column[frame.numeric] = values
    return column


def _psi(c: Comparison) -> Floats:
    return scores.psi(c.frame.reference.bins, c.current.bins, c.frame.bin_starts)


def _js_distance(c: Comparison) -> Floats:
    return scores.js_distance(c.frame.reference.bins, c.current.bins, c.frame.bin_starts)


def _ks_statistic(c: Comparison) -> Floats:
    if not len(c.frame.numeric):
        return np.full(len(c.frame.references), np.nan)
    gaps = scores.ks_statistic(c.frame.reference.cells, c.current.cells, c.frame.cell_starts)
    return _for_numeric(c.frame, gaps)


def _wasserstein_ratio(c: Comparison) -> Floats:
    sd = c.frame.sd[c.frame.numeric]
    ratio = scores.wasserstein_ratio(c.frame.reference.ranks, c.current.ranks, sd)
    return _for_numeric(c.frame, ratio)


def _l_infinity(c: Comparison) -> Floats:
    gaps = scores.l_infinity(c.frame.reference.bins, c.current.bins, c.frame.bin_starts)
    return np.where(c.frame.is_numeric, np.nan, gaps)


def _missing_ratio(c: Comparison) -> Floats:
    return c.current.missing / c.current.rows


def _unseen_ratio(c: Comparison) -> Floats:
    return np.where(c.frame.is_numeric, np.nan, c.current.unseen / c.current.rows)


def _tail_ratio(c: Comparison) -> Floats:
    return np.where(c.frame.is_numeric, c.current.tail / c.current.rows, np.nan)


def _psi_threshold(c: Comparison) -> Floats:
    bins = np.split(c.frame.reference.bins, c.frame.bin_starts[1:])
    chance = [thresholds.chance_psi(b.tolist(), c.current.rows, c.level) for b in bins]
    return np.maximum(c.policy.psi_floor, chance)


def _ks_threshold(c: Comparison) -> Floats:
    n, m = c.frame.reference.values, c.current.values
    chance = thresholds.chance_ks(n, m, c.level) + c.frame.rank_error
    bar = np.maximum(c.policy.ks_floor, chance)
    return np.where(c.frame.is_numeric, bar, np.nan)


def _share_threshold(c: Comparison, hits: Counts, floor: float, extra_hits: float = 1.0) -> Floats:
    n, m = c.frame.reference.rows, c.current.rows
    # Thresholds are made for whole steps of the window's size, on the safe side.
    step = 1 << max(0, m.bit_length() - 5)
    rows = m // step * step
    chance = [thresholds.chance_share(k, n, rows, c.level, extra_hits) for k in hits.tolist()]
    return np.maximum(hits / n + floor, chance)


def _missing_threshold(c: Comparison) -> Floats:
    return _share_threshold(c, c.frame.reference.missing, c.policy.share_floor)


def _unseen_threshold(c: Comparison) -> Floats:
    # How often categories come that the reference lacks is told by those that it has once:
    # Good (1953), The Population Frequencies of Species.
    bar = _share_threshold(c, c.frame.singletons, c.policy.share_floor)
    return np.where(c.frame.is_numeric, np.nan, bar)


def _tail_threshold(c: Comparison) -> Floats:
    # The tails hold 0.2 % of the reference: a floor of the whole share would hide a tail that
    # has grown fivefold.
    bar = _share_threshold(c, c.frame.reference.tail, c.policy.share_floor / 2, extra_hits=2.0)
    return np.where(c.frame.is_numeric, bar, np.nan)


Scorer = Callable[[Comparison], Floats]

SCORES: dict[str, Scorer] = {
    "psi": _psi,
    "ks_statistic": _ks_statistic,
    "js_distance": _js_distance,
    "wasserstein_ratio": _wasserstein_ratio,
    "l_infinity": _l_infinity,
    "missing_ratio": _missing_ratio,
    "unseen_ratio": _unseen_ratio,
    "tail_ratio": _tail_ratio,
}
"""Score -> how it is computed for all columns; NaN where a column has no such score."""


class Test(NamedTuple):
    """A score that decides, and what it must not exceed."""

    score: str
    threshold: Scorer
    numeric: bool
    categorical: bool


TESTS: dict[str, Test] = {
    "psi_threshold": Test("psi", _psi_threshold, True, True),
    "ks_threshold": Test("ks_statistic", _ks_threshold, True, False),
    "missing_threshold": Test("missing_ratio", _missing_threshold, True, True),
    "unseen_threshold": Test("unseen_ratio", _unseen_threshold, False, True),
    "tail_threshold": Test("tail_ratio", _tail_threshold, True, False),
}
"""Threshold's name -> the test."""


def test_count(frame: Frame) -> int:
    """Return how many tests the columns take part in, for one window."""
    numeric = len(frame.numeric)
    categorical = len(frame.references) - numeric
    return sum(numeric * t.numeric + categorical * t.categorical for t in TESTS.values())


def score(comparison: Comparison) -> dict[str, Floats]:
    """Return scores, thresholds and `drifted` (0 or 1) of all columns, by name.

    Everything is NaN, and so absent, while the window has too few rows or the reference none.
    """
    frame, current = comparison.frame, comparison.current
    names = [*SCORES, *TESTS, "drifted"]
    if current.rows < comparison.policy.min_window_rows or not frame.reference.rows:
        return {name: np.full(len(frame.references), np.nan) for name in names}
    results = {name: scorer(comparison) for name, scorer in SCORES.items()}
    drifted = np.zeros(len(frame.references), dtype=bool)
    for name, test in TESTS.items():
        results[name] = test.threshold(comparison)
        with np.errstate(invalid="ignore"):
            drifted |= results[test.score] > results[name]
    return results | {"drifted": drifted.astype(np.float64)}
