"""Smallest shift of a mean that given rows show, and the rows that a shift needs.

Both speak of a numeric column near a normal law and of its KS statistic, which alone sees most
shifts first: a mean that moves by d standard deviations has the statistic erf(d / sqrt 8).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.stats.scatter import doubt, natural_gap, two_sided_square


def least_shift(threshold: float) -> float:
    """Return the shift, in standard deviations, of which half of all windows exceed a threshold.

    Args:
        threshold: Of the KS statistic, 0 to 1. Infinite at 1; NaN where it is.
    """
    if not threshold < 1:
        return threshold * math.inf
    return 2 * NormalDist().inv_cdf((1 + threshold) / 2)


def rows_needed(
    column: ColumnReference, shift: float, seconds: float, level: float, floor: float
) -> float:
    """Return the rows of a window in which half of all shifts of so much are seen.

    Args:
        column: The reference of a numeric column.
        shift: Standard deviations, over 0.
        seconds: Length of the window, or the time of it that is filled.
        level: Probability that one test of unchanged traffic fails.
        floor: The least KS statistic that matters.

    Returns:
        Rows with a value; infinite where natural variation or the floor hide such a shift.
    """
    gap = math.erf(shift / math.sqrt(8)) - column.rank_error
    variance, degrees, _ = column.natural("ks_statistic", seconds)
    allowed = variance * doubt(np.array([degrees]), level)
    chance = gap**2 - float(natural_gap(allowed, level)[0]) ** 2
    values = column.rows - column.missing
    if gap + column.rank_error < floor or chance <= 0 or not values:
        return math.inf
    noise = 4 * chance / two_sided_square(level) - 1 / values
    return 1 / noise if noise > 0 else math.inf
