"""Differences of shares between groups of rows that chance does not explain."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_log_gamma = np.vectorize(math.lgamma, otypes=[float])


def effective(hits: Floats, rows: Floats, natural: float) -> tuple[Floats, Floats]:
    """Return hits and rows, whole numbers, of as few independent rows as scatter alike.

    Args:
        hits: Rows that had it in each group, shape (groups,).
        rows: Rows of each group, over 0.
        natural: Variance of a share beside 1 / rows, in units of p (1 - p).
    """
    fewer = np.rint(rows / (1 + natural * rows))
    return np.rint(hits / rows * fewer), fewer


def lower_pairs(hits: Floats, rows: Floats, level: float) -> Flags:
    """Return the pairs of shares whose first is lower by more than chance.

    Args:
        hits: Rows that had it in each group, shape (groups,), whole numbers.
        rows: Rows of each group, as many or more.
        level: Probability that groups of one share have any such pair.

    Returns:
        Shape (groups, groups): true where the share of the first is lower than that of the second.

    Source: Fisher's exact test of each pair (1935), at the level divided by the pairs, both ways.
    The law is log-concave, so that its tail is less than the geometric series from its end.
    """
    a, b = hits[:, None], hits[None, :]
    n, m = rows[:, None], rows[None, :]
    ways = _log_ways(rows, hits)
    logs = ways[:, None] + ways[None, :] - _log_ways(n + m, a + b)
    # The probability of one hit less over that of `a`.
    ratio = a * (m - b) / ((n - a + 1) * (b + 1))
    pairs = max(len(hits) * (len(hits) - 1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = logs - np.log1p(-np.minimum(ratio, 1.0))
        return np.asarray((a * m < b * n) & (ratio < 1) & (tail <= math.log(level / pairs)))


def _log_ways(rows: Floats, hits: Floats) -> Floats:
    """Return the logarithm of the number of ways to choose the hits among the rows."""
    ways = _log_gamma(rows + 1) - _log_gamma(hits + 1) - _log_gamma(rows - hits + 1)
    return np.asarray(ways, dtype=np.float64)


def least_ratio(hits: Floats, rows: Floats, level: float) -> float:
    """Return the least ratio of two shares that differ by more than chance; 1 if none do.

    NaN with fewer than two groups. The arguments are those of `lower_pairs`.
    """
    if len(hits) < 2:
        return math.nan
    first, second = np.nonzero(lower_pairs(hits, rows, level))
    shares = hits / rows
    return float((shares[first] / shares[second]).min(initial=1.0))


def greatest_difference(hits: Floats, rows: Floats, level: float) -> float:
    """Return the greatest difference of two shares that is more than chance; 0 if none is.

    NaN with fewer than two groups. The arguments are those of `lower_pairs`.
    """
    if len(hits) < 2:
        return math.nan
    first, second = np.nonzero(lower_pairs(hits, rows, level))
    shares = hits / rows
    return float((shares[second] - shares[first]).max(initial=0.0))
