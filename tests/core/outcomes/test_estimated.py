"""Facts about the estimates of a served model: what they follow, and when there are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.estimated import DOUBTFUL
from mlmon_exporter.reference.reference import Reference
from tests.core.outcome_rows import NOW, SETTINGS, Columns, model_of, overall, predicted, told

OLDER = 7200.0
"""Seconds after which a window of an hour has no row of before."""


def rentals(count: int, seed: int, warm: float = 0.5) -> dict[str, Any]:
    """Errors are four times as large on warm days."""
    rng = np.random.default_rng(seed)
    is_warm = rng.random(count) < warm
    demand = rng.normal(100.0, 20.0, count)
    error = np.where(is_warm, 40.0, 10.0) * rng.normal(size=count)
    weather = np.where(is_warm, "warm", "cold").astype(object)
    return {"weather": weather, "wind": rng.normal(size=count), "p": demand, "y": demand + error}


REFERENCE = Reference.build(rentals(8000, 0), predictions="p", ground_truth="y")


def estimates(model: Model, rows: Columns, at: float) -> dict[str, float]:
    features = {name: rows[name] for name in ("weather", "wind")}
    predicted(model, features, {"p": rows["p"]}, at=at)
    return overall(told(model, now=at), "estimated_quality_")


def test_expected_errors_follow_the_inputs() -> None:
    model = Model(SETTINGS, REFERENCE.for_model("r.json"))
    for i, warm in enumerate((0.5, 0.1, 0.9)):
        rows = rentals(4000, 1 + i, warm)
        error = rows["y"] - rows["p"]
        found = estimates(model, rows, NOW + i * OLDER)
        assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=0.05)
        assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=0.05)


def test_few_rows_and_references_without_expected_losses_have_none() -> None:
    model = Model(SETTINGS, REFERENCE.for_model("r.json"))
    assert not estimates(model, rentals(29, 1), NOW)
    known = REFERENCE.for_model("r.json")
    assert known.outcomes is not None
    older = known._replace(outcomes=replace(known.outcomes, expected=None))
    assert not estimates(Model(SETTINGS, older), rentals(4000, 1), NOW)


def test_a_sum_that_no_loss_can_have_is_absent() -> None:
    known = REFERENCE.for_model("r.json")
    assert known.outcomes is not None
    assert known.outcomes.expected is not None
    low = replace(known.outcomes.expected, means=np.array([-1e3, -1e6]))
    broken = known._replace(outcomes=replace(known.outcomes, expected=low))
    assert not estimates(Model(SETTINGS, broken), rentals(4000, 1), NOW)


def species(count: int, seed: int) -> dict[str, Any]:
    """Three classes by one length, with probabilities that are too sure."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    length = truth + 0.6 * rng.normal(size=count)
    chances = np.exp(-3 * (length[:, None] - np.arange(3)) ** 2)
    chances /= chances.sum(axis=1, keepdims=True)
    names = np.array(["ash", "elm", "oak"], dtype=object)
    found = dict(zip(names, chances.T, strict=True))
    return {**found, "length": length, "y": names[truth], "best": names[chances.argmax(axis=1)]}


CLASSES = ["ash", "elm", "oak"]


def qualities(rows: Columns) -> dict[str, float]:
    """Real ones, by scikit-learn."""
    y, best = rows["y"].astype(str), rows["best"].astype(str)
    chances = np.column_stack([rows[name] for name in CLASSES])
    one_hot = np.array(CLASSES) == y[:, None]
    return {
        "accuracy": accuracy_score(y, best),
        "precision": precision_score(y, best, average="macro"),
        "recall": recall_score(y, best, average="macro"),
        "f1": f1_score(y, best, average="macro"),
        "roc_auc": roc_auc_score(one_hot, chances),
        "brier": float(np.square(chances - one_hot).sum(axis=1).mean()),
    }


@pytest.mark.parametrize("outputs", [CLASSES, [*CLASSES, "best"], ["best"]])
def test_many_classes_on_unchanged_rows_are_as_good_as_they_are(outputs: list[str]) -> None:
    reference, later = species(9000, 0), species(9000, 1)
    columns = {name: reference[name] for name in ("length", "y", *outputs)}
    built = Reference.build(columns, predictions=outputs, ground_truth="y")
    model = Model(SETTINGS, Reference.from_bytes(built.to_bytes()).for_model("r.json"))
    predicted(model, {"length": later["length"]}, {name: later[name] for name in outputs})
    found, real = overall(told(model), "estimated_quality_"), qualities(later)
    assert found.keys() == (real.keys() if len(outputs) > 1 else {*real} - {"roc_auc", "brier"})
    for name, value in found.items():
        assert value == pytest.approx(real[name], abs=0.02), name


def test_many_classes_follow_the_inputs() -> None:
    reference, every = species(9000, 0), species(20_000, 1)
    is_easy = (np.abs(every["length"] - 1) > 1) | (np.arange(20_000) % 5 == 0)
    later = {name: values[is_easy] for name, values in every.items()}
    outputs = [*CLASSES, "best"]
    columns = {name: reference[name] for name in ("length", "y", *outputs)}
    model = model_of(columns, outputs, ground_truth="y")
    predicted(model, {"length": later["length"]}, {name: later[name] for name in outputs})
    values = told(model)
    found, real = overall(values, "estimated_quality_")["accuracy"], qualities(later)["accuracy"]
    before = overall(values, "reference_quality_")["accuracy"]
    assert real - before > 0.07
    assert abs(found - real) < (real - before) / 4


def test_no_estimate_is_given_where_rows_are_unlike_any_of_the_reference() -> None:
    model = Model(SETTINGS, REFERENCE.for_model("r.json"))
    for i, (share, column, value) in enumerate(
        [
            (0.04, "wind", 40.0),  # beyond the reference's greatest
            (0.06, "wind", 40.0),
            (0.04, "weather", "hail"),
            (0.06, "weather", "hail"),
            (0.06, "weather", None),
            (0.06, "wind", np.nan),
        ]
    ):
        rows, at = rentals(4000, i), NOW + i * OLDER
        rows[column][: int(share * 4000)] = value
        found = estimates(model, rows, at)
        doubt = overall(told(model, now=at), "estimate_doubt_")["ratio"]
        assert doubt == pytest.approx(share, abs=0.005)
        assert bool(found) == (doubt <= DOUBTFUL)


def test_features_that_go_together_as_never_before_are_doubted_by_their_joint_distance() -> None:
    def pair(count: int, seed: int, sign: float = 1.0) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        a = rng.normal(size=count)
        rows = {"a": a, "b": sign * a + 0.1 * rng.normal(size=count), "p": a}
        return {**rows, "y": a + rng.normal(size=count)}

    built = Reference.build(pair(8000, 0), predictions="p", ground_truth="y")
    model = Model(SETTINGS, built.for_model("r.json"))
    for at, sign in ((NOW, 1.0), (NOW + OLDER, -1.0)):
        rows = pair(2000, 1, sign)
        predicted(model, {"a": rows["a"], "b": rows["b"]}, {"p": rows["p"]}, at=at)
        values = told(model, now=at)
        assert (overall(values, "estimate_doubt_")["ratio"] > DOUBTFUL) == (sign < 0)
        assert bool(overall(values, "estimated_quality_")) == (sign > 0)
