"""Drift scores: distances of the current rows from the reference.

All functions take columns laid out one after another, `starts` naming where each begins, and
return an array with one score a column; the default is a single column. Counts may be of any
numeric type. A score is NaN where either side has no rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Starts = NDArray[np.intp]

_ONE = np.zeros(1, dtype=np.intp)


def psi(reference: ArrayLike, current: ArrayLike, starts: Starts = _ONE) -> Floats:
    """Population stability index between two sets of bin counts.

    Args:
        reference: Rows per bin in the reference.
        current: Rows per bin in the current window: same bins, same order.
        starts: First bin of each column.

    Returns:
        PSI in nats, 0.0 (equal shares) or more.

    Source: Yurdakul (2018), Statistical Properties of Population Stability Index. Half a row is
    added to each bin, since an empty one would make the logarithm infinite.
    """
    r = _shares(reference, starts, pseudo_rows=0.5)
    c = _shares(current, starts, pseudo_rows=0.5)
    return _total((c - r) * np.log(c / r), starts)


def js_distance(reference: ArrayLike, current: ArrayLike, starts: Starts = _ONE) -> Floats:
    """Jensen-Shannon distance, base 2: 0.0 (equal) to 1.0 (nothing in common).

    Args: as for `psi`.

    Source: Endres and Schindelin (2003), A New Metric for Probability Distributions.
    """
    r = _shares(reference, starts)
    c = _shares(current, starts)
    middle = (r + c) / 2
    divergence = _total(_xlogy(r, r, middle) + _xlogy(c, c, middle), starts) / 2
    return np.sqrt(np.maximum(divergence, 0.0))


def l_infinity(reference: ArrayLike, current: ArrayLike, starts: Starts = _ONE) -> Floats:
    """Greatest gap between two shares of the same bin, 0.0 to 1.0. Args: as for `psi`."""
    gaps = np.abs(_shares(reference, starts) - _shares(current, starts))
    return np.maximum.reduceat(gaps, starts)


def ks_statistic(reference: ArrayLike, current: ArrayLike, starts: Starts = _ONE) -> Floats:
    """Kolmogorov-Smirnov statistic over the edges of cells, 0.0 to 1.0.

    Never above the exact statistic of the rows, and below it by at most the largest reference
    share of one cell.

    Args: as for `psi`, with the rows per cell in ascending order of the cells.
    """
    gaps = np.abs(_shares_below(reference, starts) - _shares_below(current, starts))
    return np.maximum.reduceat(gaps, starts)


def wasserstein_ratio(distance: Floats, reference_sd: Floats) -> Floats:
    """First Wasserstein distance as a multiple of the reference's standard deviation.

    Args:
        distance: Distance of each column, see `curves.wasserstein`.
        reference_sd: Standard deviation of each column; NaN is returned where it is 0 or infinite.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = distance / reference_sd
    return np.where((reference_sd > 0) & np.isfinite(reference_sd), ratio, np.nan)


def _shares(counts: ArrayLike, starts: Starts, pseudo_rows: float = 0.0) -> Floats:
    rows = np.asarray(counts, dtype=np.float64)
    sizes = np.diff(np.append(starts, len(rows)))
    totals = np.add.reduceat(rows, starts)
    scale = np.where(totals > 0, totals + pseudo_rows * sizes, np.nan)
    return np.asarray((rows + pseudo_rows) / np.repeat(scale, sizes), dtype=np.float64)


def _shares_below(counts: ArrayLike, starts: Starts) -> Floats:
    # Rows are summed, and then divided: sums of shares would carry one column's NaN, and its
    # rounding, into all columns after it.
    rows = np.asarray(counts, dtype=np.float64)
    sizes = np.diff(np.append(starts, len(rows)))
    sums = np.cumsum(rows)
    below = sums - np.repeat(sums[starts] - rows[starts], sizes)
    totals = np.add.reduceat(rows, starts)
    return np.asarray(below / np.repeat(np.where(totals > 0, totals, np.nan), sizes))


def _total(terms: Floats, starts: Starts) -> Floats:
    return np.asarray(np.add.reduceat(terms, starts), dtype=np.float64)


def _xlogy(x: Floats, a: Floats, b: Floats) -> Floats:
    """Return x log2(a / b), 0 where x is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(x == 0, 0.0, x * np.log2(a / b))
