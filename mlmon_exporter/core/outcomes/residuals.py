"""The errors of predictions, as one more column: concept drift shows in how they lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .losses import is_scorable, log_loss
from .task import REGRESSION, OutcomeRows, Task

Floats = NDArray[np.float64]

ERROR = "error"
"""The column's name."""


def residuals_of(rows: OutcomeRows, task: Task) -> Floats:
    """Return the errors of rows, finite; NaN of those that have none.

    A regression's are its residuals, ground truth less prediction; a classification's the log
    losses where it gives probabilities, else 1 for a wrong class and 0 for the right one.
    """
    if task.kind == REGRESSION:
        with np.errstate(over="ignore"):
            return np.nan_to_num(rows.truth - rows.predicted)
    if not task.scores:
        return np.asarray(rows.truth != rows.predicted, dtype=np.float64)
    is_scored = is_scorable(rows, task)
    errors = np.full(len(rows.truth), np.nan)
    errors[is_scored] = log_loss(rows.truth[is_scored], rows.scores[is_scored], task)
    return errors
