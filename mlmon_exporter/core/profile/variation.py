"""Natural variation: how far stretches of unchanged time are from the rest of the reference.

An hour of night differs from a day without being drift. Where the reference knows the time of its
rows, each stretch of a window's length is scored against all other rows, and the tail of those
scores, less what sampling alone explains, is what unchanged time brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import numbers
from mlmon_exporter.core.stats import scores, thresholds
from mlmon_exporter.core.stats.thresholds import TOP_SHARE, TYPICAL, Tail

from .bins import Bins, CategoryBins
from .categories import CategoryCounts
from .column import ColumnReference

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

STEPS = 4
"""Stretches overlap: a new one begins after each fourth of its length."""
MOST_STRETCHES = 400
LEAST_STRETCHES = 20
LEAST_ROWS = 20


class Stretches:
    """Where the stretches of a window's length lie within the reference's time."""

    def __init__(self, first: float, last: float, window_seconds: float) -> None:
        """Lay stretches evenly over the time from `first` to `last`, Unix seconds."""
        self.step_seconds = window_seconds / STEPS
        self.first = first
        slots = int((last - first) // self.step_seconds) + 1
        possible = max(0, slots - STEPS + 1)
        # One wrong date makes them billions.
        starts = np.linspace(0, possible - 1, min(possible, MOST_STRETCHES)).astype(np.int64)
        self.slots = np.unique(starts[:, None] + np.arange(STEPS))
        """Numbers of the slots, a fourth of a stretch each, that stretches are made of."""
        self._of_stretch = np.searchsorted(self.slots, starts[:, None] + np.arange(STEPS))

    @property
    def count(self) -> int:
        """How many stretches there are."""
        return len(self._of_stretch)

    def slot_of(self, times: Floats) -> NDArray[np.intp]:
        """Return the index among `slots` of each time; -1 where it is in none."""
        with np.errstate(invalid="ignore"):
            wanted = np.floor((times - self.first) / self.step_seconds)
        index = np.searchsorted(self.slots, wanted)
        index = np.minimum(index, max(0, len(self.slots) - 1))
        if not len(self.slots):
            return np.full(len(times), -1, dtype=np.intp)
        index = np.where(self.slots[index] == wanted, index, -1)
        return np.asarray(index, dtype=np.intp)

    def sums(self, by_slot: NDArray[np.int32]) -> Counts:
        """Add cells of slots, shape (slots, cells), up to those of stretches."""
        return np.asarray(by_slot[self._of_stretch].sum(axis=1, dtype=np.int64))


class Variation:
    """Counts the stretches of all columns, for each window's length."""

    def __init__(
        self,
        columns: Sequence[ColumnReference],
        window_seconds: Iterable[float],
        first: float,
        last: float,
    ) -> None:
        self._columns = columns
        self._stretches = {s: Stretches(first, last, s) for s in window_seconds}
        self._by_slot = {
            (column.name, seconds): np.zeros(
                (len(stretches.slots), column.bins.cell_count), dtype=np.int32
            )
            for column in columns
            for seconds, stretches in self._stretches.items()
        }

    def count(self, rows: Mapping[str, Any], times: Floats) -> None:
        """Count rows; `times` are Unix seconds, and rows of NaN are left out."""
        slots = {seconds: s.slot_of(times) for seconds, s in self._stretches.items()}
        for column in self._columns:
            cells = cells_of(column.bins, rows[column.name])
            for seconds, slot in slots.items():
                by_slot = self._by_slot[column.name, seconds]
                width = by_slot.shape[1]
                flat = (slot * width + cells)[slot >= 0]
                by_slot += np.bincount(flat, minlength=by_slot.size).reshape(by_slot.shape)

    def columns(self) -> tuple[ColumnReference, ...]:
        """Return the columns, each with its variation over the windows that have enough."""
        return tuple(replace(c, variation=self._of(c)) for c in self._columns)

    def _of(self, column: ColumnReference) -> Mapping[float, Mapping[str, Tail]]:
        tails = {
            seconds: column_variation(column, stretches.sums(self._by_slot[column.name, seconds]))
            for seconds, stretches in self._stretches.items()
        }
        return {seconds: scores for seconds, scores in tails.items() if scores}


