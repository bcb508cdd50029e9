"""Centroids, a digest's weighted means in ascending order: taken together, and read.

Source: Dunning and Ertl (2019), Computing Extremely Accurate Quantiles Using t-Digests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_ROWS = 2**53
"""Counts are exact as floating-point numbers up to here."""


def check(means: Floats, weights: Floats) -> None:
    """Raise ValueError unless means are finite and weights are rows."""
    # What the engine splits a weight into may add up to a little more.
    is_too_much = weights.sum() > MOST_ROWS * (1 + 1e-9)
    if not (np.isfinite(means).all() and (weights > 0).all()) or is_too_much:
        raise ValueError("digest: expected finite centroids with weights over 0")


def taken_together(means: Floats, weights: Floats, spread: float) -> tuple[Floats, Floats]:
    """Return fewer centroids, ascending: each with as many rows as the engine lets one have.

    That is 4 `spread` q (1 - q) of all rows around the share q, and any number of equal values.
    """
    means, owners = np.unique(means, return_inverse=True)
    weights = np.bincount(owners, weights, len(means)).astype(np.float64)
    total = float(weights.sum())
    most = 4 * spread / total if total else 0.0
    merged: list[list[float]] = []
    below = 0.0
    for mean, weight in zip(means.tolist(), weights.tolist(), strict=True):
        if merged:
            last = merged[-1]
            together = last[1] + weight
            middle = below + together / 2
            if together <= most * middle * (total - middle):
                last[0] += (mean - last[0]) * (weight / together)
                last[1] = together
                continue
            below += last[1]
        merged.append([mean, weight])
    table = np.array(merged, dtype=np.float64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def quantiles_of(
    means: Floats, weights: Floats, shares: Sequence[float], spread: float
) -> list[float]:
    """Return the value at each share (0 to 1), between the centroids' mid-ranks; NaN when empty.

    A centroid with more than `spread` of the rows is an atom; see `atoms_of`.
    """
    if not len(means):
        return [np.nan] * len(shares)
    above, total = np.cumsum(weights), weights.sum()
    half = np.where(weights > spread * total, 0.0, weights / 2)
    # Two points a centroid: the ranks between which its mean is the value.
    ranks = np.column_stack((above - weights + half, above - half)).ravel()
    wanted = np.asarray(shares) * total
    return [float(value) for value in np.interp(wanted, ranks, np.repeat(means, 2))]


def atoms_of(means: Floats, weights: Floats, spread: float) -> tuple[Floats, Floats]:
    """Return the values that many rows have, and their rows, as far as centroids tell.

    An atom makes several centroids of one mean, but for rounding, or one that holds more than
    `spread`: the greatest share of rows that the engine takes together where they differ.
    """
    starts = np.flatnonzero(np.diff(means, prepend=-np.inf) > 4 * np.spacing(np.abs(means)))
    rows = np.add.reduceat(weights, starts)
    sizes = np.diff(starts, append=len(means))
    is_atom = (sizes > 1) | (rows > spread * weights.sum())
    values = means[starts + sizes // 2]
    rounded = np.array([float(f"{value:.15g}") for value in values.tolist()])
    return np.where(sizes > 1, rounded, values)[is_atom], rows[is_atom]


def cdf_of(
    means: Floats, weights: Floats, points: Floats, atoms: tuple[Floats, NDArray[Any]]
) -> tuple[Floats, float]:
    """Read the shares of rows at or below each point off centroids.

    Args:
        means: The centroids' means, ascending.
        weights: The centroids' rows.
        points: Where to read.
        atoms: Values that many rows have, ascending, and their rows.

    Returns:
        A share for each point, between the mid-ranks of the centroids, but with all rows of an
        atom where it is; and how far shares may be off.
    """
    below = np.concatenate(([0.0], np.cumsum(weights)))
    ranks, total = below[1:] - weights / 2, below[-1]
    values, rows = atoms
    with np.errstate(over="ignore"):
        near = 8 * np.spacing(np.abs(values))
        first = np.searchsorted(means, values - near, side="left")
        last = np.searchsorted(means, values + near, side="right")
    # An atom's middle is that of its centroids, or where it stands among those of its neighbours.
    among = between(values, means, ranks)
    middle = np.where(first < last, (below[first] + below[last]) / 2, among)
    starts_and_ends = np.zeros(len(means) + 1, dtype=np.intp)
    np.add.at(starts_and_ends, first, 1)
    np.add.at(starts_and_ends, last, -1)
    others = np.cumsum(starts_and_ends[:-1]) == 0
    x = np.concatenate((means[others], np.nextafter(values, -np.inf), values))
    y = np.concatenate((ranks[others], middle - rows / 2, middle + rows / 2))
    order = np.argsort(x, kind="stable")
    rising = np.clip(np.maximum.accumulate(y[order]), 0.0, total)
    shares = between(points, x[order], rising) / total
    shares = np.where(points < min(means[0], x[order[0]]), 0.0, shares)
    # Rows of a centroid may all lie on the far side of its mean: half of two neighbours' rows.
    rank_error = weights[others].max(initial=0.0) / total
    # Ends: all of a single-row extreme centroid lies at its mean, not half of it.
    return np.where(points >= means[-1], 1.0, shares), float(rank_error)


def between(points: Floats, x: Floats, y: Floats) -> Floats:
    """Interpolate linearly in a table, x ascending, as `np.interp` does beyond its ends.

    But slopes may be infinite: x may be the smallest step apart.
    """
    if len(x) < 2:
        return np.full(len(points), y[0])
    right = np.clip(np.searchsorted(x, points, side="right"), 1, len(x) - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        width = x[right] - x[right - 1]
        part = (np.clip(points, x[0], x[-1]) - x[right - 1]) / np.where(width > 0, width, 1.0)
    part = np.where(np.isfinite(part), part, 0.5)
    inside = y[right - 1] + part * (y[right] - y[right - 1])
    return np.where(points >= x[-1], y[-1], inside)
