"""Facts about outcomes: scikit-learn's numbers on the joined rows, however they come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from mlmon_exporter.core.keys import SEGMENTS
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes import tally_bytes
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.records import Batch, Prediction
from mlmon_exporter.core.settings import SegmentFeature
from tests.core.build import references
from tests.core.outcome_rows import NOW, SETTINGS, model_of, overall, predicted, tell, told
from tests.core.outcomes.people import (
    EXACT,
    FEATURES,
    feed,
    parts,
    people,
    people_model,
)

# Equal to scikit-learn


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


def test_predictions_of_other_outputs_are_told() -> None:
    stray = Prediction("1", NOW, "v1", (0.5,), ("m",))
    assert people_model().outcome_tallies([(stray, "yes")], NOW)[1] == [
        "expected a prediction, got none"
    ]


# Time


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


def test_versions_over_the_cap_share_one() -> None:
    model = people_model(SETTINGS._replace(max_versions=1))
    feed(model, people(100, 17), version="v9")
    assert told(model)["quality_rows", "other", "", ""] == 100


# Concept drift
