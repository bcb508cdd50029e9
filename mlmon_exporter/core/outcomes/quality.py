"""The table of qualities of predictions, as scikit-learn defines them.

A quality is a row of `QUALITY`: a number for each segment, NaN where its rows are too few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats import roc

from .tallies import SegmentSums, ratio
from .task import CLASSIFICATION, REGRESSION, Task

Floats = NDArray[np.float64]
OfSegments = Callable[[SegmentSums], Floats]


class Quality(NamedTuple):
    """A quality of predictions."""

    task: str
    of: OfSegments
    error: OfSegments | None = None
    """Standard error. A quality that has one is compared with a threshold."""
    sign: int = 1
    """1 if greater is better, -1 if less is."""
    needs_scores: bool = False


def _accuracy(s: SegmentSums) -> Floats:
    return s.mean("correct")


def _accuracy_error(s: SegmentSums) -> Floats:
    # One right and one wrong row are added: without a mistake there would be no noise.
    share = (s["correct"] + 1) / (s["rows"] + 2)
    return np.sqrt(ratio(share * (1 - share), s["rows"]))


def _by_class(s: SegmentSums, count: Callable[[Floats, Floats, Floats], Floats]) -> Floats:
    """Return a quality of the positive class, or its mean over all classes that occur."""
    hits, true, predicted = (s.each(name) for name in ("hits", "true", "predicted"))
    positive = s.layout.task.positive
    if positive is not None:
        return count(hits[:, positive], true[:, positive], predicted[:, positive])
    occurs = true + predicted > 0
    values = np.where(occurs, np.nan_to_num(count(hits, true, predicted)), 0.0)
    return ratio(values.sum(axis=1), occurs.sum(axis=1).astype(np.float64))


def _precision(s: SegmentSums) -> Floats:
    return _by_class(s, lambda hits, true, predicted: ratio(hits, predicted))


def _recall(s: SegmentSums) -> Floats:
    return _by_class(s, lambda hits, true, predicted: ratio(hits, true))


def _f1(s: SegmentSums) -> Floats:
    return _by_class(s, lambda hits, true, predicted: ratio(2 * hits, true + predicted))


def _roc_auc(s: SegmentSums) -> Floats:
    numbers = range(s.layout.curves)
    areas = [[roc.area(s.points(i, n)) for n in numbers] for i in range(s.layout.segment_count)]
    known = ~np.isnan(areas)
    return ratio(np.nan_to_num(areas).sum(axis=1), known.sum(axis=1).astype(np.float64))


def _roc_auc_error(s: SegmentSums) -> Floats:
    if s.layout.curves != 1:
        return np.full(s.layout.segment_count, np.nan)
    return np.array([roc.area_error(s.points(i)) for i in range(s.layout.segment_count)])


def _calibration_error(s: SegmentSums) -> Floats:
    gaps = np.abs(s.each("bin_hits") - s.each("bin_scores")).sum(axis=1)
    return ratio(gaps, s["scored"])


def _mean_of(name: str, rows: str = "rows") -> OfSegments:
    return lambda s: s.mean(name, rows)


def _mean_error(name: str, squares: str, rows: str = "rows") -> OfSegments:
    """Return a function that computes the standard error of a mean."""

    def error(s: SegmentSums) -> Floats:
        variance = s.mean(squares, rows) - np.square(s.mean(name, rows))
        return np.sqrt(ratio(np.maximum(variance, 0.0), s[rows]))

    return error


def _rmse(s: SegmentSums) -> Floats:
    return np.sqrt(s.mean("squares"))


def _rmse_error(s: SegmentSums) -> Floats:
    # The delta method for the root of a mean: half the mean's error over the root.
    return ratio(_mean_error("squares", "fourths")(s), 2 * _rmse(s))


def _r2(s: SegmentSums) -> Floats:
    spread = s["truth_squares"] - ratio(np.square(s["truths"]), s["rows"])
    # Equal ground truths leave some rounding error, which is no spread.
    spread = np.where(spread > 1e-12 * s["truth_squares"], spread, 0.0)
    return 1 - ratio(s["squares"], spread)


QUALITY: Mapping[str, Quality] = {
    "accuracy": Quality(CLASSIFICATION, _accuracy, _accuracy_error),
    "precision": Quality(CLASSIFICATION, _precision),
    "recall": Quality(CLASSIFICATION, _recall),
    "f1": Quality(CLASSIFICATION, _f1),
    "roc_auc": Quality(CLASSIFICATION, _roc_auc, _roc_auc_error, needs_scores=True),
    "log_loss": Quality(
        CLASSIFICATION,
        _mean_of("log_loss", "scored"),
        _mean_error("log_loss", "log_loss_squared", "scored"),
        sign=-1,
        needs_scores=True,
    ),
    "brier": Quality(
        CLASSIFICATION,
        _mean_of("brier", "scored"),
        _mean_error("brier", "brier_squared", "scored"),
        sign=-1,
        needs_scores=True,
    ),
    "calibration_error": Quality(CLASSIFICATION, _calibration_error, sign=-1, needs_scores=True),
    "rmse": Quality(REGRESSION, _rmse, _rmse_error, sign=-1),
    "mae": Quality(REGRESSION, _mean_of("absolutes"), _mean_error("absolutes", "squares"), sign=-1),
    "r2": Quality(REGRESSION, _r2),
    "mape": Quality(REGRESSION, _mean_of("relatives"), sign=-1),
}
"""Name -> the quality."""


def qualities_of(task: Task) -> Mapping[str, Quality]:
    """Return the qualities of a task."""
    return {
        name: quality
        for name, quality in QUALITY.items()
        if quality.task == task.kind and (task.scores or not quality.needs_scores)
    }


def quality(s: SegmentSums) -> dict[str, Floats]:
    """Return all qualities of each segment, finite or NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = {name: each.of(s) for name, each in qualities_of(s.layout.task).items()}
    return {name: np.where(np.isfinite(found), found, np.nan) for name, found in values.items()}
