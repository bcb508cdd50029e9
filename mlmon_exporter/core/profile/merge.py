"""Merges the references of one column over two parts of the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlmon_exporter.core.stats.digests import REFERENCE_CENTROIDS, FastDigest, PureDigest
from mlmon_exporter.core.stats.scatter import Scatter

from .bins import OTHER, Bins, CategoryBins, NumericBins, atom_values
from .categories import UncountedRows, category_column
from .column import ID_ROWS, ColumnReference, numeric_column
from .edges import (
    Cells,
    Counts,
    cells_of,
    fewer_edges,
    rows_below,
    rows_up_to,
    split_share,
)
from .hours import HOURS, NO_HOURS


def merge_columns(a: ColumnReference, b: ColumnReference) -> ColumnReference:
    """Return the reference of both sides' rows.

    Counts add exactly where both sides have the same cells, where the column is discrete,
    and for up to `MOST_NAMED` categories; else each side's are read between its own edges.
    """
    if not a.values or not b.values:
        has_values, other = (a, b) if a.values else (b, a)
        merged = with_missing(has_values, other.rows)
        variation, importance = _greater_variation(a, b), _importance(a, b)
        return replace(merged, variation=variation, importance=importance, hours=NO_HOURS)
    if a.kind != b.kind:
        raise ValueError(
            f"reference: {a.name}: expected the same kind on both sides, got {a.kind} and "
            f"{b.kind}; name it as categorical for both"
        )
    if isinstance(a.bins, NumericBins) and isinstance(b.bins, NumericBins):
        merged = _merge_numeric(a, b, a.bins, b.bins)
    else:
        merged = _merge_categories(a, b)
    return replace(
        merged,
        hours=_hours(a, b, merged.bins),
        variation=_greater_variation(a, b),
        looks=_looks(a, b),
        importance=_importance(a, b),
    )


def _importance(a: ColumnReference, b: ColumnReference) -> float:
    """Return the mean of both sides by their rows; of what one side knows, that."""
    known = {side.importance for side in (a, b) if not math.isnan(side.importance)}
    if len(known) < 2:
        return next(iter(known), math.nan)
    return (a.importance * a.rows + b.importance * b.rows) / (a.rows + b.rows)


def _looks(a: ColumnReference, b: ColumnReference) -> str:
    """Return the `looks` of both sides; a side of few rows does not decide."""
    if a.looks == b.looks or min(a.values, b.values) < ID_ROWS:
        return a.looks or b.looks
    return ""


def _greater_variation(
    a: ColumnReference, b: ColumnReference
) -> Mapping[float, Mapping[str, Scatter]]:
    """Return the natural variation that either side knows; of what both know, the greater."""
    merged = {seconds: dict(found) for seconds, found in a.variation.items()}
    for seconds, found in b.variation.items():
        ours = merged.setdefault(seconds, {})
        for score, scatter in found.items():
            ours[score] = max(ours.get(score, scatter), scatter)
    return merged


def _hours(a: ColumnReference, b: ColumnReference, bins: Bins) -> Counts:
    """Return the rows by hour of both sides, in the bins of their sum; none where a side has none.

    Where edges moved, the rows of an hour are spread over a bin as those of all hours are.
    """
    if not len(a.hours) or not len(b.hours):
        return NO_HOURS
    hours = np.zeros((HOURS, len(bins.bin_names)), dtype=np.int64)
    for side in (a, b):
        if isinstance(side.bins, NumericBins) and isinstance(bins, NumericBins):
            each = (
                rows_below(side.bins.edges, side.counts, e.bin_edges) for e in (side.bins, bins)
            )
            own, new = ([0, *ranks, side.values] for ranks in each)
            values = side.hours[:, : len(own) - 1].cumsum(axis=1)
            below = [np.rint(np.interp(new, own, [0, *rows])) for rows in values]
            hours[:, : len(new) - 1] += np.diff(below).astype(np.int64)
            hours[:, -1] += side.hours[:, -1]
        else:
            places = {name: i for i, name in enumerate(bins.bin_names)}
            to = [places.get(name, places[OTHER]) for name in side.bins.bin_names]
            np.add.at(hours.T, to, side.hours.T)
    return hours


def with_missing(column: ColumnReference, rows: int) -> ColumnReference:
    """Return a column's reference with more rows in which it is missing."""
    counts = column.counts.copy()
    counts[-1] += rows
    return replace(column, counts=counts)


def _merge_numeric(
    a: ColumnReference, b: ColumnReference, a_bins: NumericBins, b_bins: NumericBins
) -> ColumnReference:
    digest = _merged_digest(a, b)
    n, m = a.values, b.values
    mean, sd = _pooled((n, a.mean, a.sd), (m, b.mean, b.sd))
    exact = _merge_values(a, b, a_bins, b_bins)
    cells, counts, rank_error = exact or _merge_cells(a, b, a_bins, b_bins)
    counts = np.append(counts, a.missing + b.missing)
    return numeric_column(a.name, cells, counts, digest, mean, sd, rank_error)


