"""Natural variation: by how much unchanged time scatters a score more than independent rows would.

Days differ, neighbours share luck, a night is no day. Disjoint stretches of a window's length are
compared with all other rows; the mean square of their gaps, less what independent rows bring, is
the natural variance of the score at that length. It is a second moment of all stretches rather
than the extreme of a few, so that it can be extrapolated, with its own error, to the level of a
false alarm budget. It is added to the noise of the rows and not multiplied with it: days differ no
less because more rows come. Source: batch means, Law and Kelton (2000), Simulation Modeling and
Analysis, chapter 9; Kish (1965), Survey Sampling, for what it does to the law of a score.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

DOUBT = 4.0
"""Standard deviations of independent rows beyond which rows depend on each other."""
PSI_CURVATURE = 1.25
"""PSI of a great change grows faster than its square, by its logarithm: so much of what squares
reach in the tail, at most. Simulated: AR(1) of .9 and .99, hours that differ."""
MANY = 1000.0
"""Degrees of an estimate whose own error is not known."""


class Scatter(NamedTuple):
    """Natural variation of a score in stretches of one length."""

    variance: float
    """Of the shape or a share: in units of F(1 - F), beside the noise 1 / rows of independent
    rows. Of PSI: its mean."""
    degrees: float
    """Independent stretches that it was estimated from, 1 or more."""
    strongest: float = 0.0
    """Of PSI: the part of the mean that its strongest way of varying has."""


INDEPENDENT = Scatter(0.0, math.inf)
"""Of rows that do not depend on each other."""


class Sides(NamedTuple):
    """Stretches of one column, and the rows that each is compared with: all others, or those near.

    Shapes (stretches, cells).
    """

    stretches: Counts
    rest: Counts
    effect: float = 1.0
    """Design effect of requests: by how much the noise is greater than that of as many rows."""

    @property
    def noise(self) -> Floats:
        """1 / rows of the stretch + 1 / rows of the rest, effective ones."""
        each = 1 / self.stretches.sum(axis=1) + 1 / self.rest.sum(axis=1)
        return np.asarray(self.effect * each)

    def share(self, cells: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return the share of the rows in some cells, of both sides."""
        here, there = (rows[:, cells].sum(axis=1) / rows.sum(axis=1) for rows in self[:2])
        return here, there


def shape_scatter(sides: Sides, degrees: float) -> Scatter | None:
    """Scatter of the distribution function; None where independent rows explain it.

    Args:
        sides: Cells in ascending order, missing left out.
        degrees: How many of the stretches are independent.

    The mean square of the gap over the rest's rows by that of F(1 - F): the Cramer-von Mises
    statistic, whose mean for independent rows is known whatever the distribution is.
    """
    noise = sides.noise
    f, g = (np.cumsum(rows, axis=1)[:, :-1] / rows.sum(axis=1)[:, None] for rows in sides[:2])
    weights = sides.rest[:, :-1]
    spread = (weights * g * (1 - g)).sum(axis=1)
    is_spread = spread > 0
    gaps = (weights * (f - g) ** 2).sum(axis=1)[is_spread] / spread[is_spread]
    noise = noise[is_spread]
    # The statistic is a sixth of the squares' mean. Its variance: Anderson and Darling (1952).
    if not len(gaps) or _is_chance(gaps / noise, 36 / 45):
        return None
    return _positive(float((gaps - noise).mean()), degrees)


def psi_scatter(
    sides: Sides, bin_starts: NDArray[np.intp], degrees: float, *, is_alike: bool = True
) -> Scatter | None:
    """Scatter of PSI; None where independent rows explain it.

    Args:
        sides: All cells, missing last.
        bin_starts: First cell of each bin.
        degrees: How many of the stretches are independent.
        is_alike: All stretches are of one distribution; else each is of that of its own two sides.

    A sum of squares that are not independent is a sum of chi-squares, each times the variance of
    one way of varying. The sum of these variances is the mean; the sum of their squares is the
    mean square of products of two stretches, and its root is not under the greatest. Source: Rao
    and Scott (1981), The Analysis of Categorical Data from Complex Sample Surveys.
    """
    rows, rest = (np.add.reduceat(side, bin_starts, axis=1) for side in sides[:2])
    whole = rows + rest
    whole = np.broadcast_to(whole.sum(axis=0), whole.shape) if is_alike else whole
    share = np.where(whole > 0, whole / whole.sum(axis=1, keepdims=True), np.inf)
    k, noise = len(rows), sides.noise
    freedom = (whole > 0).sum(axis=1) - 1
    if k < 2 or not freedom.all():
        return None
    # Small changes of PSI: without its logarithm and half rows, whose mean is known by few rows.
    c, r = (side / side.sum(axis=1, keepdims=True) for side in (rows, rest))
    roots = (c - r) / np.sqrt(share)
    own = np.square(roots).sum(axis=1)
    spread = 2 * freedom + noise.mean() * (1 / share).sum(axis=1)
    if _is_chance(own / noise / freedom, float((spread / freedom**2).mean())):
        return None
    mean = float((own - freedom * noise).mean())
    # All pairs of stretches but those with themselves: products squared, and of the noise.
    pairs = np.square(roots.T @ roots).sum() - np.square(own).sum()
    pairs -= freedom.mean() * (noise.sum() ** 2 - np.square(noise).sum())
    squares = float(pairs) / (k * (k - 1)) - 2 * float(noise.mean()) * mean
    found = _positive(mean, degrees)
    strongest = math.sqrt(min(max(squares, mean**2 / float(freedom.mean())), mean**2))
    return found._replace(strongest=strongest) if found is not None else None


