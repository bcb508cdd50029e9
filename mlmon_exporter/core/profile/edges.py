"""The edges of a numeric column's cells: their choice, and the rows below each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import rounding_of
from mlmon_exporter.core.stats.centroids import between

from .bins import CELLS, TAIL_SHARE

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

HEAVY = 4.0
"""A tail is heavy whose last value is so many times further from the median than a quantile, the
one of `OUTER` cells."""
OUTER, TAIL_CELLS, TAIL_GROWTH = 4, 32, 1.25
"""An edge of a heavy tail is so many times further from the median than the one before, or by such
a part of the tail, whichever is nearer."""
BY_VALUE = 256
"""A numeric column with at most so many different values has a cell for each."""


def edge_ranks() -> Floats:
    """Return the ranks, 0 to 1, whose values become the edges of a continuous column's cells."""
    inner = np.arange(1, CELLS) / CELLS
    return np.union1d(inner, [TAIL_SHARE, 1 - TAIL_SHARE])


class Cells(NamedTuple):
    """The cells of a numeric column."""

    edges: Floats
    """Their upper edges, ascending, finite."""
    atoms: Floats = np.empty(0)
    """Values that have their own cell, ascending."""


def cells_of(values: Floats, rows: Counts) -> Cells:
    """Choose the cells of a column of which all values are known.

    Each value has its own cell if they are `BY_VALUE` at most.

    Args:
        values: The different values, ascending, at least one.
        rows: The rows of each.
    """
    values, rows = without_twins(values, rows)
    if len(values) <= BY_VALUE:
        return Cells(atom_edges(values), values)
    total = int(rows.sum())
    found = np.unique(np.searchsorted(np.cumsum(rows), edge_ranks() * total))
    atoms = atoms_among(values, rows, total)[0]
    at = found[(found + 1 < len(values)) & ~np.isin(values[found], atoms)]
    # An edge at a value would part its 32-bit floats from its 64-bit ones.
    is_rounded = rounding_among(values[at], values) > 0
    middles = _middles(values[at], values[at + 1])
    inner = np.where(is_rounded, middles, _rounded(values[at]))
    return Cells(_edges_around(inner, atoms, values), atoms)


def _middles(low: Floats, high: Floats) -> Floats:
    """Return a short number between each two values, near the middle."""
    middle, width = low / 2 + high / 2, high - low
    with np.errstate(all="ignore"):
        scale = 10.0 ** -np.floor(np.log10(width / 2))
        short = np.round(middle * scale) / scale
    return np.where((low < short) & (short < high), short, middle)


def atoms_among(values: Floats, rows: Counts, total: int) -> tuple[Floats, Counts]:
    """Return the values that have more rows than a cell, and their rows."""
    values, rows = without_twins(values, rows)
    is_atom = rows >= total / CELLS
    return values[is_atom], rows[is_atom]


def without_twins(values: Floats, rows: Counts) -> tuple[Floats, Counts]:
    """Merge values that are one number, kept once in 32 bits and once in 64.

    Args:
        values: Ascending.
        rows: The rows of each.

    Returns:
        The different numbers, in the shorter of their two spellings, and the rows of each.
    """
    with np.errstate(over="ignore", under="ignore"):
        near = values.astype(np.float32).astype(np.float64)
    is_rounded = (rounding_of(values) > 0) & (near == values)
    is_twin = (near[1:] == near[:-1]) & (is_rounded[1:] | is_rounded[:-1])
    is_twin &= (values[1:] % 1 != 0) & (values[:-1] % 1 != 0)
    if not is_twin.any():
        return values, rows
    starts = np.flatnonzero(np.concatenate(([True], ~is_twin)))
    groups = np.split(values, starts[1:])
    shortest = np.array([min(group.tolist(), key=lambda v: len(repr(v))) for group in groups])
    return shortest, np.add.reduceat(rows, starts)


def rows_up_to(values: Floats, rows: Counts, edges: Floats) -> Counts:
    """Return how many rows are at or below each edge, given all values, ascending."""
    sums = np.concatenate(([0], np.cumsum(rows)))
    return np.asarray(sums[np.searchsorted(values, edges, side="right")], dtype=np.int64)


def choose_edges(quantiles: Floats, atoms: Floats, values: Floats) -> Floats:
    """Choose a continuous column's cell edges.

    Args:
        quantiles: Values at evenly spaced ranks, ascending.
        atoms: Values that hold more than a cell's rows: each gets its own cell.
        values: Many different values, ascending, the first and the last among them.
    """
    apart = quantiles[_is_apart(quantiles, atoms, values)]
    return _edges_around(_rounded(np.unique(apart)), atoms, values)


def _edges_around(inner: Floats, atoms: Floats, values: Floats) -> Floats:
    """Return edges with those of the atoms' own cells, and of the first and the last value."""
    inner = np.union1d(inner, _tail_edges(inner, values[0], values[-1]))
    inner = inner[_is_apart(inner, atoms, values)]
    outer = atom_edges(np.unique(values[[0, -1]]), values)[[0, -1]]
    edges = np.union1d(np.union1d(inner, outer), atom_edges(atoms, values))
    return np.asarray(edges[np.isfinite(edges)], dtype=np.float64)


