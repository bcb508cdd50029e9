"""Reference of one column: bins, counts, digest, variation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.digests import FastDigest, PureDigest
from mlmon_exporter.core.stats.scatter import INDEPENDENT, Scatter

from .bins import (
    CATEGORIES,
    TAIL_SHARE,
    Bins,
    CategoryBins,
    NumericBins,
    choose_bin_edges,
    has_all_values,
)
from .edges import Cells
from .hours import NO_HOURS

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Lengths = Mapping[float, Mapping[str, Scatter]]
"""Length in seconds -> deciding score -> its natural variation; a score that is not there varies
as that of independent rows."""

ID, TIME = "id", "time"
"""Likely meanings of a numeric column of which every row has another value."""
ID_ROWS, ID_SHARE = 20, 0.5
"""In an id, more than this share of so many rows or more have a value that comes just once."""
RANKS = 100
"""Mid-ranks at which quantile functions are compared."""
MID_RANKS: tuple[float, ...] = tuple((i + 0.5) / RANKS for i in range(RANKS))


@dataclass(frozen=True, eq=False)
class ColumnReference:
    """The reference of one feature or output."""

    name: str
    bins: Bins
    counts: Counts
    """Rows per cell, missing last."""
    digest: FastDigest | PureDigest | None = None
    """The shape of a numeric column's values."""
    mean: float = np.nan
    sd: float = np.nan
    rank_error: float = 0.0
    """Greatest error of the counts, as a share of the rows; 0 where they were counted exactly."""
    rare_rows: Mapping[str, int] = field(default_factory=dict)
    """Rows of each category that is not kept, as far as they are counted one by one."""
    looks: str = ""
    """`ID` or `TIME` where its numbers seem to be that; empty where they say something."""
    max_categories: int = CATEGORIES
    """Most categories that are kept."""
    variation: Lengths = field(default_factory=dict)
    """Empty where the time of rows was not known."""
    importance: float = np.nan
    """Share of the importance of all features for the outputs, 0 to 1; NaN if it is not known."""
    hours: Counts = field(default_factory=lambda: NO_HOURS)
    """Rows per hour of the day, UTC, and bin, shape (24, bins), where hours differ; else empty."""

    @property
    def kind(self) -> str:
        return self.bins.kind

    @property
    def rows(self) -> int:
        """All rows, missing ones included."""
        return int(self.counts.sum())

    @property
    def missing(self) -> int:
        """Rows without a usable value."""
        return int(self.counts[-1])

    @property
    def values(self) -> int:
        """Rows with a usable value."""
        return self.rows - self.missing

    @cached_property
    def rows_by_category(self) -> dict[str, int]:
        """Rows of each category that is counted; empty for a numeric column."""
        if not isinstance(self.bins, CategoryBins):
            return {}
        kept = zip(self.bins.categories, self.counts.tolist(), strict=False)
        return {**dict(kept), **self.rare_rows}

    @property
    def singletons(self) -> int:
        """Categories that the reference has just once."""
        hidden = self.bins.hidden.once if isinstance(self.bins, CategoryBins) else 0
        return sum(rows == 1 for rows in self.rows_by_category.values()) + hidden

    @property
    def new_rows(self) -> int:
        """Rows of the reference in which a category came that it did not have before.

        Its singletons; in a reference of what was served also rows of unknown categories.
        """
        unseen = int(self.counts[-2]) if isinstance(self.bins, CategoryBins) else 0
        return self.singletons + unseen

    @cached_property
    def expected_counts(self) -> Counts:
        """Rows per cell in which as many more rows are expected to fall, missing last.

        The counts, but for categories that come just once: so often a new one comes, and so many
        rows of `other` are expected to be `unseen`. Source: Good (1953), The Population
        Frequencies of Species and the Estimation of Population Parameters.
        """
        if not isinstance(self.bins, CategoryBins) or not self.bins.is_complete:
            return self.counts
        expected = self.counts.copy()
        new = min(self.singletons, int(expected[-3]))
        expected[-3:-1] += (-new, new)
        return expected

    @property
    def is_id_like(self) -> bool:
        """Nearly every row has a category that no other has: ids, times, free text.

        Under `ID_ROWS` values that cannot be told.
        """
        values = self.rows - self.missing
        if not isinstance(self.bins, CategoryBins) or values < ID_ROWS:
            return False
        return self.singletons > ID_SHARE * values or not self.bins.is_complete

    @cached_property
    def quantiles(self) -> Floats:
        """The values at `MID_RANKS`; NaN for a category or an empty column."""
        if self.digest is None:
            return np.full(RANKS, np.nan)
        return np.asarray(self.digest.quantiles(MID_RANKS), dtype=np.float64)

    @cached_property
    def tail_cells(self) -> tuple[int, int]:
        """The cells beyond the 0.1 and 99.9 percentiles: those before the first, from the second.

        A column without tails (a category) gives (0, its missing cell).
        """
        last = self.bins.cell_count - 1
        if isinstance(self.bins, CategoryBins):
            return 0, last
        low, high = (_tail_size(counts) for counts in (self.counts[:-1], self.counts[-2::-1]))
        return low, max(low, last - high)

    @cached_property
    def outer_cells(self) -> tuple[int, int]:
        """The same for the cells under the reference's least and over its greatest value."""
        last = self.bins.cell_count - 1
        used = np.flatnonzero(self.counts[:-1])
        if isinstance(self.bins, CategoryBins) or not len(used):
            return 0, last
        return int(used[0]), int(used[-1]) + 1

    def natural(self, score: str, seconds: float) -> Scatter:
        """Return the natural variation of a score in stretches of so many seconds.

        Of lengths that were not measured, that of the next shorter, since shorter stretches vary
        more; of the shortest where there is none.
        """
        return natural(self.variation, score, seconds)


def natural(variation: Lengths, score: str, seconds: float) -> Scatter:
    """Return the scatter of a score in stretches of so many seconds, as `ColumnReference` does."""
    shorter = [length for length in variation if length <= seconds]
    nearest = max(shorter, default=min(variation, default=None))
    return INDEPENDENT if nearest is None else variation[nearest].get(score, INDEPENDENT)


def _tail_size(counts: Counts) -> int:
    """Return how many cells, from the first, hold about `TAIL_SHARE` of the rows, none if empty.

    Where the edge was read off a digest, it is the percentile but for some rows.
    """
    below = np.concatenate(([0], np.cumsum(counts)))
    if not below[-1]:
        return 0
    nearest = below[np.argmin(np.abs(below - TAIL_SHARE * below[-1]))]
    return int(np.searchsorted(below, nearest, side="right")) - 1


def numeric_column(
    name: str,
    cells: Cells,
    counts: Counts,
    digest: FastDigest | PureDigest | None = None,
    mean: float = np.nan,
    sd: float = np.nan,
    rank_error: float = 0.0,
) -> ColumnReference:
    """Return a numeric column's reference, its bins chosen by its counts."""
    edges, atoms = cells
    bin_edges = choose_bin_edges(edges, counts[:-1], atoms)
    is_discrete = has_all_values(edges, counts[:-1], atoms)
    bins = NumericBins(edges, bin_edges, atoms, is_discrete=is_discrete)
    return ColumnReference(name, bins, counts, digest, mean, sd, rank_error)


def empty_column(name: str, rows: int) -> ColumnReference:
    """Return the reference of a column that is missing in all rows: any value is unseen."""
    return ColumnReference(name, CategoryBins(()), np.array([0, 0, rows], dtype=np.int64))
