"""Smallest shift of a mean that a window shows, and the rows that a shift needs.

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
    """Return the rows of a window that half of the time show a shift of all of them.

    Args:
        column: The reference of a numeric column.
        shift: Standard deviations, over 0.
        seconds: Length of the window, or the time of it that is filled.
        level: Probability that one test of unchanged traffic fails.
        floor: The least KS statistic that matters.

    Returns:
        Rows with a value; infinite where natural variation or the floor hide such a shift.
    """
    gap = _gap(shift)
    noise = 4 * (gap**2 - _natural(column, seconds, level) ** 2) / two_sided_square(level)
    noise -= 1 / max(column.rows - column.missing, 1)
    return 1 / noise if gap >= floor and noise > 0 else math.inf


def rows_until_seen(
    column: ColumnReference,
    shift: float,
    window_rows: float,
    seconds: float,
    level: float,
    floor: float,
) -> float:
    """Return the rows from a shift until half of the time it is seen in a rolling window.

    Args: as for `rows_needed`, and the rows of a full window. The rows of before the shift leave
        it little by little, and the gap grows with the share that has shifted.

    Returns:
        Up to `window_rows`; infinite where not even a whole window shows it.
    """
    noise = 1 / window_rows + 1 / max(column.rows - column.missing, 1)
    chance = math.sqrt(two_sided_square(level) / 4 * noise)
    threshold = max(floor, math.hypot(chance, _natural(column, seconds, level)))
    return share_until_seen(threshold, shift) * window_rows


def share_until_seen(threshold: float, shift: float) -> float:
    """Return the share of a rolling window that a shift must fill until half of the time it shows.

    Args:
        threshold: Of the KS statistic, 0 to 1, or NaN.
        shift: Standard deviations of the mean, over 0.

    Returns:
        0 to 1; infinite where not even a whole window shows it, NaN where the threshold is.
    """
    share = threshold / _gap(shift)
    return math.inf if share > 1 else share


def _gap(shift: float) -> float:
    # The greatest of many gaps, each of which has noise, is a little more than that in the middle.
    return 1.05 * math.erf(shift / math.sqrt(8))


def _natural(column: ColumnReference, seconds: float, level: float) -> float:
    variance, degrees, _ = column.natural("ks_statistic", seconds)
    allowed = variance * doubt(np.array([degrees]), level)
    return float(natural_gap(allowed, level)[0])
