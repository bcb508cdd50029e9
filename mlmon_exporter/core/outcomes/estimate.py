"""Estimates of quality without outcomes, from the scores of a window.

The reference tells how often the outcome is positive at each score; as long as that holds, the
scores of a window tell how often predictions are right. Estimates follow covariate shift. They are
blind to concept drift: where the same inputs lead to other outcomes, they stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import Bins, CategoryBins
from mlmon_exporter.core.stats import roc
from mlmon_exporter.core.stats.roc import RocCurve

from .hits import ClassHits
from .losses import LEAST_PROBABILITY
from .quality import quality
from .segments import Segments
from .tallies import SegmentLayout, SegmentSums
from .task import HALF, Task

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ESTIMATED = ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier")


class Calibration:
    """Probability of a positive outcome by score in the reference; it rises with the score."""

    def __init__(self, points: Floats, threshold: float) -> None:
        """Take a curve's points, and the score from which rows are predicted positive.

        The probabilities are the isotonic regression of the outcomes on the scores. Source:
        Zadrozny and Elkan (2002), Transforming Classifier Scores into Accurate Multiclass
        Probability Estimates.
        """
        self._scores = points[:, 0]
        self._chances = isotonic(points[:, 1], points[:, 1:].sum(axis=1))
        self.threshold = threshold

    def chances(self, scores: Floats) -> Floats:
        """Return the probability at each score, 0 to 1, interpolated between the reference's."""
        return np.interp(scores, self._scores, self._chances)


def isotonic(hits: Floats, rows: Floats) -> Floats:
    """Return the rising shares that best fit hits out of rows, in order; rows are over 0.

    Source: the pool-adjacent-violators algorithm; Barlow et al. (1972), Statistical Inference
    under Order Restrictions.
    """
    pooled: list[list[float]] = []  # hits, rows, points
    for hit, count in zip(hits.tolist(), rows.tolist(), strict=True):
        pooled.append([hit, count, 1])
        while len(pooled) > 1 and pooled[-2][0] * pooled[-1][1] >= pooled[-1][0] * pooled[-2][1]:
            last = pooled.pop()
            pooled[-1] = [a + b for a, b in zip(pooled[-1], last, strict=True)]
    return np.repeat([h / r for h, r, _ in pooled], [int(points) for _, _, points in pooled])


def calibration_of(reference: SegmentSums) -> Calibration | None:
    """Return the calibration of a binary classification's reference, None if it has none."""
    task, points = reference.layout.task, reference.points(0)
    if reference.layout.curves != 1 or not points[:, 1:].sum(axis=0).all():
        return None
    if task.label is None or task.positive is None:
        return Calibration(points, HALF)
    # The model decides itself: as many rows as it calls positive are above its threshold.
    selected = reference.each("predicted")[0, task.positive]
    above = np.cumsum(points[::-1, 1:].sum(axis=1))
    last = int(np.searchsorted(above, selected, side="right"))
    scores = points[::-1, 0]
    return Calibration(points, float(scores[last - 1]) if last else np.inf)


def middles(bins: Bins) -> Floats:
    """Return a score for each cell of a numeric column but missing: its middle."""
    if isinstance(bins, CategoryBins):
        return np.empty(0)
    edges = np.clip(np.concatenate((bins.edges[:1], bins.edges, bins.edges[-1:])), 0.0, 1.0)
    # The cell of a single value has that value as its upper edge.
    is_atom = np.nextafter(edges[:-1], np.inf) >= edges[1:]
    return np.where(is_atom, edges[1:], (edges[:-1] + edges[1:]) / 2)


def estimates(calibration: Calibration, scores: Floats, rows: Floats) -> dict[str, float]:
    """Return the expected qualities of rows with these scores.

    Args:
        calibration: Of the reference.
        scores: Ascending.
        rows: Number of rows with each score.

    Returns:
        Each of `ESTIMATED`; NaN where it is not defined, and all without rows.
    """
    total = rows.sum()
    if not total:
        return dict.fromkeys(ESTIMATED, float("nan"))
    chance = calibration.chances(scores)
    hits, misses = rows * chance, rows * (1 - chance)
    is_selected = scores >= calibration.threshold
    right, wrong = hits[is_selected].sum(), misses[is_selected].sum()
    missed = hits[~is_selected].sum()
    safe = np.clip(scores, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    log_losses = -(hits * np.log(safe) + misses * np.log1p(-safe))
    return {
        "accuracy": float((right + misses[~is_selected].sum()) / total),
        "precision": _share(right, right + wrong),
        "recall": _share(right, right + missed),
        "f1": _share(2 * right, 2 * right + wrong + missed),
        "roc_auc": roc.area(np.column_stack((scores, hits, misses))),
        "log_loss": float(log_losses.sum() / total),
        "brier": float((hits * np.square(1 - scores) + misses * np.square(scores)).sum() / total),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


class ClassCalibrations:
    """Expected outcomes of many classes: how they go with predicted classes and with scores."""

    def __init__(self, task: Task, hits: ClassHits, reference: SegmentSums) -> None:
        """Take the reference's hits, and its curves of all rows.

        A class is as likely as its score was right, and is predicted and right as often as at
        that score; without scores, both as often as it was predicted. Source: Guo et al. (2017),
        On Calibration of Modern Neural Networks, on one class against the rest.
        """
        self._layout = SegmentLayout(task, Segments())
        rows = hits.confusion.sum(axis=1, keepdims=True)
        self._confusion = hits.confusion / np.maximum(rows, 1.0)
        self._curves = [
            [
                Calibration(points, HALF)
                for points in (reference.points(0, k), hits.curves[k].points)
            ]
            for k in range(self._layout.curves)
        ]

    def estimates(self, made: Floats, scores: Sequence[tuple[Floats, Floats]]) -> dict[str, float]:
        """Return the expected qualities of rows.

        Args:
            made: Rows predicted to be of each class, and of others.
            scores: For each class its scores, ascending, and the number of rows with each; none
                where predictions have no probabilities.

        Returns:
            Each of `ESTIMATED` that is defined, but for the log loss: the least of probabilities
            decide it, which share a cell.
        """
        expected = self._layout.new()
        sums = SegmentSums(self._layout, expected)
        rows = made.sum()
        true, hits = made @ self._confusion, made * np.diag(self._confusion)
        for k, (each, counts) in enumerate(scores):
            own = counts * (rows / counts.sum() if counts.any() else np.nan)
            chance, hit = (own * curve.chances(each) for curve in self._curves[k])
            true[k], hits[k] = chance.sum(), min(hit.sum(), made[k])
            points = np.column_stack((each, chance, own - chance))
            expected.curves[0, k] = RocCurve(points)
            squares = chance * np.square(1 - each) + (own - chance) * np.square(each)
            sums["brier"][0] += squares.sum()
        names = ["rows", "correct", *["scored"] * bool(scores)]
        for name, value in zip(names, (rows, hits.sum(), rows), strict=False):
            sums[name][0] = value
        for name, values in (("true", true), ("predicted", made), ("hits", hits)):
            sums.each(name)[0] = values
        found = quality(sums)
        return {n: float(found[n][0]) for n in ESTIMATED if n in found and n != "log_loss"}
