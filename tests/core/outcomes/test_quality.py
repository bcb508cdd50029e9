"""Facts about quality: scikit-learn's numbers on the joined rows, absent where rows are too few."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from tests.core.outcome_rows import NOW, model_of, overall, predicted, tell, told
from tests.core.outcomes.people import (
    assert_equal,
    binary_oracle,
    calibration_error,
    feed,
    people,
    people_model,
)


def test_two_classes_are_scored_as_scikit_learn_does() -> None:
    model, rows = people_model(), people(2000, 1)
    feed(model, rows)
    assert_equal(overall(told(model)), binary_oracle(rows))


def test_each_segment_is_scored_as_its_rows_alone() -> None:
    model, rows = people_model(), people(2000, 2)
    feed(model, rows)
    found = told(model)
    bands = np.array(["<30", "[30, 50)", ">=50"])[np.digitize(rows["age"], (30, 50))]
    for feature, labels in (("sex", rows["sex"]), ("age", bands)):
        for label in np.unique(labels.astype(str)):
            own = {name: values[labels == label] for name, values in rows.items()}
            segment = {
                key[0].removeprefix("quality_"): value
                for key, value in found.items()
                if key[0].startswith("quality_") and key[2:] == (feature, label)
            }
            assert_equal(segment, binary_oracle(own))


def test_the_reference_is_scored_in_the_same_way() -> None:
    oracle = binary_oracle(people(3000, 0))
    del oracle["rows"]
    assert_equal(overall(told(people_model()), "reference_quality_"), oracle)


@pytest.mark.parametrize("by_name", [True, False])
def test_more_classes_are_scored_as_scikit_learn_does(by_name: bool) -> None:
    rng = np.random.default_rng(6)
    p = rng.dirichlet([2, 1, 0.5], 3000)
    y = np.array([rng.choice(["a", "b", "c"], p=row) for row in p], dtype=object)
    names = ["a", "b", "c"] if by_name else ["p_0", "p_1", "p_2"]
    columns = {name: p[:, i] for i, name in enumerate(names)}
    data = {"x": rng.random(3000), **columns, "truth": y}
    model = model_of(data, names, ground_truth="truth")
    tell(model, predicted(model, {}, columns), y)
    label = np.array(["a", "b", "c"])[p.argmax(axis=1)]
    found = overall(told(model))
    assert_equal(
        found,
        {
            "accuracy": sk.accuracy_score(y, label),
            "precision": sk.precision_score(y, label, average="macro"),
            "recall": sk.recall_score(y, label, average="macro"),
            "f1": sk.f1_score(y, label, average="macro"),
            "log_loss": sk.log_loss(y, p),
            # Class by class: older versions of scikit-learn know two classes only.
            "brier": sum(sk.brier_score_loss(y == each, p[:, i]) for i, each in enumerate("abc")),
            "roc_auc": sk.roc_auc_score(y, p, multi_class="ovr", average="macro"),
            "calibration_error": calibration_error(p.max(axis=1), y == label),
            "rows": 3000,
        },
    )


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_regression_is_scored_as_scikit_learn_does(offset: float) -> None:
    rng = np.random.default_rng(7)
    y = rng.gamma(2, 50, 4000) + offset
    data = {"x": rng.random(4000), "cnt": y + rng.normal(0, 20, 4000), "truth": y}
    model = model_of(data, ["cnt"], ground_truth="truth")
    y = rng.gamma(2, 60, 2500) + offset
    guess = y + rng.normal(3, 20, 2500)
    tell(model, predicted(model, {}, {"cnt": guess}), y)
    assert_equal(
        overall(told(model)),
        {
            "rmse": sk.root_mean_squared_error(y, guess),
            "mae": sk.mean_absolute_error(y, guess),
            "r2": sk.r2_score(y, guess),
            "mape": sk.mean_absolute_percentage_error(y, guess),
            "rows": 2500,
        },
    )


def test_huge_numbers_leave_qualities_absent() -> None:
    rng = np.random.default_rng(0)
    data = {"x": rng.random(99), "p": rng.random(99), "y": rng.random(99)}
    model = model_of(data, ["p"], ground_truth="y")
    tell(model, predicted(model, {}, {"p": [1e300] * 50}), [-1e300] * 50)
    found = overall(told(model))
    assert found["rows"] == 50
    assert not {"rmse", "r2"} & found.keys()
    assert all(math.isfinite(value) for value in found.values())


def test_an_unseen_class_is_wrong_unless_it_was_predicted() -> None:
    model = people_model()
    outputs = {"p": [0.9] * 40, "label": ["maybe"] * 40}
    tell(model, predicted(model, {}, outputs), ["maybe"] * 30 + ["never"] * 10)
    assert overall(told(model))["accuracy"] == 0.75


def test_rows_of_one_class_have_no_area_and_no_recall() -> None:
    model = people_model()
    tell(model, predicted(model, {}, {"p": [0.1] * 40, "label": ["no"] * 40}), ["no"] * 40)
    found = overall(told(model))
    assert found["accuracy"] == 1.0
    assert not {"roc_auc", "recall", "precision", "f1"} & found.keys()


def test_equal_ground_truths_have_no_r2() -> None:
    rng = np.random.default_rng(0)
    data = {"x": rng.random(99), "p": rng.random(99), "y": rng.random(99)}
    model = model_of(data, ["p"], ground_truth="y")
    tell(model, predicted(model, {}, {"p": rng.random(50)}), [0.7] * 50)
    assert overall(told(model)).keys() >= {"rmse"}
    assert "r2" not in overall(told(model))


def test_no_rows_give_no_numbers() -> None:
    model = people_model()
    assert model.outcome_tallies([], NOW) == ({}, [])
    assert overall(told(model)) == {"rows": 0.0}
