"""Losses of rows: log loss and Brier score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .task import OutcomeRows, Task

Floats = NDArray[np.float64]

LEAST_PROBABILITY = float(np.finfo(np.float64).eps)
"""Probabilities are clipped to this from below in log loss, as in scikit-learn."""


def is_scorable(outcomes: OutcomeRows, task: Task) -> NDArray[np.bool_]:
    """Return a mask of the rows that have all probabilities, and a class that has one."""
    is_known = ~np.isnan(outcomes.scores).any(axis=1)
    if len(task.scores) > 1:
        is_known &= outcomes.truth < len(task.scores)
    return np.asarray(is_known)


def class_chances(truth: Floats, scores: Floats, task: Task) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the probability that calibration compares, and 1 where it came true, else 0.

    That of the positive class; with a probability for each class, of the most probable one.
    """
    if len(task.scores) == 1:
        return scores[:, 0], truth == (task.positive or 0)
    best = np.argmax(scores, axis=1) if len(scores) else np.empty(0, dtype=np.intp)
    return np.take_along_axis(scores, best[:, None], axis=1)[:, 0], truth == best


def log_loss(truth: Floats, scores: Floats, task: Task) -> Floats:
    """Return each row's log loss, nats: minus the logarithm of its class's probability.

    Probabilities are kept off 0 and 1, as in scikit-learn.
    """
    if len(task.scores) == 1:
        chance = np.where(truth == (task.positive or 0), scores[:, 0], 1 - scores[:, 0])
    else:
        chance = np.take_along_axis(scores, truth.astype(np.intp)[:, None], axis=1)[:, 0]
    safe = np.clip(chance, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(-np.log(safe), dtype=np.float64)


def brier(truth: Floats, scores: Floats, task: Task) -> Floats:
    """Return each row's squared error of probabilities; the sum over classes if each has one."""
    if len(task.scores) == 1:
        return np.asarray(np.square(scores[:, 0] - (truth == (task.positive or 0))))
    is_true = truth[:, None] == np.arange(len(task.scores))
    return np.asarray(np.square(scores - is_true).sum(axis=1))