def share_scatter(here: Floats, there: Floats, noise: Floats, degrees: float) -> Scatter | None:
    """Scatter of a share; None where independent rows explain it.

    Args:
        here: Share in each stretch, 0 to 1.
        there: Share in the rest of it, or what else it is compared with.
        noise: Of `Sides`.
        degrees: How many of the stretches are independent.
    """
    share = max(float(np.mean(here)), float(np.mean(there)))
    if not 0 < share < 1:
        return None
    squares = (here - there) ** 2 / (share * (1 - share))
    if _is_chance(squares / noise, 2 + float(np.mean(noise)) / share):
        return None
    return _positive(float((squares - noise).mean()), degrees)


def natural_gap(variance: Floats, level: float) -> Floats:
    """Return the KS statistic that unchanged time reaches at a level, 0 to 1, without noise.

    Args:
        variance: Of `shape_scatter`, its doubt included.
        level: Probability, over 0.

    Smirnov's law with the variance in place of 1 / rows, as far as gaps are small. Great ones are
    less than proportional, and never over 1: of a normal law that moves by d standard deviations
    the statistic is erf(d / sqrt 8), whose slope is 1 / sqrt(2 pi). A window that is worth a few
    rows may lie in one place: of n independent rows the statistic reaches x with a probability of
    2 (1 - x)^n or more. Source: Birnbaum and Tingey (1951), One-Sided Confidence Contours for
    Probability Distribution Functions.
    """
    small = np.sqrt(two_sided_square(level) / 4 * variance)
    great = np.array([math.erf(math.sqrt(math.pi) / 2 * gap) for gap in small])
    return np.asarray(np.maximum(great, 1 - (level / 2) ** variance), dtype=np.float64)


def mean_scatter(
    gaps: Floats, noise: Floats, degrees: float, excess_kurtosis: float
) -> Scatter | None:
    """Scatter of the mean of a value; None where independent rows explain it.

    Args:
        gaps: Mean of each stretch less that of the rest, in standard deviations of a value.
        noise: Of `Sides`: the variance of a gap between independent rows.
        degrees: How many of the stretches are independent.
        excess_kurtosis: Of the values; 0 for a normal law.
    """
    squares = gaps**2
    # A square's own variance is that of a mean, whose kurtosis falls with its rows.
    spread = 2 + max(excess_kurtosis, 0.0) * float(np.mean(noise)) if len(noise) else 2.0
    if not len(squares) or _is_chance(squares / noise, spread):
        return None
    return _positive(float((squares - noise).mean()), degrees)


def scatter_of_excess(score: str, excess: float, share: float, level: float) -> Scatter:
    """Return the scatter with which a score's threshold at a level is this excess over its base.

    Args:
        score: Name of a deciding score.
        excess: 0 or more.
        share: The base, where the score is a share; over 0 and under 1.
        level: Probability, over 0.
    """
    square = two_sided_square(level)
    if score == "psi":
        mean = excess / (1 + PSI_CURVATURE * (square - 1))
        return Scatter(mean, MANY, mean)
    if score == "ks_statistic":
        return Scatter(4 * excess**2 / square, MANY)
    return Scatter(excess**2 / square / (share * (1 - share)), MANY)


def two_sided_square(level: float) -> float:
    """Return the square that a normal number of variance 1 exceeds with at most this probability.

    Source: P(z^2 > q) <= 2 exp(-q / 2), which is Smirnov's law of the KS statistic, too.
    """
    return -2 * math.log(level / 2)


def doubt(degrees: Floats, level: float) -> Floats:
    """Return how many times an estimated variance must be allowed for at a level, 1 or more.

    Args:
        degrees: Squares that the variance was estimated from; infinite where it is known.
        level: Probability, over 0.

    Student's t squared over the normal law's square. Source: Wallace (1959), Bounds on Normal
    Approximations to Student's and the Chi-Square Distributions: t squared is near
    k (exp(z squared / k) - 1) with a corrected z.
    """
    square = NormalDist().inv_cdf(1 - level / 2) ** 2
    with np.errstate(invalid="ignore"):
        corrected = square * ((8 * degrees + 3) / (8 * degrees + 1)) ** 2
        found = degrees * np.expm1(np.minimum(corrected / degrees, 100.0)) / square
    return np.asarray(np.where(np.isfinite(degrees), found, 1.0), dtype=np.float64)


def _is_chance(ratios: Floats, variance: float) -> bool:
    """Return whether independent rows may bring squares of so many times their expectation.

    Args:
        ratios: One a stretch; their mean is 1 for independent rows.
        variance: Of a ratio then: that of squares, and of rare cells that have a row or none.
            Source: Haldane (1937), The Exact Value of the Moments of the Distribution of
            Chi-Square.
    """
    return float(ratios.mean()) <= 1 + DOUBT * math.sqrt(variance / len(ratios))


def _positive(variance: float, degrees: float) -> Scatter | None:
    return Scatter(variance, degrees) if variance > 0 else None