def _merge_values(
    a: ColumnReference, b: ColumnReference, a_bins: NumericBins, b_bins: NumericBins
) -> tuple[Cells, Counts, float] | None:
    """Merge columns of which all values are known as one that was built from both sides' rows."""
    if np.array_equal(a_bins.edges, b_bins.edges):
        return None  # the cells of a reference that both are `like`
    pairs = [*atom_values(a_bins, a.counts), *atom_values(b_bins, b.counts)]
    values, owners = np.unique([value for value, _ in pairs], return_inverse=True)
    rows = np.bincount(owners, [rows for _, rows in pairs], len(values)).astype(np.int64)
    if rows.sum() < a.values + b.values:
        return None
    values, rows = values[rows > 0], rows[rows > 0]
    cells = cells_of(values, rows)
    below = rows_up_to(values, rows, cells.edges)
    return cells, np.diff(np.concatenate(([0], below, [rows.sum()]))), 0.0


def _merge_cells(
    a: ColumnReference, b: ColumnReference, a_bins: NumericBins, b_bins: NumericBins
) -> tuple[Cells, Counts, float]:
    """Merge columns by their cells: the rows of each are read between its own edges."""
    a_edges, b_edges, n, m = a_bins.edges, b_bins.edges, a.values, b.values
    union = np.union1d(a_edges, b_edges)
    errors = (
        (n, a.rank_error, split_share(a_edges, a.counts, union)),
        (m, b.rank_error, split_share(b_edges, b.counts, union)),
    )
    rank_error = sum(rows * math.hypot(own, split) for rows, own, split in errors) / (n + m)
    below = rows_below(a_edges, a.counts, union) + rows_below(b_edges, b.counts, union)
    atoms = np.union1d(a_bins.atoms, b_bins.atoms)
    cells = fewer_edges(union, below, atoms)
    if len(union) == len(a_edges):
        cells = Cells(union, a_bins.atoms)
    inner = np.rint(below[np.searchsorted(union, cells.edges)])
    return cells, np.diff(np.concatenate(([0], inner, [n + m]))).astype(np.int64), rank_error


def _merged_digest(a: ColumnReference, b: ColumnReference) -> FastDigest | PureDigest | None:
    sides = [side.digest for side in (a, b) if side.digest is not None]
    if not sides:
        return None
    engine = type(sides[0])
    merged = engine(REFERENCE_CENTROIDS)
    for side in sides:
        if isinstance(side, engine):
            merged.merge(side)  # type: ignore[arg-type]
        else:  # one was loaded, the other made from digests
            merged.merge(engine.from_centroids(*side.centroids(), REFERENCE_CENTROIDS))  # type: ignore[arg-type]
    return merged


def _pooled(a: tuple[int, float, float], b: tuple[int, float, float]) -> tuple[float, float]:
    """Pool rows, mean and population sd of two sides. Source: Chan et al. (1983)."""
    (n, mean_a, sd_a), (m, mean_b, sd_b) = a, b
    if not n or not m:
        return (mean_a, sd_a) if n else (mean_b, sd_b)
    gap = mean_b - mean_a
    # Products, since a power that overflows raises.
    squares = n * (sd_a * sd_a) + m * (sd_b * sd_b) + gap * gap * n * m / (n + m)
    return mean_a + gap * m / (n + m), math.sqrt(squares / (n + m))


def _merge_categories(a: ColumnReference, b: ColumnReference) -> ColumnReference:
    rows = dict(a.rows_by_category)
    for name, count in b.rows_by_category.items():
        rows[name] = rows.get(name, 0) + count
    missing = a.missing + b.missing
    rest = UncountedRows(
        other=a.rows + b.rows - missing - sum(rows.values()),
        missing=missing,
        is_complete=all(isinstance(c.bins, CategoryBins) and c.bins.names_all for c in (a, b)),
    )
    return category_column(a.name, rows, max(a.max_categories, b.max_categories), rest)


def merge_sides(
    ours: Sequence[ColumnReference], theirs: Sequence[ColumnReference], rows: tuple[int, int]
) -> list[ColumnReference]:
    """Merge the columns of two references, given the rows of each.

    A column that one lacks is missing there.
    """
    merged = {column.name: column for column in ours}
    others = {column.name: column for column in theirs}
    for name in dict.fromkeys((*merged, *others)):
        mine, other = merged.get(name), others.get(name)
        if mine is not None and other is not None:
            merged[name] = merge_columns(mine, other)
        elif mine is not None:
            merged[name] = with_missing(mine, rows[1])
        elif other is not None:
            merged[name] = with_missing(other, rows[0])
    return list(merged.values())
