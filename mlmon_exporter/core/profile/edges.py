"""The edges of a numeric column's cells: which are chosen, and the rows below each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.centroids import between

from .bins import CELLS, TAIL_SHARE

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def edge_ranks() -> Floats:
    """Return the ranks, 0 to 1, whose values become the edges of a continuous column's cells."""
    inner = np.arange(1, CELLS) / CELLS
    return np.union1d(inner, [TAIL_SHARE, 1 - TAIL_SHARE])


def choose_edges(quantiles: Floats, atoms: Floats, least: float, greatest: float) -> Floats:
    """Choose a continuous column's cell edges.

    Args:
        quantiles: Values at evenly spaced ranks, ascending.
        atoms: Values that hold more than a cell's rows: each gets a cell of its own.
        least: The smallest value.
        greatest: The greatest value.
    """
    # A quantile that is an atom but for rounding would part it from the cell beside it.
    with np.errstate(over="ignore", invalid="ignore"):
        near = 8 * np.spacing(np.abs(atoms))
        is_near = (np.abs(np.subtract.outer(quantiles, atoms)) <= near).any(axis=1)
        outer = np.array([np.nextafter(least, -np.inf), greatest])
    inner = _rounded(np.unique(quantiles[~is_near]))
    edges = np.union1d(np.union1d(inner, outer), atom_edges(atoms))
    return np.asarray(edges[np.isfinite(edges)], dtype=np.float64)


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


def atom_edges(atoms: Sequence[float] | Floats) -> Floats:
    """Return the edges that give each of these values a cell of its own."""
    values = np.asarray(atoms, dtype=np.float64)
    with np.errstate(over="ignore"):
        edges = np.union1d(np.nextafter(values, -np.inf), values)
    return np.asarray(edges[np.isfinite(edges)], dtype=np.float64)


def fewer_edges(edges: Floats, below: Floats) -> Floats:
    """Return as many of these edges as a continuous column has, given the rows below each."""
    if len(edges) <= 2 * CELLS:
        return edges
    total = below[-1]
    is_atom = np.nextafter(edges[:-1], np.inf) == edges[1:]
    atoms = edges[1:][is_atom & (np.diff(below) >= total / CELLS)]
    ranks = np.searchsorted(below, edge_ranks() * total)
    quantiles = edges[np.minimum(ranks, len(edges) - 1)]
    return np.union1d(np.union1d(quantiles, edges[[0, -1]]), atom_edges(atoms))


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
    """Return the greatest share of rows in a cell that more edges split: so far ranks may be off.

    Where rows are in the cell is not known. The errors of several merges add like those of
    chance: in squares.
    """
    cells = np.searchsorted(edges, union)
    is_own = edges[np.minimum(cells, len(edges) - 1)] == union if len(edges) else cells < 0
    split = counts[:-1][cells[~is_own]]
    return float(split.max(initial=0) / max(int(counts[:-1].sum()), 1))
