"""Facts about outcomes: scikit-learn's numbers on the joined rows, however they come."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from mlmon_exporter.core.keys import SEGMENTS
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes import tally_bytes
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.outcomes.tallies import SegmentTally
from mlmon_exporter.core.records import Batch, Prediction
from mlmon_exporter.core.settings import ModelSettings, SegmentFeature
from mlmon_exporter.core.stats.roc import RocCurve
from tests.core.build import references
from tests.core.outcome_rows import HOUR, NOW, SETTINGS, model_of, overall, predicted, tell, told

Rows = dict[str, Any]
EXACT = 1e-9
AREA = 0.002


def people(count: int, seed: int) -> Rows:
    """Two classes, a probability, a predicted class at an odd threshold, two segment features."""
    rng = np.random.default_rng(seed)
    sex = np.array(["f", "m"], dtype=object)[rng.integers(0, 2, count)]
    age = np.round(rng.uniform(18, 80, count))
    p = 1 / (1 + np.exp(-rng.normal((sex == "m") + age / 40 - 2.2, 1.2)))
    y = np.where(rng.random(count) < p, "yes", "no").astype(object)
    label = np.where(p >= 0.37, "yes", "no").astype(object)
    return {"sex": sex, "age": age, "p": p, "label": label, "y": y}


FEATURES = ("sex", "age")
BY = ["sex", ("age", (30.0, 50.0))]


def people_model(settings: ModelSettings = SETTINGS) -> Model:
    data = people(3000, 0)
    return model_of(data, ["p", "label"], settings, ground_truth="y", segments=BY)


def parts(rows: Rows, *names: str) -> Rows:
    return {name: rows[name] for name in names}


def feed(model: Model, rows: Rows, *, at: float = NOW, version: str | None = None) -> None:
    waiting = predicted(
        model, parts(rows, *FEATURES), parts(rows, "p", "label"), at=at, version=version
    )
    assert tell(model, waiting, rows["y"]) == [None] * len(rows["y"])


def calibration_error(chance: NDArray[Any], happened: NDArray[Any]) -> float:
    """Naeini et al. (2015), with bins [0, 0.1), ..., [0.9, 1]."""
    bins = np.minimum((chance * 10).astype(int), 9)
    gaps = [abs(happened[bins == b].sum() - chance[bins == b].sum()) for b in range(10)]
    return float(sum(gaps) / len(chance))


def binary_oracle(rows: Rows) -> dict[str, float]:
    y, label, p = rows["y"], rows["label"], rows["p"]
    return {
        "accuracy": sk.accuracy_score(y, label),
        "precision": sk.precision_score(y, label, pos_label="yes"),
        "recall": sk.recall_score(y, label, pos_label="yes"),
        "f1": sk.f1_score(y, label, pos_label="yes"),
        "log_loss": sk.log_loss(y, p),
        "brier": sk.brier_score_loss(y, p, pos_label="yes"),
        "calibration_error": calibration_error(p, y == "yes"),
        "roc_auc": sk.roc_auc_score(y, p),
        "rows": len(y),
    }


def assert_equal(found: dict[str, float], oracle: dict[str, float]) -> None:
    assert {name for name in found if not name.endswith("threshold")} == oracle.keys()
    for name, value in oracle.items():
        within = AREA if name == "roc_auc" else EXACT * max(1, abs(value))
        assert found[name] == pytest.approx(value, abs=within), name


# Equal to scikit-learn


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


def test_outcomes_add_up_over_panes_workers_and_any_order() -> None:
    workers = [people_model() for _ in range(3)]
    rng, rows = np.random.default_rng(3), people(6000, 3)
    for i, chosen in enumerate(np.array_split(rng.permutation(6000), 60)):
        own = {name: values[chosen] for name, values in rows.items()}
        feed(workers[i % 3], own, at=NOW - float(rng.integers(0, 3000)))
    for worker in workers[1:]:
        workers[0].versions.restore(worker.versions.take())
    assert_equal(overall(told(workers[0])), binary_oracle(rows))
    assert_equal(overall(told(workers[0], window="24h")), binary_oracle(rows))


def test_what_all_processes_have_is_shown_from_bytes() -> None:
    counting, showing = people_model(), people_model(SETTINGS._replace(is_shared=True))
    rows = people(1000, 4)
    feed(counting, rows)
    for key, tally in counting.versions.take().items():
        showing.versions.load(key, tally_bytes.to_bytes(tally))
    assert_equal(overall(told(showing)), binary_oracle(rows))
    assert told(showing)["concept_drifted", "v1"] == 0.0


def _forged(tally: SegmentTally, damage: str) -> bytes:
    if damage == "negative":
        tally.sums[0, 0] = -1.0
    elif damage == "a part of a row":
        tally.sums[-1] += 0.25
    elif damage == "over its rows":
        tally.sums[0] = tally.rows + 1
    elif damage == "too many rows":
        tally.rows = 2**60
    elif damage == "other curve":
        tally.curves[9999, 0] = next(iter(tally.curves.values()))
    else:
        where, curve = next(iter(tally.curves.items()))
        tally.curves[where] = RocCurve(curve.points * [1.0, -1.0, 1.0])
    return tally_bytes.to_bytes(tally)


@pytest.mark.parametrize(
    "damage",
    ["negative", "a part of a row", "over its rows", "too many rows", "other curve", "curve"],
)
def test_counts_that_cannot_be_are_refused_before_they_are_shown(damage: str) -> None:
    counting, showing = people_model(), people_model(SETTINGS._replace(is_shared=True))
    feed(counting, people(1000, 4))
    key, tally = next(
        (key, part)
        for key, part in counting.versions.take().items()
        if isinstance(part, SegmentTally) and part.curves
    )
    with pytest.raises(ValueError, match="tally: expected"):
        showing.versions.load(key, _forged(tally, damage))


def test_one_row_at_a_time_counts_as_all_at_once() -> None:
    together, one_by_one = people_model(), people_model()
    rows = people(120, 5)
    feed(together, rows)
    for i in range(120):
        features = {name: rows[name][i] for name in FEATURES}
        outputs = {name: rows[name][i] for name in ("p", "label")}
        batch = Batch(features, outputs, 1, None, [str(i)])
        one_by_one.observe(batch, NOW)
        assert tell(one_by_one, one_by_one.pending_of(batch, NOW), [rows["y"][i]]) == [None]
    a, b = (
        {k: v for k, v in told(m).items() if "feature" not in k[0] and "predict" not in k[0]}
        for m in (together, one_by_one)
    )
    assert a == pytest.approx(b, rel=1e-9)


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


# Without a reference that has seen outcomes


def test_a_task_is_enough_to_score() -> None:
    rng = np.random.default_rng(8)
    p = rng.random(1000)
    plain = ModelReference((), references({"p": p}), NOW, "r.json")
    y = rng.random(1000) < p
    classifier = Model(SETTINGS._replace(task="classification"), plain)
    tell(classifier, predicted(classifier, {}, {"p": p}), y)
    found = overall(told(classifier))
    assert found["accuracy"] == sk.accuracy_score(y, p >= 0.5)
    assert found["log_loss"] == pytest.approx(sk.log_loss(y, p), abs=EXACT)
    regression = Model(SETTINGS._replace(task="regression"), plain)
    tell(regression, predicted(regression, {}, {"p": p}), y)
    assert overall(told(regression))["r2"] == pytest.approx(sk.r2_score(y, p), abs=EXACT)
    assert not overall(told(regression), "reference_quality_")


def test_without_a_task_nothing_waits_and_nothing_is_scored() -> None:
    plain = ModelReference((), references({"p": np.linspace(0, 1, 100)}), NOW, "r.json")
    model = Model(SETTINGS, plain)
    assert predicted(model, {}, {"p": [0.5]}) == []
    stray = Prediction("1", NOW, "v1", (0.5,), ())
    assert model.outcome_tallies([(stray, 1)], NOW)[0] == {}
    assert model.outcome_tallies([(stray, 1)], NOW)[1][0] is not None


def test_nothing_waits_while_the_reference_is_learned() -> None:
    model = Model(SETTINGS._replace(task="regression"), None)
    assert predicted(model, {}, {"p": [0.5]}) == []


# What is no outcome


def test_what_is_wrong_with_each_outcome_is_told_and_the_rest_counted() -> None:
    model = people_model()
    waiting = predicted(
        model, {}, {"p": [0.9, 0.9, 0.9, np.nan, 0.9], "label": ["yes", "yes", None, None, "yes"]}
    )
    problems = tell(model, waiting, ["yes", None, "yes", "yes", [1, 2]])
    assert problems == [
        None,
        "expected a class, got None",
        None,
        "expected a prediction, got none",
        "expected a class, got [1, 2]",
    ]
    assert told(model)["quality_rows", "v1", "", ""] == 2


def test_a_regressions_outcome_is_a_number() -> None:
    rng = np.random.default_rng(0)
    data = {"x": rng.random(99), "p": rng.random(99), "y": rng.random(99)}
    model = model_of(data, ["p"], ground_truth="y")
    waiting = predicted(model, {}, {"p": [1.0, 1.0, 1.0, "a", 1.0]})
    problems = tell(model, waiting, ["x", float("nan"), "2.5", 1.0, float("inf")])
    assert problems == [
        "expected a number, got 'x'",
        "expected a number, got nan",
        None,
        "expected a prediction, got none",
        "expected a number, got inf",
    ]


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


def test_few_rows_and_small_segments_are_absent() -> None:
    model, rows = people_model(), people(100, 9)
    rows["sex"][:75] = "m"
    rows["sex"][75:] = "f"
    feed(model, rows)
    found = told(model)
    assert ("quality_accuracy", "v1", "sex", "m") in found
    assert ("quality_accuracy", "v1", "sex", "f") not in found
    assert ("segment_selection_ratio", "v1", "sex", "f") not in found
    assert found["quality_rows", "v1", "sex", "f"] == 25


def test_predictions_of_other_outputs_are_told() -> None:
    stray = Prediction("1", NOW, "v1", (0.5,), ("m",))
    assert people_model().outcome_tallies([(stray, "yes")], NOW)[1] == [
        "expected a prediction, got none"
    ]


# Time


def test_outcomes_count_for_the_time_of_their_prediction() -> None:
    model, rows = people_model(), people(200, 10)
    feed(model, rows, at=NOW - 2 * HOUR)
    assert overall(told(model)) == {"rows": 0.0}
    assert_equal(overall(told(model, window="24h")), binary_oracle(rows))
    assert overall(told(model, now=NOW + 23 * HOUR, window="24h")) == {"rows": 0.0}


def test_outcomes_older_than_a_window_add_nothing_to_it() -> None:
    model, rows = people_model(), people(50, 11)
    waiting = predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"), at=NOW)
    later = NOW + 2 * HOUR
    added, _ = model.outcome_tallies([*zip(waiting, rows["y"], strict=True)], later)
    assert {key.window_seconds for key in added} == {86400.0}


def test_asking_for_parts_changes_nothing() -> None:
    model, rows = people_model(), people(50, 12)
    waiting = predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"))
    outcomes = [*zip(waiting, rows["y"], strict=True)]
    first, _ = model.outcome_tallies(outcomes, NOW)
    model.versions.restore(first)
    before = told(model)
    second, _ = model.outcome_tallies(outcomes, NOW)
    assert told(model) == before
    for key, tally in first.items():
        assert tally.rows == second[key].rows == 50


def test_parts_have_nothing_in_common() -> None:
    model, rows = people_model(), people(50, 21)
    waiting = predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"))
    added, _ = model.outcome_tallies([*zip(waiting, rows["y"], strict=True)], NOW)
    one, other = (key for key in added if key.side == SEGMENTS)
    before = tally_bytes.to_bytes(added[other])
    merged: Any = added[one]
    merged.merge(added[one])
    assert tally_bytes.to_bytes(added[other]) == before


def test_predicted_rows_count_for_their_own_time() -> None:
    model, rows = people_model(), people(200, 22)
    for at in (NOW - 2 * HOUR, NOW):
        predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"), at=at)
    for window, times in (("1h", 1), ("24h", 2)):
        found = told(model, window=window)
        men = found["segment_rows", "v1", "sex", "m"]
        assert men == times * (rows["sex"] == "m").sum()


# Segments and versions


def test_configured_segments_win_over_those_of_the_reference() -> None:
    settings = SETTINGS._replace(segments=(SegmentFeature("age", (40.0,)), SegmentFeature("sex")))
    model, rows = people_model(settings), people(500, 13)
    feed(model, rows)
    found = told(model)
    young = rows["age"] < 40
    exact = sk.accuracy_score(rows["y"][young], rows["label"][young])
    assert found["quality_accuracy", "v1", "age", "<40"] == pytest.approx(exact)
    # The reference has these by sex, and not by this range.
    assert ("reference_quality_accuracy", "v1", "sex", "m") in found
    assert ("reference_quality_accuracy", "v1", "age", "<40") not in found


@pytest.mark.parametrize("outputs", [("label", "p"), ("p",), ("p", "label", "why")])
def test_the_reference_holds_whatever_other_outputs_there_are(outputs: tuple[str, ...]) -> None:
    model, rows = people_model(SETTINGS._replace(outputs=outputs)), people(500, 20)
    feed(model, rows)
    found = told(model)
    assert found["quality_accuracy", "v1", "", ""] > 0.6
    # Without its class, the model decides at a half: then the reference says nothing of it.
    has_reference = ("reference_quality_accuracy", "v1", "", "") in found
    assert has_reference == ("label" in outputs)


def test_waiting_rows_hold_outputs_and_segment_labels_alone() -> None:
    model = people_model()
    batch = Batch({"sex": "m", "age": 31, "secret": 7}, {"p": 0.5, "label": True}, 1, None, ["id"])
    model.observe(batch, NOW)
    assert model.pending_of(batch, NOW) == [
        Prediction("id", NOW, "v1", (0.5, 1.0), ("m", "[30, 50)"))
    ]


def test_rows_without_an_id_do_not_wait() -> None:
    model = people_model()
    outputs = {"p": [0.5, 0.6], "label": ["yes", "no"]}
    assert model.pending_of(Batch({}, outputs, 2), NOW) == []
    waiting = model.pending_of(Batch({}, outputs, 2, None, ["", "b"]), NOW)
    assert [each.id for each in waiting] == ["b"]


def test_versions_are_compared_with_the_configured_one() -> None:
    model, rows = people_model(), people(4000, 14)
    feed(model, rows)
    worse = {**people(4000, 15)}
    worse["label"] = np.where(np.arange(4000) % 3 == 0, "yes", worse["label"]).astype(object)
    feed(model, worse, version="v2")
    feed(model, people(4000, 16), version="v3")
    found = told(model)
    gap = binary_oracle(worse)["accuracy"] - binary_oracle(rows)["accuracy"]
    assert found["quality_accuracy_difference", "v2"] == pytest.approx(gap)
    assert (
        -found["quality_accuracy_difference", "v2"]
        > found["quality_accuracy_difference_threshold", "v2"]
    )
    for name in ("accuracy", "roc_auc", "log_loss", "brier"):
        bar = found[f"quality_{name}_difference_threshold", "v3"]
        assert abs(found[f"quality_{name}_difference", "v3"]) < bar
    assert ("quality_accuracy_difference", "v1") not in found


def test_versions_over_the_cap_share_one() -> None:
    model = people_model(SETTINGS._replace(max_versions=1))
    feed(model, people(100, 17), version="v9")
    assert told(model)["quality_rows", "other", "", ""] == 100


# Concept drift


def test_errors_drift_when_the_same_inputs_lead_to_other_outcomes() -> None:
    model, rows = people_model(), people(3000, 18)
    feed(model, rows)
    assert told(model)["concept_drifted", "v1"] == 0.0
    changed = people(3000, 19)
    flip = np.random.default_rng(0).random(3000) < 0.4
    changed["y"] = np.where(flip, np.where(changed["y"] == "yes", "no", "yes"), changed["y"])
    feed(model, changed, at=NOW + 7200)
    found = told(model, now=NOW + 7200)
    assert found["concept_drifted", "v1"] == 1.0
    assert found["error_ks_statistic", "v1"] > found["error_ks_threshold", "v1"]
    # The inputs are as they were, so the estimate is, too.
    before = found["reference_quality_accuracy", "v1", "", ""]
    assert abs(found["estimated_quality_accuracy", "v1"] - before) < 0.02
    assert found["quality_accuracy", "v1", "", ""] < before - 0.1
