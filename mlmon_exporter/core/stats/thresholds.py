"""Thresholds: scores that chance exceeds no more often than the false-alarm budget allows.

A level is the probability that one comparison of unchanged traffic goes over its threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Tails = tuple[Floats, Floats]

TYPICAL = 0.5
"""The level of what chance typically does."""
MOST_SPREAD = 1_000.0
"""Standard deviation of a count beyond which a law of counts is not worked out to the row."""
LOOKS = 12
"""A rolling window is looked at again after each of its panes: these many chances a window."""


def level(window_seconds: float, budget_seconds: float, tests: int, looks: int = LOOKS) -> float:
    """Return the level of one comparison that keeps a model's budget.

    Args:
        window_seconds: Length of the window that is scored.
        budget_seconds: `false_alarm_every`: at most one false alarm in this time.
        tests: Comparisons in the model: columns x deciding scores x windows.
        looks: How often the window renews itself in part.

    Returns:
        0 to 0.05. Source: union bound over tests and over the looks of overlapping windows.
    """
    if tests < 1 or window_seconds <= 0 or budget_seconds <= 0:
        return 0.05
    return min(0.05, window_seconds / budget_seconds / tests / looks)


def chance_psi(
    bins: Sequence[int], window_rows: int, level: float, draw_rows: float = 1.0
) -> float:
    """PSI that chance reaches at this level, given the reference's rows per bin; NaN without rows.

    Args:
        bins: Reference rows in each bin of the column.
        window_rows: Rows of the window that were drawn independently, 1 or more.
        draw_rows: Rows that each such draw brings, all alike: 1 or more.

    The chi-square law (Yurdakul 2018), (1/n + 1/m) x chi-square quantile(1 - level, B - 1), holds
    where bins are full. With a rare or empty bin the half row that is added to each makes PSI
    exceed it in every unchanged window, so the law is taken from the counts: window rows of a bin
    are negative binomial given its reference rows (Poisson rows, Jeffreys' prior), and the tail
    of their sum is its saddlepoint approximation. Source: Daniels (1954), Saddlepoint
    Approximations in Statistics; Lugannani and Rice (1980).
    """
    total = sum(bins)
    if not total:
        return math.nan
    # Columns with nearly the same bins share one law: shares count to two digits.
    shares = tuple(sorted((float(f"{rows / total:.2g}") for rows in bins), reverse=True))
    low = 1 << (window_rows.bit_length() - 1)
    # Few laws for all of them: up to the next step of a half, which is the safe side.
    each = 2.0 ** (math.ceil(2 * math.log2(draw_rows)) / 2)
    ends = [_psi_tail(shares, total, rows, each) for rows in (low, 2 * low)]
    at = [np.interp(-math.log(level), *end) for end in ends]
    # Between powers of two the law is a line on logarithmic axes.
    weight = math.log2(window_rows / low)
    return float(np.exp((1 - weight) * np.log(at[0]) + weight * np.log(at[1])))


_TILTS = np.geomspace(0.02, 4.0, 28)
_POINTS = np.linspace(0.0, 1.0, 96)


@lru_cache(maxsize=4096)
def _psi_tail(
    shares: tuple[float, ...], reference_rows: int, window_rows: int, draw_rows: float = 1.0
) -> Tails:
    """Return -log P(PSI > x), ascending, and the x: the law of one column's PSI by chance."""
    m, pseudo = window_rows, 0.5 * len(shares)
    shape = np.array(shares) * reference_rows + 0.5
    total = shape.sum()
    reference = shape / total
    rows, logs = _bin_rows(shape, m / total)
    current = (rows * draw_rows + 0.5) / (m * draw_rows + pseudo)
    terms = (current - reference[:, None]) * np.log(current / reference[:, None])
    tilts = _TILTS / (1 / reference_rows + 1 / m)
    tilted = logs + tilts[:, None, None] * terms
    peak = tilted.max(axis=2, keepdims=True)
    weights = np.exp(tilted - peak)
    sums = weights.sum(axis=2)
    cumulant = (peak[..., 0] + np.log(sums)).sum(axis=1)
    means = (weights * terms).sum(axis=2) / sums
    spread = (weights * terms**2).sum(axis=2) / sums - means**2
    x = means.sum(axis=1)
    scale = tilts * np.sqrt(2 * math.pi * np.maximum(spread.sum(axis=1), 0.0))
    depth = tilts * x - cumulant + np.log(np.maximum(scale, 1.0))
    return np.maximum.accumulate(depth), np.maximum(x, 1e-12)


def _bin_rows(shape: Floats, ratio: float) -> tuple[Floats, Floats]:
    """Return window rows of each bin and their log probabilities, shape (bins, points).

    Rows are negative binomial with this shape and mean shape x ratio. Where a bin may have many,
    each point stands for the rows since the point before.
    """
    mean = shape * ratio
    spread = np.sqrt(mean * (1 + ratio))
    low = np.maximum(0.0, np.floor(mean - 8 * spread))[:, None]
    high = np.ceil(mean + 9 * spread + 30 * (1 + ratio))[:, None]
    rows = np.rint(low + (high - low) * _POINTS)
    shape = shape[:, None]
    stands_for = np.diff(rows, axis=1, prepend=rows[:, :1] - 1)
    with np.errstate(divide="ignore"):
        logs = _log_gamma(rows + shape) - _log_gamma(rows + 1) + np.log(stands_for)
    logs += rows * math.log(ratio / (1 + ratio))
    logs -= logs.max(axis=1, keepdims=True)
    return rows, logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))


