"""Facts about the losses of rows: their means are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from mlmon_exporter.core.outcomes.losses import brier, class_chances, is_scorable, log_loss
from mlmon_exporter.core.outcomes.task import CLASSIFICATION, OutcomeRows, Task

RNG = np.random.default_rng(3)
TWO = Task(CLASSIFICATION, ("p",), ("no", "yes"), positive=1, scores=(0,))
THREE = Task(CLASSIFICATION, ("a", "b", "c"), ("a", "b", "c"), scores=(0, 1, 2))
CHANCES = RNG.dirichlet((1.0, 1.0, 1.0), 500)
TRUTH = RNG.integers(0, 3, 500).astype(np.float64)


def test_the_mean_log_loss_is_that_of_scikit_learn() -> None:
    chance, happened = RNG.random((500, 1)), RNG.integers(0, 2, 500).astype(np.float64)
    chance[:2, 0] = (0.0, 1.0)
    found = log_loss(happened, chance, TWO).mean()
    assert found == pytest.approx(sk.log_loss(happened, chance[:, 0]))
    assert log_loss(TRUTH, CHANCES, THREE).mean() == pytest.approx(sk.log_loss(TRUTH, CHANCES))


def test_the_mean_brier_score_is_that_of_scikit_learn() -> None:
    chance, happened = RNG.random((500, 1)), RNG.integers(0, 2, 500).astype(np.float64)
    found = brier(happened, chance, TWO).mean()
    assert found == pytest.approx(sk.brier_score_loss(happened, chance[:, 0]))
    one_hot = np.eye(3)[TRUTH.astype(int)]
    expected = ((CHANCES - one_hot) ** 2).sum(axis=1).mean()
    assert brier(TRUTH, CHANCES, THREE).mean() == pytest.approx(expected)


def test_calibration_compares_the_positive_class_or_the_most_probable_one() -> None:
    chance, happened = class_chances(np.array([1.0, 0.0]), np.array([[0.9], [0.8]]), TWO)
    assert (chance.tolist(), happened.tolist()) == ([0.9, 0.8], [True, False])
    rows = np.array([[0.2, 0.7, 0.1], [0.5, 0.3, 0.2]])
    chance, happened = class_chances(np.array([1.0, 2.0]), rows, THREE)
    assert (chance.tolist(), happened.tolist()) == ([0.7, 0.5], [True, False])


def test_a_row_without_a_probability_or_of_an_unknown_class_is_not_scored() -> None:
    scores = np.array([[0.2, 0.7, 0.1], [0.2, np.nan, 0.1], [0.2, 0.7, 0.1]])
    rows = OutcomeRows(np.array([0.0, 1.0, 3.0]), np.zeros(3), scores)
    assert is_scorable(rows, THREE).tolist() == [True, False, False]
