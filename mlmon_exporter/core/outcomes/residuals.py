"""Residuals of predictions, as one more column: concept drift shows in their distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .losses import is_scorable, log_loss
from .task import REGRESSION, OutcomeRows, Task

Floats = NDArray[np.float64]

RESIDUAL = "error"
"""Name of the column."""


def residuals_of(rows: OutcomeRows, task: Task) -> Floats:
    """Return the residual of each row, finite; NaN where a row has none.

    Of a regression the ground truth less the prediction. Of a classification the log loss where
    it gives probabilities, else 1 for a wrong class and 0 for the right one.
    """
    if task.kind == REGRESSION:
        with np.errstate(over="ignore"):
            return np.nan_to_num(rows.truth - rows.predicted)
    if not task.scores:
        return np.asarray(rows.truth != rows.predicted, dtype=np.float64)
    is_scored = is_scorable(rows, task)
    residuals = np.full(len(rows.truth), np.nan)
    residuals[is_scored] = log_loss(rows.truth[is_scored], rows.scores[is_scored], task)
    return residuals
