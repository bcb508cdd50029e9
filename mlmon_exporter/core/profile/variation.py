"""Natural variation of a reference: how stretches of unchanged time differ from the rest of it.

An hour of night differs from a day without being drift. Where the reference knows the time of its
rows, disjoint stretches of each window's length, and of shorter ones, are compared with all other
rows; see `core.stats.scatter`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import numbers
from mlmon_exporter.core.stats.scatter import (
    Scatter,
    Sides,
    psi_scatter,
    shape_scatter,
    share_scatter,
)

from .bins import Bins, CategoryBins, per_bin
from .categories import CategoryCounts
from .column import ColumnReference
from .hours import HOURS, NO_HOURS, SCORE, hours_of, is_worth_hours

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

DAY_SECONDS = 86400.0
MOST_STRETCHES = 400
"""Of each length, spread evenly over the reference's time."""
LEAST_STRETCHES = 5
LEAST_ROWS = 20
"""Rows of a stretch that is used."""
SHORTEST = 8
"""The shortest stretches are of about so small a part of the shortest window: a window that has
just begun to fill is judged by them."""
CELLS_TOGETHER = 4
"""Cells of a numeric column that are counted together: 65 tell as much of a shape as 257."""


def stretch_lengths(window_seconds: Iterable[float]) -> tuple[float, ...]:
    """Return the lengths of stretches, ascending: the windows', and halves of the longest."""
    lengths = set(window_seconds)
    half, least = max(lengths), min(lengths) / SHORTEST
    while half > least:
        lengths.add(half)
        half /= 2
    return tuple(sorted(lengths))


