"""ROC curves that merge, in bounded memory.

A curve is points: a score, the positives and the negatives that have it. Once there are many,
neighbours become one point, as long as their shares of the positives and of the negatives add up
to less than 3 / POINTS. Positives and negatives of one point count as ties, which is exact where
they have one score; so the area under the curve is off by at most 0.75 / POINTS for any
scores, and discrete scores and classes of few rows stay exact.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POINTS = 384
WAITING = 4 * POINTS
"""Points that are gathered before neighbours become one."""
_NONE = np.empty((0, 3))


class RocCurve:
    """Points of a curve. Merging adds; not thread-safe."""

    __slots__ = ("_count", "_parts")

    def __init__(self, points: Floats = _NONE) -> None:
        """Take points, shape (points, 3): score, positives, negatives."""
        self._parts = [points] if len(points) else []
        self._count = len(points)

    def merge(self, other: RocCurve) -> None:
        """Add all rows of `other`; it stays as it is."""
        self._parts.extend(other._parts)
        self._count += other._count
        if self._count > WAITING:
            self._parts = [packed(self.points)]
            # What cannot be packed further is not tried again with each row.
            self._count = len(self._parts[0]) // 2

    @property
    def points(self) -> Floats:
        """The points by ascending score, shape (points, 3): score, positives, negatives."""
        if len(self._parts) != 1:
            self._parts = [_summed(np.concatenate(self._parts))] if self._parts else []
        return self._parts[0] if self._parts else _NONE

    def pack(self) -> None:
        """Shrink in memory."""
        if self._parts:
            self._parts = [packed(self.points)]
            self._count = len(self._parts[0]) // 2


def curves_of(
    owners: NDArray[np.intp], scores: Floats, is_positive: NDArray[np.bool_]
) -> Iterator[tuple[int, RocCurve]]:
    """Give the curve of each owner's rows, which have finite scores."""
    if not len(owners):
        return
    order = np.lexsort((scores, owners))
    owners, scores = owners[order], scores[order]
    is_own = np.concatenate(([True], owners[1:] != owners[:-1]))
    starts = np.flatnonzero(is_own | np.concatenate(([True], scores[1:] != scores[:-1])))
    sums = np.add.reduceat(is_positive[order].astype(np.float64), starts)
    points = np.empty((len(starts), 3))
    points[:, 0], points[:, 1] = scores[starts], sums
    points[:-1, 2] = starts[1:] - starts[:-1] - sums[:-1]
    points[-1, 2] = len(owners) - starts[-1] - sums[-1]
    first = np.searchsorted(starts, np.flatnonzero(is_own)).tolist()
    for start, end in zip(first, [*first[1:], len(points)], strict=True):
        yield int(owners[starts[start]]), RocCurve(points[start:end])


def _summed(points: Floats) -> Floats:
    """Return points by ascending score; points of one score are added up."""
    if len(points) < 2:
        return points
    points = points[np.argsort(points[:, 0], kind="stable")]
    starts = np.flatnonzero(np.diff(points[:, 0], prepend=-np.inf) > 0)
    sums = np.add.reduceat(points[:, 1:], starts, axis=0)
    return np.column_stack((points[starts, 0], sums))


def packed(points: Floats) -> Floats:
    """Return a curve of at most some three times `POINTS` points, neighbours put together."""
    if len(points) <= POINTS:
        return points
    totals = np.maximum(points[:, 1:].sum(axis=0), 1.0)
    weights = (points[:, 1:] / totals).sum(axis=1)
    step = 2.0 / POINTS
    is_heavy = weights >= step / 2
    group = np.floor((np.cumsum(weights) - weights) / step)
    is_first = np.diff(group, prepend=-1.0) > 0
    is_first |= is_heavy
    is_first[1:] |= is_heavy[:-1]
    starts = np.flatnonzero(is_first)
    sums = np.add.reduceat(points[:, 1:], starts, axis=0)
    rows = points[:, 1:].sum(axis=1)
    means = np.add.reduceat(points[:, 0] * rows, starts) / np.maximum(sums.sum(axis=1), 1e-300)
    return np.column_stack((means, sums))


def area(points: Floats) -> float:
    """Return the area under the ROC curve, 0 to 1; NaN without rows of both classes.

    It is the chance that a positive has a higher score than a negative, ties counting half.
    """
    _, positives, negatives = points.T
    pairs = positives.sum() * negatives.sum()
    if not pairs:
        return float("nan")
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / pairs)


def area_variance(points: Floats) -> tuple[float, float]:
    """Return the variances of the area's two parts: of one positive's, and of one negative's.

    With m positives and n negatives the area's variance is a / m + b / n. NaN without both.

    Source: DeLong, DeLong and Clarke-Pearson (1988), Comparing the Areas under Two or More
    Correlated ROC Curves.
    """
    _, positives, negatives = points.T
    m, n = positives.sum(), negatives.sum()
    if not m * n:
        return float("nan"), float("nan")
    of_positive = (np.cumsum(negatives) - negatives / 2) / n
    of_negative = 1 - (np.cumsum(positives) - positives / 2) / m
    return _variance(of_positive, positives), _variance(of_negative, negatives)


def _variance(values: Floats, weights: Floats) -> float:
    mean = (values * weights).sum() / weights.sum()
    return float((np.square(values - mean) * weights).sum() / weights.sum())


def area_error(points: Floats) -> float:
    """Return the area's standard error; NaN without rows of both classes."""
    m, n = points[:, 1:].sum(axis=0)
    of_positives, of_negatives = area_variance(points)
    return float(np.sqrt(of_positives / m + of_negatives / n)) if m * n else float("nan")
