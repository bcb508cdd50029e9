"""Estimated quality of the rows in each window, and doubt of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core import keys
from mlmon_exporter.core.derived.joint import DISTANCE
from mlmon_exporter.core.drift.context import WINDOW_LABELS, ScoringContext
from mlmon_exporter.core.drift.readings import ColumnReadings
from mlmon_exporter.core.records import Readings
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.window import Memo

from .estimate import ClassCalibrations, calibration_of, estimates, middles
from .expected import ExpectedLosses
from .hits import ClassHits
from .readings import QualityReadings
from .reference import OutcomeReference
from .tallies import SegmentSums
from .task import REGRESSION, Task

Floats = NDArray[np.float64]
Matrices = Mapping[int, ReferenceMatrix]
"""By the sides that have columns."""
Tallies = Mapping[int, Any]
"""Of one window: those sides, and SEGMENTS."""
Estimate = Callable[[Tallies], Mapping[str, float]]
"""Gives each quality of a window, NaN where it is not defined."""
Tallied = ColumnReadings | QualityReadings
"""Readings whose tallies estimates are made of."""
DOUBTFUL = 0.05
"""With a greater share of rows unlike any of the reference nothing is estimated: so far off can
those rows alone make an estimate of accuracy."""


def estimate_of(
    matrices: Matrices, sums: SegmentSums | None, outcomes: OutcomeReference | None
) -> Estimate | None:
    """Return the estimate of a model's quality, None where the reference does not allow for one.

    Args:
        matrices: The references of all columns.
        sums: Outcomes of the reference in the layout of the windows.
        outcomes: The same as the reference has them.
    """
    if sums is None or outcomes is None:
        return None
    task = sums.layout.task
    if task.kind == REGRESSION:
        return _of_losses(matrices, outcomes.expected) if outcomes.expected else None
    if len(task.scores) == 1:
        return _of_scores(matrices, sums)
    return _of_classes(matrices, sums, outcomes.hits) if outcomes.hits else None


def _of_losses(matrices: Matrices, expected: ExpectedLosses) -> Estimate:
    sides = {
        side: expected.by_place(matrices[side].references) for side in (keys.FEATURES, keys.OUTPUTS)
    }

    def estimate(tallies: Tallies) -> Mapping[str, float]:
        means = expected.means.copy()
        for side, (losses, which) in sides.items():
            rows = np.bincount(which, tallies[side].counts, losses.shape[1])
            means += losses @ rows / (tallies[side].rows or np.nan)
        # Far from the reference a sum may come to be less than any loss.
        absolute, squared = np.where(means > 0, means, np.nan).tolist()
        return {"mae": absolute, "rmse": float(np.sqrt(squared))}

    return estimate


def _of_scores(matrices: Matrices, sums: SegmentSums) -> Estimate | None:
    calibration, task = calibration_of(sums), sums.layout.task
    if calibration is None:
        return None
    cells, scores = _score_cells(matrices[keys.OUTPUTS], task, 0)

    def estimate(tallies: Tallies) -> Mapping[str, float]:
        rows = tallies[keys.OUTPUTS].counts[cells].astype(np.float64)
        return estimates(calibration, scores, rows)

    return estimate


def _of_classes(matrices: Matrices, sums: SegmentSums, hits: ClassHits) -> Estimate | None:
    layout = sums.layout
    numbers = range(layout.curves)
    if any(number not in hits.curves for number in numbers):
        return None
    calibrations = ClassCalibrations(layout.task, hits, sums)
    each = [_score_cells(matrices[keys.OUTPUTS], layout.task, number) for number in numbers]

    def estimate(tallies: Tallies) -> Mapping[str, float]:
        made = SegmentSums(layout, tallies[keys.SEGMENTS]).each("made")[0]
        counts = tallies[keys.OUTPUTS].counts.astype(np.float64)
        return calibrations.estimates(made, [(scores, counts[cells]) for cells, scores in each])

    return estimate


def _score_cells(outputs: ReferenceMatrix, task: Task, number: int) -> tuple[slice, Floats]:
    """Return the place of the cells of a score, missing left out, and a score for each."""
    layout = outputs.layout
    column = layout.names.index(task.outputs[task.scores[number]])
    start, end = layout.cell_starts[column : column + 2]
    return slice(start, end - 1), middles(layout.bins[column])


def unlike(matrices: Matrices, tallies: Tallies) -> float:
    """Return the share of a window's rows that are unlike any of the reference, 0 to 1.

    The greatest of: rows beyond the 99.9 percentile of the joint distance; of a feature, values
    out of the reference's range, of a category that it never had, or missing where it had all.
    """
    shares = [0.0]
    matrix, tally = matrices[keys.FEATURES], tallies.get(keys.FEATURES)
    if tally is not None and tally.rows:
        sums = matrix.sums_of_counts(tally)
        never_missing = np.array([not column.missing for column in matrix.references])
        rows = np.where(matrix.is_numeric, sums.outside, sums.unseen)
        rows = rows + np.where(never_missing, sums.missing, 0)
        known = [not column.looks and not column.is_id_like for column in matrix.references]
        shares.append(rows[known].max(initial=0) / tally.rows)
    matrix, tally = matrices[keys.DERIVED], tallies.get(keys.DERIVED)
    if DISTANCE in matrix.layout.names and tally is not None and tally.rows:
        j = matrix.layout.names.index(DISTANCE)
        start, end = matrix.layout.cell_starts[j : j + 2]
        beyond = tally.counts[start + matrix.references[j].tail_cells[1] : end - 1]
        shares.append(beyond.sum() / tally.rows)
    return float(max(shares))


class EstimateReadings:
    """Quality to expect of the rows in each window; the same objects while no count changes."""

    def __init__(
        self,
        sides: Mapping[int, Tallied],
        matrices: Matrices,
        estimate: Estimate,
        context: ScoringContext,
    ) -> None:
        """Estimate from the tallies of these sides, whose readings come first."""
        self._sides = sides
        self._matrices = matrices
        self._estimate = estimate
        self._context = context
        self._kept: Memo[list[Readings]] = Memo()

    def at(self, now: float) -> list[Readings]:
        """Return all readings at `now`, Unix seconds."""
        revisions = tuple(side.revision(now) for side in self._sides.values())
        return self._kept.get(revisions, lambda: [*self._all()])

    def _all(self) -> Iterator[Readings]:
        for k, labels in enumerate(self._context.window_labels):
            tallies = {side: readings.tallies[k] for side, readings in self._sides.items()}
            outputs: Any = tallies[keys.OUTPUTS]
            predicted = self._matrices[keys.OUTPUTS].sums_of_counts(outputs).values
            is_small = predicted.max(initial=0) < self._context.policy.min_window_rows
            doubt = np.nan if is_small else unlike(self._matrices, tallies)
            yield Readings("mlmon_estimate_doubt_ratio", WINDOW_LABELS, labels, [doubt])
            for name, value in self._estimate(tallies).items():
                shown = value if doubt <= DOUBTFUL else np.nan
                metric = f"mlmon_estimated_quality_{name}"
                yield Readings(metric, WINDOW_LABELS, labels, [shown])