def cells_of(bins: Bins, values: Any) -> NDArray[np.intp]:
    """Return the cell of each of a column's values; invalid ones are missing."""
    missing = bins.cell_count - 1
    if isinstance(bins, CategoryBins):
        if isinstance(values, CategoryCounts) and values.codes is not None:
            known = [bins.code(name) for name in values.names]
            return np.array([*known, missing])[values.codes].astype(np.intp)
        codes = np.array([bins.code(value) for value in values], dtype=np.float64)
        return np.where(np.isnan(codes), missing, codes).astype(np.intp)
    column = numbers(values)
    cells = np.searchsorted(bins.edges, column)
    return np.where(np.isfinite(column), cells, missing).astype(np.intp)


def column_variation(column: ColumnReference, stretches: Counts) -> Mapping[str, Tail]:
    """Return the tail of each deciding score over a column's stretches; empty with too few.

    Args:
        column: The whole reference.
        stretches: Rows per cell of each stretch, shape (stretches, cells).
    """
    rows = stretches.sum(axis=1)
    is_usable = (rows >= LEAST_ROWS) & (rows <= column.rows / 2)
    if is_usable.sum() < LEAST_STRETCHES:
        return {}
    sides = _Sides(column, stretches[is_usable])
    excess = {"psi": sides.psi(), "missing_ratio": sides.share(sides.missing)}
    if isinstance(column.bins, CategoryBins):
        excess["unseen_ratio"] = sides.unseen()
    else:
        excess["ks_statistic"] = sides.ks()
        excess["tail_ratio"] = sides.share(sides.tail)
    return {score: _tail(np.maximum(0.0, values)) for score, values in excess.items()}


def _tail(excess: Floats) -> Tail:
    known = excess[~np.isnan(excess)]
    if len(known) < LEAST_STRETCHES:
        return Tail(0.0, 0.0)
    start = float(np.quantile(known, 1 - TOP_SHARE))
    over = known[known >= start] - start
    return Tail(start, float(over.mean()))


class _Sides:
    """Stretches of a column and, for each, the rest of the reference."""

    def __init__(self, column: ColumnReference, stretches: Counts) -> None:
        self._column = column
        self._stretches = stretches
        self._rest = column.counts - stretches
        self._m = stretches.sum(axis=1)
        self._n = self._rest.sum(axis=1)
        low, high = column.tail_cells
        tails = np.zeros(column.bins.cell_count, dtype=bool)
        tails[:low] = tails[high:-1] = True
        self.tail = tails
        self.missing = np.arange(column.bins.cell_count) == column.bins.cell_count - 1

    def psi(self) -> Floats:
        """PSI over what chance makes typical."""
        starts = self._column.bins.bin_starts
        rest, current = (
            np.add.reduceat(cells, starts, axis=1) for cells in (self._rest, self._stretches)
        )
        first = np.arange(len(current)) * len(starts)
        values = scores.psi(rest.ravel(), current.ravel(), first)
        bins = np.add.reduceat(self._column.counts, starts).tolist()
        typical = [thresholds.chance_psi(bins, int(m), TYPICAL) for m in self._m]
        return np.asarray(values - np.array(typical), dtype=np.float64)

    def ks(self) -> Floats:
        """KS statistic over what chance makes typical."""
        rest, current = self._rest[:, :-1], self._stretches[:, :-1]
        first = np.arange(len(current)) * current.shape[1]
        values = scores.ks_statistic(rest.ravel(), current.ravel(), first.astype(np.intp))
        typical = thresholds.chance_ks(rest.sum(axis=1), current.sum(axis=1), TYPICAL)
        return np.asarray(values - typical, dtype=np.float64)

    def share(self, cells: NDArray[np.bool_]) -> Floats:
        """Share of the rows in some cells over the same share of the rest."""
        here = self._stretches[:, cells].sum(axis=1) / self._m
        return np.asarray(here - self._rest[:, cells].sum(axis=1) / self._n, dtype=np.float64)

    def unseen(self) -> Floats:
        """Share of the rows whose category nobody has in the rest of the reference."""
        only_here = (self._rest == 0) & ~self.missing
        return np.asarray((self._stretches * only_here).sum(axis=1) / self._m, dtype=np.float64)
