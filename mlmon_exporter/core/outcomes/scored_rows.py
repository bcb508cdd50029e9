"""Rows with outcomes, and the sums that each adds to its segments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.roc import curves_of

from .losses import LEAST_PROBABILITY, brier, class_chances, is_scorable, log_loss
from .residuals import residuals_of
from .tallies import CALIBRATION_BINS, SegmentLayout, SegmentTally
from .task import REGRESSION, OutcomeRows

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


class ScoredRows(NamedTuple):
    """n rows with outcomes."""

    sums: Floats
    """Shape (n, width of the layout): each row's addition to the sums of its segments."""
    scores: Floats
    """Shape (n, curves): the score in each curve; NaN where the row is not in it."""
    is_positive: NDArray[np.bool_]
    """The same shape."""
    residuals: Floats
    """Shape (n,): NaN where a row has none."""

    def of(self, rows: NDArray[np.intp]) -> ScoredRows:
        """Return some of the rows."""
        sums, scores, is_positive, residuals = self
        return ScoredRows(sums[rows], scores[rows], is_positive[rows], residuals[rows])


def scored_rows(layout: SegmentLayout, rows: OutcomeRows) -> ScoredRows:
    """Return the sums of each row. Squares of very large numbers are infinite."""
    n = len(rows.truth)
    sums = np.zeros((n, layout.width))
    made = _Sums(layout, sums)
    made.add("rows", np.ones(n))
    residuals = residuals_of(rows, layout.task)
    none = np.empty((n, 0))
    with np.errstate(over="ignore", invalid="ignore"):
        if layout.task.kind == REGRESSION:
            _add_numbers(made, rows, layout.center)
            return ScoredRows(sums, none, none.astype(bool), residuals)
        _add_classes(made, rows)
        if not layout.task.scores:
            return ScoredRows(sums, none, none.astype(bool), residuals)
        scores, is_positive = _add_scores(made, rows, layout)
        return ScoredRows(sums, scores, is_positive, residuals)


def tally_outcomes(layout: SegmentLayout, rows: ScoredRows, which: Codes) -> SegmentTally:
    """Add up rows by their segments, as `segment_indexes` gives them."""
    tally = layout.new()
    tally.rows = n = len(rows.sums)
    owners = which.ravel()
    order = np.argsort(owners, kind="stable")
    ordered = owners[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(ordered)])
    tally.sums[ordered[starts]] = np.add.reduceat(rows.sums[order % n], starts)
    for number in range(layout.curves):
        is_scored = ~np.isnan(rows.scores[:, number])
        own = which[:, is_scored]
        scores = np.concatenate([rows.scores[is_scored, number]] * len(own))
        is_positive = np.concatenate([rows.is_positive[is_scored, number]] * len(own))
        for each, curve in curves_of(own.ravel(), scores, is_positive):
            tally.curves[each, number] = curve
    return tally


class _Sums:
    """Writes rows' values to their places. A row has one class and one bin at most."""

    def __init__(self, layout: SegmentLayout, sums: Floats) -> None:
        self._fields = layout.fields
        self._sums = sums
        self._rows = np.arange(len(sums))

    def add(self, name: str, values: Floats) -> None:
        self._sums[:, self._fields[name].start] = values

    def put(self, name: str, codes: Floats, values: Floats | float = 1.0) -> None:
        """Write a value at the place of each row's class or bin."""
        self._sums[self._rows, self._fields[name].start + codes.astype(np.intp)] = values


def _add_numbers(made: _Sums, rows: OutcomeRows, center: float) -> None:
    absolute, truth = np.abs(rows.truth - rows.predicted), rows.truth - center
    made.add("squares", np.square(absolute))
    made.add("fourths", np.square(np.square(absolute)))
    made.add("absolutes", absolute)
    made.add("relatives", absolute / np.maximum(np.abs(rows.truth), LEAST_PROBABILITY))
    made.add("truths", truth)
    made.add("truth_squares", np.square(truth))


def _add_classes(made: _Sums, rows: OutcomeRows) -> None:
    is_hit = (rows.truth == rows.predicted).astype(np.float64)
    made.add("correct", is_hit)
    made.put("true", rows.truth)
    made.put("predicted", rows.predicted)
    made.put("hits", rows.truth, is_hit)


def _add_scores(
    made: _Sums, rows: OutcomeRows, layout: SegmentLayout
) -> tuple[Floats, NDArray[np.bool_]]:
    task = layout.task
    is_scored = is_scorable(rows, task)
    # 0.5 stands in for missing scores, which are not counted.
    scores = np.where(is_scored[:, None], rows.scores, 0.5)
    truth = np.where(is_scored, rows.truth, 0.0)
    counted = is_scored.astype(np.float64)
    made.add("scored", counted)
    for name, loss_of in (("log_loss", log_loss), ("brier", brier)):
        loss = loss_of(truth, scores, task) * counted
        made.add(name, loss)
        made.add(f"{name}_squared", np.square(loss))
    chances, happened = class_chances(truth, scores, task)
    bins = np.minimum(np.floor(chances * CALIBRATION_BINS), CALIBRATION_BINS - 1)
    made.put("bin_rows", bins, counted)
    made.put("bin_scores", bins, chances * counted)
    made.put("bin_hits", bins, happened * counted)
    classes = [task.positive or 0] if len(task.scores) == 1 else [*range(len(task.scores))]
    in_curves = np.where(is_scored[:, None], rows.scores, np.nan)
    return in_curves, rows.truth[:, None] == np.array(classes)
