"""What chance makes of the scores that are shown but do not decide: how to read them.

Those that decide are in `thresholds`, where rare bins and the rounding of digests are allowed for.
A level is the probability that unchanged rows go over the value.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def noise_of_js_distance(bins: int, reference_rows: int, window_rows: int, level: float) -> float:
    """JS distance, base 2, that chance reaches with so many bins; NaN where a side has no rows.

    Source: divergences that are smooth have one limit, a multiple of chi-square with bins - 1
    degrees of freedom; Menendez, Morales, Pardo and Salicru (1995), Asymptotic behaviour and
    statistical applications of divergence measures in multinomial populations. Rare bins make it
    too great by little, since a bin adds to the divergence no more than its share.
    """
    if bins < 2:
        return 0.0
    divergence = chi_square_quantile(level, bins - 1) * _both(reference_rows, window_rows) / 8
    return min(1.0, math.sqrt(divergence / math.log(2))) if divergence == divergence else math.nan


def noise_of_l_infinity(counts: ArrayLike, window_rows: int, level: float) -> float:
    """Greatest gap of shares that chance reaches, given the reference's rows in each bin.

    NaN where a side has no rows. Source: the normal law of each bin's gap, of variance
    p (1 - p) (1/n + 1/m), and a union bound over the bins.
    """
    rows = np.asarray(counts, dtype=np.float64)
    n = float(rows.sum())
    if not n or not window_rows:
        return math.nan
    z = NormalDist().inv_cdf(1 - level / (2 * len(rows)))
    # Half a row: a bin that the reference lacks is not impossible for that.
    shares = np.clip(rows / n, 0.5 / n, 1 - 0.5 / n)
    return min(1.0, float(z * np.sqrt(shares * (1 - shares) * _both(n, window_rows)).max()))


def noise_of_wasserstein_ratio(
    ranks: Floats, sd: float, reference_rows: int, window_rows: int, level: float
) -> float:
    """Wasserstein distance, in reference standard deviations, that chance reaches.

    Args:
        ranks: The reference's values at evenly spaced mid-ranks, ascending.
        sd: The reference's standard deviation; NaN is returned where it is 0 or not finite.
        reference_rows, window_rows: Rows of both sides; NaN where one has none.
        level: 0 to 1.

    Source: the distance tends to the area under |B(F(x))|, B a Brownian bridge; del Barrio, Gine
    and Matran (1999), Central limit theorems for the Wasserstein distance. Its mean is
    sqrt(2/pi) times the integral of sqrt(F (1 - F)), and it is over its mean by z standard
    deviations of the column at most: the inequality of Borell, Tsirelson, Ibragimov and Sudakov.
    """
    if not (math.isfinite(sd) and sd > 0):
        return math.nan
    share = np.arange(1, len(ranks)) / len(ranks)
    mean = math.sqrt(2 / math.pi) * float(np.diff(ranks) @ np.sqrt(share * (1 - share))) / sd
    return (mean + NormalDist().inv_cdf(1 - level)) * math.sqrt(_both(reference_rows, window_rows))


def chi_square_quantile(level: float, degrees: int) -> float:
    """Value that chi-square goes over with this probability, 0 to 1; by bisection.

    Args:
        level: Over 0, under 1.
        degrees: Degrees of freedom, 1 or more.
    """
    if not 0 < level < 1 or degrees < 1:
        raise ValueError(
            f"chi-square: expected 0 < level < 1 and 1 degree or more, got {level}, {degrees}"
        )
    low, high = 0.0, float(degrees)
    while _chi_square_tail(high, degrees) > level:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if _chi_square_tail(middle, degrees) > level:
            low = middle
        else:
            high = middle
    return high


def _chi_square_tail(x: float, degrees: int) -> float:
    """Return the probability to be over x. Source: Abramowitz and Stegun 26.4.4 and 26.4.5."""
    half = x / 2
    odd = degrees % 2
    total = math.erfc(math.sqrt(half)) if odd else 0.0
    term = math.exp(-half) * (math.sqrt(half) / math.gamma(1.5) if odd else 1.0)
    for k in range(degrees // 2):
        total += term
        term *= half / (k + 1 + odd / 2)
    return total


def _both(reference_rows: float, window_rows: float) -> float:
    if not reference_rows or not window_rows:
        return math.nan
    return 1 / reference_rows + 1 / window_rows
