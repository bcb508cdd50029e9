"""The references of all columns as arrays, and sums of windows to compare with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.column import MID_RANKS, RANKS, ColumnReference
from mlmon_exporter.core.stats.design_effect import design_effects

from .tally import Layout, Tally

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Index = NDArray[np.intp]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


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
    ranks: Floats
    """Shape (numeric columns, RANKS): values at evenly spaced mid-ranks."""
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
        sizes = (self._missing - self._start)[self.numeric]
        self.cell_starts: Index = (np.cumsum(sizes) - sizes).astype(np.intp)
        self.bin_starts: Index = self.layout.bin_starts[:-1]
        self.sd = np.array([column.sd for column in references])
        self.rank_error = np.array([column.rank_error for column in references])
        self.singletons = np.array([column.singletons for column in references], dtype=np.int64)
        self.reference = self._reference_sums()
        self.column_rows: Counts = self.reference.values + self.reference.missing

    def natural(self, score: str, seconds: float) -> tuple[Floats, Floats, Floats]:
        """Return the natural variation of a score, `Scatter`'s fields, each by column."""
        found = [column.natural(score, seconds) for column in self.references]
        variance, degrees, strongest = np.array(found).reshape(-1, 3).T
        return variance, degrees, strongest

    def sums(self, tally: Tally) -> Sums:
        """Return the sums of a tally."""
        wanted = (*MID_RANKS, *QUANTILES)
        absent = [np.nan] * len(wanted)
        digests = [tally.digests[j] for j in self.layout.numeric]
        values = [absent if d is None else d.quantiles(wanted) for d in digests]
        ranks = np.array(values).reshape(-1, len(wanted))
        effects = design_effects(tally.requests, tally.rows, len(self.references))
        return self._sums(tally.counts, tally.rows, ranks, effects)

    def sums_of_counts(self, tally: Tally) -> Sums:
        """Return the sums of a tally without ranks and quantiles."""
        effects = design_effects(tally.requests, tally.rows, len(self.references))
        return self._sums(tally.counts, tally.rows, np.empty((0, RANKS)), effects)

    def _reference_sums(self) -> Sums:
        counts = [column.expected_counts for column in self.references]
        rows = max((column.rows for column in self.references), default=0)
        values = [column.quantiles for column in self.references if column.kind == "numeric"]
        for column in self.references:
            if column.digest is not None:
                column.digest.pack()
        ranks = np.array(values).reshape(-1, RANKS)
        flat = np.concatenate(counts) if counts else np.empty(0, dtype=np.int64)
        return self._sums(flat, rows, ranks, np.ones(len(counts)))

    def _sums(self, cell_counts: NDArray[Any], rows: int, ranks: Floats, effects: Floats) -> Sums:
        counts = cell_counts.astype(np.int64, copy=False)
        below = np.concatenate(([0], np.cumsum(counts)))
        start, missing = self._start, self._missing
        return Sums(
            rows=rows,
            bins=self.layout.per_bin(counts),
            cells=counts[self._is_cell],
            values=below[missing] - below[start],
            effects=effects,
            missing=counts[missing],
            unseen=np.where(self.is_numeric, 0, counts[missing - 1]),
            tail=_outside(below, start, missing, self._tail),
            outside=_outside(below, start, missing, self._outer),
            ranks=ranks[:, :RANKS],
            quantiles=ranks[:, RANKS:],
        )


def _outside(below: Counts, start: Index, missing: Index, inner: Index) -> Counts:
    return below[inner[:, 0]] - below[start] + below[missing] - below[inner[:, 1]]