def _log_gamma(z: Floats) -> Floats:
    """Return log Gamma(z) for z > 0. Source: Stirling's series, Abramowitz and Stegun 6.1.41."""
    shifted = z + 8
    series = 1 / (12 * shifted) - 1 / (360 * shifted**3) + 1 / (1260 * shifted**5)
    log_shifted = (shifted - 0.5) * np.log(shifted) - shifted + math.log(2 * math.pi) / 2 + series
    product = np.ones_like(z)
    for step in range(8):
        product = product * (z + step)
    return log_shifted - np.log(product)


def chance_ks(reference_rows: ArrayLike, window_rows: ArrayLike, level: float) -> Floats:
    """KS statistic that chance reaches at this level; NaN where a side has no rows.

    Source: Smirnov's asymptotic two-sample law, P(D > d) = 2 exp(-2 d^2 nm / (n + m)).
    """
    n = np.asarray(reference_rows, dtype=np.float64)
    m = np.asarray(window_rows, dtype=np.float64)
    with np.errstate(divide="ignore"):
        noise = np.where((n > 0) & (m > 0), 1.0 / n + 1.0 / m, np.nan)
    return np.asarray(np.sqrt(-math.log(level / 2) / 2 * noise), dtype=np.float64)


@lru_cache(maxsize=4096)
def chance_share(
    hits: int, reference_rows: int, window_rows: int, level: float, extra_hits: float = 1.0
) -> float:
    """Share of window rows that chance reaches, given the reference rows that had it.

    Args:
        hits: Reference rows that had it, of `reference_rows`.
        window_rows: Rows of the window, 1 or more.
        extra_hits: 1 for a share that was asked for beforehand. Where the reference itself set
            the bounds beyond which rows are counted, 1 for each bound.

    Returns:
        The 1 - level quantile of the window's share, 0 to 1.

    Source: the beta-binomial law that carries the sampling noise of both sides. With one extra
    hit it is the upper Clopper-Pearson bound of the reference's share; with one a bound it is the
    law of the share beyond order statistics. David and Nagaraja (2003), Order Statistics.
    """
    alpha = hits + extra_hits
    beta = max(reference_rows + 1.0 - alpha, 0.5)
    m = min(window_rows, _most_rows(alpha, beta))
    mean = m * alpha / (alpha + beta)
    spread = math.sqrt(mean * (1 - mean / m) * (1 + m / (alpha + beta))) + 1
    low = max(0, int(mean - 12 * spread))
    high = min(m, int(mean + 60 * spread) + 60)
    more = np.arange(low, high, dtype=np.float64)
    # Each probability is the one before times a ratio; the scale falls out in the division.
    ratios = (m - more) * (alpha + more) / ((more + 1) * (m - more - 1 + beta))
    logs = np.concatenate(([0.0], np.cumsum(np.log(ratios))))
    weights = np.exp(logs - logs.max())
    above = np.cumsum(weights[::-1])[::-1] / weights.sum()
    # The least number of hits that is exceeded with probability of at most the level.
    exceeded = np.append(above[1:], 0.0)
    return float(low + np.argmax(exceeded <= level)) / m


def whole_steps(window_rows: int) -> int:
    """Round the rows of a window down to whole steps of its size, which is the safe side.

    A threshold is made once a step, not anew for each row that comes.
    """
    step = 1 << max(0, window_rows.bit_length() - 5)
    return window_rows // step * step


def _most_rows(alpha: float, beta: float) -> int:
    """Return the window's rows at which hits spread by MOST_SPREAD.

    More would need a longer row of probabilities, for a share that hardly changes: with a
    reference so much smaller, its noise is nearly all there is. It is higher, on the safe side.
    """
    rows, share = alpha + beta, alpha / (alpha + beta)
    variance = MOST_SPREAD**2 / (share * (1 - share))
    return int(rows / 2 * (math.sqrt(1 + 4 * variance / rows) - 1)) + 1
