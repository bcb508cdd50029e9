"""The references of all columns as arrays, and sums of windows to compare with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import bin_order
from mlmon_exporter.core.profile.column import RANKS, ColumnReference
from mlmon_exporter.core.settings import QUANTILES
from mlmon_exporter.core.stats.design_effect import design_effects

from .hours import HourProfiles
from .natural import NaturalVariation
from .shape import Shape
from .tally import Layout, Tally

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Index = NDArray[np.intp]


class Sums(NamedTuple):
    """Counts of a reference or a window that scores need. Per column unless noted."""

    rows: int
    """All rows; in a reference, those of the column that has the most."""
    bins: Counts
    """Rows per bin, all columns one after another; in a reference, those that are expected."""
    cells: Counts
    """Rows per cell of the numeric columns, one after another, without missing."""
    values: Counts
    """Rows with a usable value."""
    effects: Floats
    """Design effects: see `design_effects`."""
    missing: Counts
    unseen: Counts
    tail: Counts
    outside: Counts
    """Rows below the reference's least or above its greatest value."""
    distances: Floats
    """Wasserstein distance of each numeric column to its reference; NaN where a side is empty."""
    quantiles: Floats
    """Shape (numeric columns, QUANTILES)."""


class ReferenceMatrix:
    """The references of all columns as arrays, and sums of tallies to compare with them."""

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
        self._is_cell = np.repeat(self.is_numeric, np.diff(starts))
        self._is_cell[self._missing] = False
        self._bin_order = bin_order_of(self.layout)
        sizes = (self._missing - self._start)[self.numeric]
        self.cell_starts: Index = (np.cumsum(sizes) - sizes).astype(np.intp)
        self.bin_starts: Index = self.layout.bin_starts[:-1]
        self.sd = np.array([column.sd for column in references])
        self.rank_error = np.array([column.rank_error for column in references])
        self.new_rows = np.array([column.new_rows for column in references], dtype=np.int64)
        numeric = [column for column in references if column.kind == "numeric"]
        self.ranks: Floats = np.array([c.quantiles for c in numeric]).reshape(-1, RANKS)
        """Shape (numeric columns, RANKS): the references' values at evenly spaced mid-ranks."""
        self._shapes = [Shape(column) for column in numeric]
        self.reference = self._reference_sums()
        self.natural = NaturalVariation([column.variation for column in references])
        self.hours = HourProfiles(self.references, self.bin_starts)
        self.column_rows: Counts = self.reference.values + self.reference.missing

    def sums(self, tally: Tally) -> Sums:
        """Return the sums of a tally."""
        sums = self.sums_of_counts(tally)
        distances, quantiles = sums.distances.copy(), sums.quantiles.copy()
        each = zip(self._shapes, np.split(sums.cells, self.cell_starts[1:]), strict=False)
        for i, (shape, counts) in enumerate(each):
            digest = tally.digests[self.numeric[i]]
            if digest is not None:
                quantiles[i] = shape.quantiles(counts, digest)
                distances[i] = shape.distance(counts, digest)
        return sums._replace(distances=distances, quantiles=quantiles)

    def effects(self, tally: Tally) -> Floats:
        """Return the design effects of the requests of a tally, by column."""
        return design_effects(tally.requests, tally.rows, len(self.references))

    def sums_of_counts(self, tally: Tally) -> Sums:
        """Return the sums of a tally without distances and quantiles."""
        return self._sums(tally.counts, tally.rows, self.effects(tally))

    def _reference_sums(self) -> Sums:
        counts = [column.expected_counts for column in self.references]
        rows = max((column.rows for column in self.references), default=0)
        for column in self.references:
            if column.digest is not None:
                column.digest.pack()
        flat = np.concatenate(counts) if counts else np.empty(0, dtype=np.int64)
        sums = self._sums(flat, rows, np.ones(len(counts)))
        quantiles = np.array([shape.own_quantiles for shape in self._shapes])
        return sums._replace(quantiles=quantiles.reshape(-1, len(QUANTILES)))

    def _sums(self, cell_counts: NDArray[Any], rows: int, effects: Floats) -> Sums:
        counts = cell_counts.astype(np.int64, copy=False)
        below = np.concatenate(([0], np.cumsum(counts)))
        start, missing = self._start, self._missing
        order, first = self._bin_order
        return Sums(
            rows=rows,
            bins=np.add.reduceat(counts[order], first) if len(counts) else counts,
            cells=counts[self._is_cell],
            values=below[missing] - below[start],
            effects=effects,
            missing=counts[missing],
            unseen=np.where(self.is_numeric, 0, counts[missing - 1]),
            tail=_outside(below, start, missing, self._tail),
            outside=_outside(below, start, missing, self._outer),
            distances=np.full(len(self.numeric), np.nan),
            quantiles=np.full((len(self.numeric), len(QUANTILES)), np.nan),
        )


def bin_order_of(layout: Layout) -> tuple[Index | slice, Index]:
    """Return all cells in the order of their bins, and where among them each bin begins.

    A slice of all, where they are in that order as they stand.
    """
    orders, firsts = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    for bins, start in zip(layout.bins, layout.cell_starts, strict=False):
        order, first = bin_order(bins)
        orders.append(order + start)
        firsts.append(first + start)
    order = np.concatenate(orders)
    is_as_it_stands = np.array_equal(order, np.arange(len(order)))
    return slice(None) if is_as_it_stands else order, np.concatenate(firsts)


def _outside(below: Counts, start: Index, missing: Index, inner: Index) -> Counts:
    return below[inner[:, 0]] - below[start] + below[missing] - below[inner[:, 1]]
