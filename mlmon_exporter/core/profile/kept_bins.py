"""The reference of new rows in the bins of an old one, so that rows in them add up over a fleet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .bins import CategoryBins, NumericBins
from .categories import MOST_NAMED
from .column import ColumnReference, Counts


def in_bins_of(column: ColumnReference, old: ColumnReference) -> ColumnReference:
    """Return a column that was built `like` another in that one's bins.

    New categories are `other` in them, and known: no longer `unseen`.

    Raises:
        ValueError: The column has other cells than the old one.
    """
    if isinstance(column.bins, NumericBins) and isinstance(old.bins, NumericBins):
        if not np.array_equal(column.bins.edges, old.bins.edges):
            raise ValueError(f"{column.name}: expected the cells of the old reference, got others")
        return replace(column, bins=old.bins)
    if not isinstance(old.bins, CategoryBins) or not isinstance(column.bins, CategoryBins):
        # Missing in all rows of either, so that it has no kind.
        return replace(old, counts=_all_missing(old, column.rows), rare_rows={}, digest=None)
    rows = column.rows_by_category
    kept = [rows.get(name, 0) for name in old.bins.categories]
    low = {name: count for name, count in rows.items() if name not in {*old.bins.categories}}
    rare = frozenset([*old.bins.rare, *low][: 2 * MOST_NAMED])
    counts = [*kept, column.values - sum(kept), 0, column.missing]
    bins = replace(
        old.bins, rare=rare, is_complete=old.bins.is_complete and column.bins.is_complete
    )
    return replace(column, bins=bins, counts=np.array(counts, dtype=np.int64), rare_rows=low)


def _all_missing(old: ColumnReference, rows: int) -> Counts:
    counts = np.zeros(old.bins.cell_count, dtype=np.int64)
    counts[-1] = rows
    return counts
