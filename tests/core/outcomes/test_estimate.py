"""Facts about quality that is estimated without outcomes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from mlmon_exporter.cli.demo.datasets import INCOME_NUMBERS, INCOME_TEXTS, Labelled, income_splits
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.estimate import Calibration, estimates, isotonic, middles
from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.profile.edges import atom_edges
from tests.core.outcome_rows import NOW, model_of, overall, predicted, told

Rows = dict[str, NDArray[Any]]


def columns_of(part: Labelled) -> Rows:
    names = (*INCOME_NUMBERS, *INCOME_TEXTS)
    rows = {name: np.array([row[name] for row in part.rows], dtype=object) for name in names}
    return {name: np.where(values == None, "?", values) for name, values in rows.items()}  # noqa: E711


@cache
def income() -> tuple[Model, Rows]:
    """A model whose reference is held out, and traffic with probabilities and outcomes."""
    sides = income_splits()
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    classifier = make_pipeline(
        make_column_transformer((codes, slice(5, None)), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=80, learning_rate=0.08, random_state=0),
    )
    training = columns_of(sides.training)
    classifier.fit(_table(training), list(sides.training.outcomes))

    def scored(part: Labelled) -> Rows:
        rows = columns_of(part)
        p = classifier.predict_proba(_table(rows))[:, 1]
        return {**rows, "p": p, "income": np.array(part.outcomes, dtype=object)}

    model = model_of(scored(sides.reference), ["p"], ground_truth="income")
    return model, scored(sides.traffic["all"])


def _table(rows: Rows) -> NDArray[Any]:
    return np.column_stack([*rows.values()])


SHIFTS: dict[str, Callable[[Rows], NDArray[Any]]] = {
    "older": lambda rows: rows["age"] / 12,
    "younger": lambda rows: -rows["age"] / 12,
    "married": lambda rows: 2.0 * (rows["marital_status"] == "Married-civ-spouse"),
    "single": lambda rows: -2.0 * (rows["marital_status"] == "Married-civ-spouse"),
    "educated": lambda rows: rows["education_num"] / 2,
    "less educated": lambda rows: -rows["education_num"] / 2,
    "longer hours": lambda rows: rows["hours_per_week"] / 20,
    "women": lambda rows: 3.0 * (rows["sex"] == "Female"),
}


@pytest.mark.slow
def test_under_covariate_shift_the_estimate_is_far_closer_than_the_reference() -> None:
    model, traffic = income()
    before = overall(told(model), "reference_quality_")
    rng, errors = np.random.default_rng(0), []
    for i, log_weight in enumerate(SHIFTS.values()):
        weight = np.exp(np.asarray(log_weight(traffic), dtype=np.float64))
        assert weight.sum() ** 2 / np.square(weight).sum() > 1000  # not the same few people
        chosen = rng.choice(len(weight), 6000, p=weight / weight.sum())
        rows = {key: values[chosen] for key, values in traffic.items()}
        at = NOW + (i + 1) * 7200
        predicted(model, {}, {"p": rows["p"]}, at=at)
        found = overall(told(model, now=at), "estimated_quality_")
        is_rich = rows["income"] == ">50K"
        true = {
            "accuracy": accuracy_score(is_rich, rows["p"] >= 0.5),
            "roc_auc": roc_auc_score(is_rich, rows["p"]),
        }
        errors.append([[abs(side[q] - true[q]) for q in true] for side in (found, before)])
    ours, always_the_references = np.mean(errors, axis=0)
    assert (3 * ours < always_the_references).all()


@pytest.mark.slow
def test_on_unchanged_rows_the_estimate_is_the_quality() -> None:
    model, traffic = income()
    predicted(model, {}, {"p": traffic["p"]}, at=NOW)
    found = overall(told(model), "estimated_quality_")
    is_rich = traffic["income"] == ">50K"
    assert found["accuracy"] == pytest.approx(
        accuracy_score(is_rich, traffic["p"] >= 0.5), abs=0.01
    )
    assert found["roc_auc"] == pytest.approx(roc_auc_score(is_rich, traffic["p"]), abs=0.01)
    before = overall(told(model), "reference_quality_")
    for name in ("precision", "recall", "f1", "log_loss", "brier"):
        assert found[name] == pytest.approx(before[name], abs=0.03), name


@pytest.mark.slow
def test_few_rows_have_no_estimate() -> None:
    model, _ = income()
    at = NOW + 1e6
    predicted(model, {}, {"p": [0.5] * 29}, at=at)
    assert not overall(told(model, now=at), "estimated_quality_")


@pytest.mark.slow
def test_the_models_own_threshold_is_found() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(20_000)
    label, y = p >= 0.8, rng.random(20_000) < p
    model = model_of({"p": p, "label": label, "y": y}, ["p", "label"], ground_truth="y")
    predicted(model, {}, {"p": p, "label": label})
    found = overall(told(model), "estimated_quality_")
    before = overall(told(model), "reference_quality_")
    for name in ("accuracy", "precision", "recall"):
        assert found[name] == pytest.approx(before[name], abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_the_rising_shares_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 20, 200).astype(np.float64)
    hits = rng.binomial(rows.astype(int), np.linspace(0, 1, 200)).astype(np.float64)
    exact = IsotonicRegression().fit_transform(np.arange(200), hits / rows, sample_weight=rows)
    assert isotonic(hits, rows) == pytest.approx(exact, abs=1e-12)


def test_each_score_has_a_cell_that_stands_for_it() -> None:
    edges = np.union1d(atom_edges([0.25]), [0.0, 0.5, 1.0])
    scores = middles(NumericBins(edges, np.empty(0)))
    assert scores == pytest.approx([0, 0.125, 0.25, 0.375, 0.75, 1.0])


def test_estimates_of_no_rows_are_unknown() -> None:
    calibration = Calibration(np.array([[0.2, 1, 4], [0.8, 4, 1.0]]), 0.5)
    found = estimates(calibration, np.array([0.2, 0.8]), np.zeros(2))
    assert np.isnan(list(found.values())).all()


def test_estimates_of_two_scores_are_as_worked_by_hand() -> None:
    calibration = Calibration(np.array([[0.2, 1, 4], [0.8, 3, 1.0]]), 0.5)
    found = estimates(calibration, np.array([0.2, 0.8]), np.array([10.0, 20.0]))
    # Chances are 0.2 and 0.75: 2 of 10 and 15 of 20 come true.
    assert found["accuracy"] == pytest.approx((8 + 15) / 30)
    assert found["precision"] == pytest.approx(15 / 20)
    assert found["recall"] == pytest.approx(15 / 17)
    assert found["roc_auc"] == pytest.approx((15 * 8 + 2 * 8 / 2 + 15 * 5 / 2) / (17 * 13))
