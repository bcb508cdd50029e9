"""Distribution functions of columns: exact at the edges of cells, and in the tails by centroids."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

FEW_ROWS, FINE_SHARE = 3, 1 / 1024
"""A centroid of so many rows, or of so small a share of them, stands for values near its mean."""


EVEN_SHARE = 0.02
"""In a cell with no more than this share of the rows, they are taken to lie evenly."""


class Grid(NamedTuple):
    """The cells of a numeric column."""

    edges: Floats
    """Upper edges, ascending; the last cell is open."""
    is_atom: NDArray[np.bool_]
    """True for cells of one value."""
    atoms: Floats
    """That value; of other cells anything."""

    @classmethod
    def of(cls, edges: Floats, atoms: Floats) -> Self:
        """Return the cells between edges, of which some have but one value."""
        cells = edges.searchsorted(atoms)
        is_atom, values = np.zeros(len(edges) + 1, dtype=bool), np.zeros(len(edges) + 1)
        is_atom[cells], values[cells] = True, atoms
        return cls(edges, is_atom, values)


class Curve(NamedTuple):
    """A distribution function as a polyline: 0 before its first point, 1 after its last."""

    values: Floats
    """Ascending."""
    shares: Floats
    """The share of rows at or below each, 0 to 1."""


def curve_of(grid: Grid, counts: Counts, means: Floats, weights: Floats) -> Curve:
    """Return the distribution function of rows that are counted in cells and by a digest.

    In a cell rows lie evenly, but in the tails, where centroids are finer than cells: there they
    are at the centroids' means, which keeps the mean of a heavy tail.

    Args:
        grid: The cells.
        counts: Rows per cell, at least one row.
        means: The means of the digest's centroids, ascending.
        weights: Their rows.
    """
    edges, below = grid.edges, np.cumsum(counts)
    if counts[-1]:
        means, weights = _apart(edges, counts, means, weights)
    if counts[0]:
        mirrored = _apart(-edges[::-1], counts[::-1], -means[::-1], weights[::-1])
        means, weights = -mirrored[0][::-1], mirrored[1][::-1]
    where = edges.searchsorted(means)
    is_outer = (where == 0) | (where == len(edges))
    first, last = where.searchsorted(where, "left"), where.searchsorted(where, "right")
    is_used = ((last - first > 1) | is_outer) & ~grid.is_atom[where] & (counts[where] > 0)
    before = np.append(0.0, np.cumsum(weights))
    # Cells are exact, and centroids are not: those of a cell share its rows.
    scale = counts[where] / (before[last] - before[first])
    start = (below - counts)[where] + (before[:-1] - before[first]) * scale
    own = weights * scale
    is_step = is_used & ((own <= max(FEW_ROWS, FINE_SHARE * below[-1])) | is_outer)
    is_line, steps = is_used & ~is_step, means[is_step]
    values = np.concatenate((edges, np.nextafter(steps, -np.inf), steps, means[is_line]))
    shares = np.concatenate(
        (below[:-1], start[is_step], (start + own)[is_step], (start + own / 2)[is_line])
    )
    order = values.argsort(kind="stable")
    return Curve(values[order], np.maximum.accumulate(shares[order]) / below[-1])


def _apart(edges: Floats, counts: Counts, means: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return centroids of which none has rows beyond the last edge and before it.

    A digest takes rows of a tail together; cells tell how many of them are not beyond the edge,
    and about where these are, so that the others are where they keep the sum.
    """
    needed = int(np.cumsum(weights[::-1]).searchsorted(counts[-1])) + 1
    first = min(int(means.searchsorted(edges[-1], "right")), max(0, len(means) - needed))
    rows = np.cumsum(weights[first:])
    before = rows[-1] - counts[-1]
    if before <= 0:
        return means, weights
    last = int(rows.searchsorted(before, "right"))
    whole = slice(first, first + last + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        middles = edges[:0:-1] / 2 + edges[-2::-1] / 2
        taken = np.diff(np.minimum(np.cumsum(counts[-2:0:-1]), before), prepend=0)
        own = rows[last] - before
        mean = (weights[whole] @ means[whole] - taken @ middles) / own
        least = max(means[whole][-1], np.nextafter(edges[-1], np.inf))
        mean = np.clip(mean, least, np.append(means, np.inf)[whole.stop])
    ends = (means[:first], [mean], means[whole.stop :]), (weights[:first], [own])
    return np.concatenate(ends[0]), np.concatenate((*ends[1], weights[whole.stop :]))


def wasserstein(reference: Curve, current: Curve) -> float:
    """First Wasserstein distance between two distributions: the area between their functions.

    Source: Ramdas et al. (2017), On Wasserstein Two-Sample Testing.
    """
    values = np.concatenate((reference.values, current.values))
    values.sort(kind="stable")
    gaps = np.interp(values, *current, left=0.0, right=1.0)
    gaps -= np.interp(values, *reference, left=0.0, right=1.0)
    with np.errstate(over="ignore"):
        return area(values[1:] - values[:-1], gaps)


def area(widths: Floats, gaps: Floats) -> float:
    """Return the area between two polylines, given the gap at each point and the widths between."""
    sizes = np.abs(gaps)
    both = sizes[1:] + sizes[:-1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        # Where the functions cross, two triangles.
        cut = np.where(gaps[1:] * gaps[:-1] < 0, sizes[1:] * sizes[:-1] / both, 0.0)
        areas = np.where(both > 0, (both / 2 - cut) * widths, 0.0)
    return float(areas.sum())


def quantiles_of(grid: Grid, counts: Counts, shares: Floats, smooth: Floats) -> Floats:
    """Return the value at each share: exact where a cell is of one value, else within its cell.

    Args:
        grid: The cells.
        counts: Rows per cell, at least one row.
        shares: 0 to 1.
        smooth: Quantiles of a digest, which count in cells that are open or have many rows.
    """
    below = counts.cumsum()
    total = below[-1]
    ranks = np.minimum((shares * total).astype(np.int64), total - 1)
    found = below.searchsorted(ranks, side="right")
    ends = np.concatenate(([-np.inf], grid.edges, [np.inf]))
    low, high, rows = ends[found], ends[found + 1], counts[found]
    with np.errstate(over="ignore", invalid="ignore"):
        even = low + (high - low) * ((ranks - below[found] + rows + 0.5) / rows)
    is_even = (rows <= EVEN_SHARE * total) & np.isfinite(even)
    within = np.where(is_even, even, np.minimum(np.maximum(smooth, low), high))
    return np.asarray(np.where(grid.is_atom[found], grid.atoms[found], within))