def _tail_edges(inner: Floats, least: float, greatest: float) -> Floats:
    """Return edges beyond the outer quantiles of a column with heavy tails.

    Such a tail has most of its length in a few rows. A digest takes these together, so that cells
    must tell where they are.
    """
    if len(inner) < 2 * TAIL_CELLS:
        return np.empty(0)
    middle, found = inner[len(inner) // 2], [np.empty(0)]
    for first, last in ((inner[OUTER], least), (inner[-1 - OUTER], greatest)):
        with np.errstate(all="ignore"):
            span = float((last - middle) / (first - middle))
        if HEAVY < span < np.inf:
            found.append(middle + (first - middle) * _steps(span))
    edges = np.sort(np.concatenate(found))
    return _rounded(edges[np.isfinite(edges)])


def _steps(span: float) -> Floats:
    """Return numbers between 1 and `span`, further apart the greater they are."""
    steps = [1.0]
    while steps[-1] < span:
        steps.append(steps[-1] + min((TAIL_GROWTH - 1) * steps[-1], span / TAIL_CELLS))
    return np.array(steps[1:-1])


def _is_apart(points: Floats, atoms: Floats, values: Floats) -> NDArray[np.bool_]:
    """Tell which points are no atom but for rounding: an edge there would part its cell."""
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.maximum(8 * np.spacing(np.abs(atoms)), 2 * rounding_among(atoms, values))
        is_near = np.abs(np.subtract.outer(points, atoms)) <= near
    return np.asarray(~is_near.any(axis=1), dtype=np.bool_)


def rounding_among(points: Floats, values: Floats) -> Floats:
    """Return how far from each point the same number may be, in a column with these values.

    0 where 32-bit floats would confuse them: the column was never kept in such.
    """
    distinct = np.unique(values)
    with np.errstate(over="ignore", under="ignore"):
        told_apart = len(np.unique(distinct.astype(np.float32)))
    return rounding_of(points) if told_apart > 0.99 * len(distinct) else np.zeros(len(points))


def _rounded(edges: Floats) -> Floats:
    """Round each edge to the digits that its distance to its neighbours needs."""
    if len(edges) < 2:
        return edges
    with np.errstate(all="ignore"):
        gaps = np.diff(edges)
        gap = np.minimum(np.append(gaps, gaps[-1]), np.insert(gaps, 0, gaps[0]))
        scale = 10.0 ** (1 - np.floor(np.log10(gap)))
        rounded = np.round(edges * scale) / scale
    return np.unique(np.where(np.isfinite(rounded), rounded, edges))


def atom_edges(atoms: Sequence[float] | Floats, values: Floats | None = None) -> Floats:
    """Return the edges that give each of these values, ascending, its own cell.

    The cell also holds what is the same value but for the rounding of 32-bit floats, up to half
    the way to the next value. The column's `values` tell whether those may come, else the atoms do.
    """
    points = np.asarray(atoms, dtype=np.float64)
    near = rounding_among(points, points if values is None else values)
    with np.errstate(over="ignore"):
        low, high = np.nextafter(points - near, -np.inf), points + near
        middle = points[:-1] / 2 + points[1:] / 2
        before = np.nextafter(points[1:], -np.inf)
    high[:-1] = np.minimum(high[:-1], np.clip(middle, points[:-1], before))
    low[1:] = np.maximum(low[1:], high[:-1])
    edges = np.union1d(low, high)
    return np.asarray(edges[np.isfinite(edges)], dtype=np.float64)


def fewer_edges(edges: Floats, below: Floats, atoms: Floats) -> Cells:
    """Choose as many of these edges as a continuous column has.

    Args:
        edges: Ascending.
        below: The rows at or below each.
        atoms: Values that may have their own cell; those that hold a cell's rows keep it.
    """
    if len(edges) <= 2 * CELLS:
        return Cells(edges, with_own_cell(edges, atoms))
    total = below[-1]
    atoms = with_own_cell(edges, atoms)
    above = np.searchsorted(edges, atoms)
    is_kept = below[above] - below[above - 1] >= total / CELLS
    ranks = np.searchsorted(below, edge_ranks() * total)
    quantiles = np.minimum(ranks, len(edges) - 1)
    chosen = np.concatenate((quantiles, [0, -1], above[is_kept], above[is_kept] - 1))
    return Cells(np.unique(edges[chosen]), atoms[is_kept])


def with_own_cell(edges: Floats, atoms: Floats) -> Floats:
    """Return those of these values that are alone in their cell but for rounding."""
    if len(edges) < 2:
        return atoms[:0]
    above = np.clip(np.searchsorted(edges, atoms), 1, len(edges) - 1)
    with np.errstate(over="ignore"):
        widest = 2.1 * (rounding_of(atoms) + np.spacing(np.abs(atoms)))
        width = edges[above] - edges[above - 1]
    is_inside = (edges[above - 1] < atoms) & (atoms <= edges[above])
    return np.asarray(atoms[is_inside & (width <= widest)], dtype=np.float64)


def rows_below(edges: Floats, counts: Counts, points: Floats) -> Floats:
    """Return how many rows of a numeric column with a value are at or below each point.

    Exact at the column's own edges; between two edges the rows are spread evenly.
    """
    if not len(edges):
        return np.zeros(len(points))
    below = np.cumsum(counts[:-1]).astype(np.float64)
    inside = between(points, edges, below[:-1])
    return np.where(points < edges[0], 0.0, np.where(points > edges[-1], below[-1], inside))


def split_share(edges: Floats, counts: Counts, union: Floats) -> float:
    """Return the greatest error of ranks: the rows of a cell that more edges split, as a share.

    Where rows are in the cell is not known. The errors of several merges add like those of
    chance: in squares.
    """
    cells = np.searchsorted(edges, union)
    is_own = edges[np.minimum(cells, len(edges) - 1)] == union if len(edges) else cells < 0
    split = counts[:-1][cells[~is_own]]
    return float(split.max(initial=0) / max(int(counts[:-1].sum()), 1))