class Stretches:
    """Disjoint stretches of one length within the reference's time."""

    def __init__(self, first: float, last: float, seconds: float) -> None:
        """Lay stretches evenly over the time from `first` to `last`, Unix seconds."""
        self.seconds = seconds
        self._first = first
        whole = int((last - first) // seconds) + 1
        # One wrong date makes them billions.
        self._numbers = np.unique(
            np.linspace(0, whole - 1, min(whole, MOST_STRETCHES)).astype(np.int64)
        )
        self.days = np.floor((first + self._numbers * seconds) / DAY_SECONDS)
        """The day, since 1970, on which each begins."""
        self.slots = np.rint(self._numbers * seconds % DAY_SECONDS / seconds)
        """The time of day of each, in stretches since the first one's."""

    @property
    def count(self) -> int:
        """Number of stretches."""
        return len(self._numbers)

    def stretch_of(self, times: Floats) -> NDArray[np.intp]:
        """Return the index of each time's stretch; -1 where it is in none."""
        with np.errstate(invalid="ignore"):
            wanted = np.floor((times - self._first) / self.seconds)
        index = np.minimum(np.searchsorted(self._numbers, wanted), self.count - 1)
        return np.asarray(np.where(self._numbers[index] == wanted, index, -1), dtype=np.intp)

    def degrees(self, is_used: NDArray[np.bool_]) -> float:
        """Return how many of these stretches are independent: of those of one day, one is."""
        if self.seconds >= DAY_SECONDS:
            return float(is_used.sum())
        return float(len(np.unique(self.days[is_used])))


class Variation:
    """Rows of all stretches by cell, for each column and length."""

    def __init__(
        self,
        columns: Sequence[ColumnReference],
        window_seconds: Iterable[float],
        first: float,
        last: float,
    ) -> None:
        self._columns = columns
        self._window_seconds = tuple(s for s in window_seconds if s < DAY_SECONDS)
        self._cells = [_Cells(column) for column in columns]
        self._stretches = [Stretches(first, last, s) for s in stretch_lengths(window_seconds)]
        self._rows = [
            [np.zeros((s.count, cells.count), dtype=np.int32) for s in self._stretches]
            for cells in self._cells
        ]
        self._hours = [
            np.zeros((HOURS, column.bins.cell_count), dtype=np.int64) for column in columns
        ]

    def count(self, rows: Mapping[str, Any], times: Floats) -> None:
        """Count rows; `times` are Unix seconds, and rows of NaN are left out."""
        places = [stretches.stretch_of(times) for stretches in self._stretches]
        is_known = ~np.isnan(times)
        hour = hours_of(times[is_known])
        each = zip(self._columns, self._cells, self._rows, self._hours, strict=True)
        for column, cells, counts, by_hour in each:
            own = cells_of(column.bins, rows[column.name])
            flat = hour * column.bins.cell_count + own[is_known]
            by_hour.reshape(-1)[:] += np.bincount(flat, minlength=by_hour.size)
            cell = cells.together(own)
            for i, place in enumerate(places):
                flat = (place * cells.count + cell)[place >= 0]
                if len(flat):
                    # Rows in order of time are in few stretches: those alone are added to.
                    least = flat.min()
                    more = np.bincount(flat - least)
                    counts[i].reshape(-1)[least : least + len(more)] += more.astype(np.int32)

    def columns(self) -> tuple[ColumnReference, ...]:
        """Return the columns, each with its variation at the lengths that have enough stretches."""
        each = zip(self._columns, self._cells, self._rows, self._hours, strict=True)
        return tuple(self._varied(*column) for column in each)

    def _varied(
        self,
        column: ColumnReference,
        cells: _Cells,
        rows: Sequence[NDArray[np.int32]],
        by_hour: Counts,
    ) -> ColumnReference:
        variation = self._of(cells, rows)
        is_worth = is_worth_hours(variation, self._window_seconds)
        hours = per_bin(column.bins, by_hour) if is_worth else NO_HOURS
        return replace(column, variation=variation, hours=hours)

    def _of(
        self, cells: _Cells, rows: Sequence[NDArray[np.int32]]
    ) -> Mapping[float, Mapping[str, Scatter]]:
        found = {}
        for stretches, counts in zip(self._stretches, rows, strict=True):
            in_stretch = counts.sum(axis=1)
            is_used = (in_stretch >= LEAST_ROWS) & (in_stretch <= cells.rows.sum() / 2)
            if is_used.sum() >= LEAST_STRETCHES:
                used = counts[is_used].astype(np.int64)
                degrees = stretches.degrees(is_used)
                found[stretches.seconds] = cells.scatter(used, degrees)
                if stretches.seconds < DAY_SECONDS:
                    same = cells.hour_scatter(used, stretches.slots[is_used], degrees)
                    found[stretches.seconds] |= same
        return found


class _Cells:
    """The cells of one column, of which neighbours are counted together."""

    def __init__(self, column: ColumnReference) -> None:
        self._column = column
        self._is_category = isinstance(column.bins, CategoryBins)
        last = column.bins.cell_count - 1
        some = np.arange(0, last, 1 if self._is_category else CELLS_TOGETHER)
        wanted = np.concatenate((column.bins.bin_starts, some, column.tail_cells, [last]))
        self._starts = np.unique(wanted).astype(np.intp)
        self.count = len(self._starts)
        sizes = np.diff(np.append(self._starts, column.bins.cell_count))
        self._of_cell = np.repeat(np.arange(self.count), sizes)
        self.rows = np.add.reduceat(column.counts, self._starts)
        self._bin_starts = np.searchsorted(self._starts, column.bins.bin_starts)

    def together(self, cells: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the number of each of the column's cells among those counted together."""
        return self._of_cell[cells]

    def hour_scatter(self, stretches: Counts, slots: Floats, degrees: float) -> dict[str, Scatter]:
        """Return the scatter of PSI between stretches of one time of day.

        Args:
            stretches: Rows of each, shape (stretches, cells).
            slots: Time of day of each, in stretches.
            degrees: How many of them are independent.
        """
        _, slot = np.unique(slots, return_inverse=True)
        together = np.zeros((slot.max() + 1, self.count), dtype=np.int64)
        np.add.at(together, slot, stretches)
        rest = together[slot] - stretches
        is_used = rest.sum(axis=1) >= LEAST_ROWS
        if is_used.sum() < LEAST_STRETCHES or degrees < 2:
            return {}
        sides = Sides(stretches[is_used], rest[is_used])
        # The mean of each time of day was taken from the same days.
        found = psi_scatter(sides, self._bin_starts, degrees - 1, is_alike=False)
        return {SCORE: found} if found is not None else {}

    def scatter(self, stretches: Counts, degrees: float) -> dict[str, Scatter]:
        """Return the scatter of each deciding score that independent rows do not explain.

        Args:
            stretches: Rows of each, shape (stretches, cells).
            degrees: How many of them are independent.
        """
        sides = Sides(stretches, self.rows - stretches)
        is_missing = np.arange(self.count) == self.count - 1
        found = {
            "psi": psi_scatter(sides, self._bin_starts, degrees),
            "missing_ratio": share_scatter(*sides.share(is_missing), sides.noise, degrees),
        }
        if self._is_category:
            is_new = (sides.rest == 0) & ~is_missing
            new = (stretches * is_new).sum(axis=1) / stretches.sum(axis=1)
            once = np.full(len(new), self._column.singletons / self._column.rows)
            found["unseen_ratio"] = share_scatter(new, once, sides.noise, degrees)
        else:
            found["ks_statistic"] = self._shape(stretches, degrees)
            found["tail_ratio"] = share_scatter(*sides.share(self._tails), sides.noise, degrees)
        return {score: scatter for score, scatter in found.items() if scatter is not None}

    def _shape(self, stretches: Counts, degrees: float) -> Scatter | None:
        values = stretches[:, :-1]
        has_values = values.sum(axis=1) > 0
        rest = self.rows[:-1] - values[has_values]
        if has_values.sum() < LEAST_STRETCHES or not rest.sum(axis=1).all():
            return None
        return shape_scatter(Sides(values[has_values], rest), degrees)

    @property
    def _tails(self) -> NDArray[np.bool_]:
        low, high = self._column.tail_cells
        is_outer = (self._starts < low) | (self._starts >= high)
        return np.asarray(is_outer & (self._starts < self._starts[-1]))


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
