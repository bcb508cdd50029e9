"""Estimated quality of the rows in each window, and doubt of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core import keys
from mlmon_exporter.core.drift.context import WINDOW_LABELS, ScoringContext
from mlmon_exporter.core.drift.readings import ColumnReadings
from mlmon_exporter.core.records import Readings
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.tally import Tally
from mlmon_exporter.core.windows.window import Memo

from .estimate import calibration_of, estimates, middles
from .expected import ExpectedLosses
from .reference import OutcomeReference
from .tallies import SegmentSums
from .task import REGRESSION, Task

Floats = NDArray[np.float64]
Matrices = Mapping[int, ReferenceMatrix]
"""By the sides that have columns."""
Tallies = Mapping[int, Tally]
"""Of one window, by those sides."""
Estimate = Callable[[Tallies], Mapping[str, float]]
"""Gives each quality of a window, NaN where it is not defined."""


def estimate_of(
    matrices: Matrices,
    sums: SegmentSums | None,
    outcomes: OutcomeReference | None,
    least_rows: float,
) -> Estimate | None:
    """Return the estimate of a model's quality, None where the reference does not allow for one.

    Args:
        matrices: The references of all columns.
        sums: Outcomes of the reference in the layout of the windows.
        outcomes: The same as the reference has them.
        least_rows: Of a window; with fewer, nothing is estimated.
    """
    if sums is None or outcomes is None:
        return None
    if sums.layout.task.kind == REGRESSION:
        return _of_losses(matrices, outcomes.expected, least_rows) if outcomes.expected else None
    return _of_scores(matrices, sums, least_rows)


def _of_losses(matrices: Matrices, expected: ExpectedLosses, least_rows: float) -> Estimate:
    sides = {
        side: expected.of_cells(matrices[side].references) for side in (keys.FEATURES, keys.OUTPUTS)
    }

    def estimate(tallies: Tallies) -> Mapping[str, float]:
        means = expected.means.copy()
        for side, losses in sides.items():
            rows = tallies[side].rows
            means += losses @ tallies[side].counts / (rows if rows >= least_rows else np.nan)
        # Far from the reference a sum may come to be less than any loss.
        absolute, squared = np.where(means > 0, means, np.nan).tolist()
        return {"mae": absolute, "rmse": float(np.sqrt(squared))}

    return estimate


def _of_scores(matrices: Matrices, sums: SegmentSums, least_rows: float) -> Estimate | None:
    calibration, task = calibration_of(sums), sums.layout.task
    if calibration is None:
        return None
    cells, scores = _score_cells(matrices[keys.OUTPUTS], task, 0)

    def estimate(tallies: Tallies) -> Mapping[str, float]:
        rows = tallies[keys.OUTPUTS].counts[cells].astype(np.float64)
        return estimates(calibration, scores, rows if rows.sum() >= least_rows else 0 * rows)

    return estimate


def _score_cells(outputs: ReferenceMatrix, task: Task, number: int) -> tuple[slice, Floats]:
    """Return the place of the cells of a score, missing left out, and a score for each."""
    layout = outputs.layout
    column = layout.names.index(task.outputs[task.scores[number]])
    start, end = layout.cell_starts[column : column + 2]
    return slice(start, end - 1), middles(layout.bins[column])


class EstimateReadings:
    """Quality to expect of the rows in each window; the same objects while no count changes."""

    def __init__(
        self, sides: Mapping[int, ColumnReadings], estimate: Estimate, context: ScoringContext
    ) -> None:
        """Estimate from the columns of these sides, whose readings come first."""
        self._sides = sides
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
            for name, value in self._estimate(tallies).items():
                metric = f"mlmon_estimated_quality_{name}"
                yield Readings(metric, WINDOW_LABELS, labels, [value])
