"""Facts about the outcomes in a reference: kept whole in a file, and added up over parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from mlmon_exporter.core.outcomes.reference import OutcomeReference
from mlmon_exporter.core.outcomes.tallies import SegmentSums
from mlmon_exporter.reference.reference import Reference
from tests.core.outcomes.people import Rows, people

ROLES: dict[str, Any] = {
    "predictions": ["p", "label"],
    "ground_truth": "y",
    "segments": ["sex", ("age", (30.0, 50.0))],
}


def built(rows: Rows, **options: Any) -> Reference:
    return Reference.build(rows, **{**ROLES, **options})


def cut(rows: Rows, start: int, end: int) -> Rows:
    return {name: values[start:end] for name, values in rows.items()}


def outcome_scorer(reference: Reference) -> OutcomeReference:
    assert reference.outcomes is not None
    return reference.outcomes


def sums(reference: Reference) -> SegmentSums:
    outcomes = outcome_scorer(reference)
    task = outcomes.task(reference.outputs, [column.name for column in reference.outputs])
    assert task is not None
    return SegmentSums(outcomes.layout(task), outcomes.tally)


def test_a_file_holds_all_of_it() -> None:
    reference = built(people(2000, 0))
    ours, read = (
        outcome_scorer(reference),
        outcome_scorer(Reference.from_bytes(reference.to_bytes())),
    )
    assert read.choice == ours.choice
    assert read.classes == ours.classes == ("no", "yes")
    assert [s.labels for s in read.segments] == [s.labels for s in ours.segments]
    assert read.tally.sums.tolist() == ours.tally.sums.tolist()
    assert read.tally.curves.keys() == ours.tally.curves.keys()
    for where, curve in read.tally.curves.items():
        assert curve.points.tolist() == ours.tally.curves[where].points.tolist()
    assert read.residuals is not None
    assert ours.residuals is not None
    assert read.residuals.counts.tolist() == ours.residuals.counts.tolist()


def test_references_without_ground_truth_have_none_and_their_files_are_as_before() -> None:
    reference = Reference.build({"x": [1.0, 2], "p": [0.1, 0.2]}, predictions="p")
    assert reference.outcomes is None
    assert b"outcomes" not in reference.to_bytes()


def test_parts_that_are_built_alike_add_up_to_the_whole() -> None:
    rows = people(3000, 1)
    first = built(cut(rows, 0, 1000))
    parts = [built(cut(rows, i, i + 500), like=first) for i in range(0, 3000, 500)]
    whole, added = built(rows, like=first), sum(parts[1:], start=parts[0])
    assert outcome_scorer(added).tally.sums == pytest.approx(outcome_scorer(whole).tally.sums)
    errors = [outcome_scorer(side).residuals for side in (whole, added)]
    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[0].counts.tolist() == errors[1].counts.tolist()


def test_parts_with_other_classes_and_segments_add_up_too() -> None:
    rows = people(2000, 2)
    rows["y"] = np.where(np.arange(2000) % 7 == 0, "maybe", rows["y"]).astype(object)
    rows["label"] = rows["y"].copy()
    rows["sex"][1500:] = "x"
    options: dict[str, Any] = {"predictions": "label"}
    without = rows["y"][:1000] != "maybe"
    first = built({k: v[:1000][without] for k, v in rows.items()}, **options)
    second = built(cut(rows, 1000, 2000), **options)
    kept = np.concatenate((without, np.ones(1000, dtype=bool)))
    whole = built({name: values[kept] for name, values in rows.items()}, **options)
    added = first + second
    assert outcome_scorer(added).classes == ("maybe", "no", "yes")
    ours, theirs = sums(added), sums(whole)
    for i, each in enumerate(ours.layout.segments.all):
        j = theirs.layout.segments.all.index(each)
        assert ours.tally.sums[i].tolist() == theirs.tally.sums[j].tolist(), each


def test_regressions_with_other_means_add_up() -> None:
    rng = np.random.default_rng(3)
    y = np.concatenate((rng.normal(10, 1, 500), rng.normal(1000, 5, 500)))
    rows = {"x": rng.random(1000), "p": y + rng.normal(0, 1, 1000), "y": y}
    roles: dict[str, Any] = {"predictions": "p", "segments": []}
    added = built(cut(rows, 0, 500), **roles) + built(cut(rows, 500, 1000), **roles)
    ours, whole = sums(added), sums(built(rows, **roles))
    for s in (ours, whole):
        spread = s["truth_squares"] - s["truths"] ** 2 / s["rows"]
        assert spread[0] / 1000 == pytest.approx(y.var(), rel=1e-9)
        assert s["squares"][0] == pytest.approx(((rows["p"] - y) ** 2).sum())


def test_different_tasks_do_not_add_up() -> None:
    rows = people(500, 4)
    with pytest.raises(ValueError, match="expected the same task on both sides"):
        built(rows) + built({**rows, "y": rows["age"]}, task="regression", label="p")


@pytest.mark.parametrize(
    ("truth", "task"),
    [
        (np.array(["a", "b", "c"] * 40, dtype=object), "classification"),
        (np.array([0, 1] * 60), "classification"),
        (np.array([True, False] * 60), "classification"),
        (np.arange(120) % 3, "regression"),
        (np.random.default_rng(0).random(120), "regression"),
    ],
)
def test_the_ground_truth_tells_the_task(truth: Any, task: str) -> None:
    p = np.random.default_rng(1).random(120)
    label = truth if truth.dtype == object else p
    rows = {"x": p, "label": label, "y": truth}
    reference = Reference.build(rows, predictions="label", ground_truth="y")
    assert outcome_scorer(reference).choice.kind == task


def test_outputs_and_classes_that_are_not_there_are_told() -> None:
    rows = people(200, 5)
    with pytest.raises(ValueError, match="score: expected one of the outputs p, label, got 'q'"):
        built(rows, score="q")
    with pytest.raises(ValueError, match="positive: expected one of the classes no, yes, got 'x'"):
        built(rows, positive="x")
    with pytest.raises(ValueError, match="segments: age: expected ascending edges"):
        built(rows, segments=[("age", (30, 20))])


def test_rows_without_ground_truth_or_prediction_are_left_out() -> None:
    rows = people(1000, 6)
    rows["y"][:100] = None
    rows["label"][100:150] = None
    rows["p"][100:150] = np.nan
    assert outcome_scorer(built(rows)).tally.rows == 850
    rows["y"][:] = None
    assert built(rows).outcomes is None


DAMAGE: dict[str, Any] = {
    "task": {"kind": "ranking"},
    "classes": ["a", "b", "c"],
    "segments": [],
    "center": "x",
    "rows": None,
    "sums": [[1, 2]],
    "curves": [{"slice": 0, "number": 0, "points": [[0.5, -1, 2]]}],
    "error": {"name": "error"},
}


@pytest.mark.parametrize("key", DAMAGE)
def test_damage_is_told(key: str) -> None:
    form = orjson.loads(built(people(200, 7)).to_bytes())
    form["outcomes"][key] = DAMAGE[key]
    with pytest.raises(ValueError, match="outcomes"):
        Reference.from_bytes(orjson.dumps(form))
    del form["outcomes"][key]
    with pytest.raises(ValueError, match=f"outcomes: expected the key '{key}'"):
        Reference.from_bytes(orjson.dumps(form))


def test_segments_curves_and_counts_that_cannot_be_are_told() -> None:
    good = built(people(200, 7)).to_bytes()
    form = orjson.loads(good)
    form["outcomes"]["segments"][0]["feature"] = -1
    with pytest.raises(ValueError, match="expected columns of the reference"):
        Reference.from_bytes(orjson.dumps(form))
    form = orjson.loads(good)
    form["outcomes"]["curves"][0]["number"] = 1e308
    with pytest.raises(ValueError, match="expected curves of"):
        Reference.from_bytes(orjson.dumps(form))
    form = orjson.loads(good)
    form["outcomes"]["rows"] = 1e308
    with pytest.raises(ValueError, match="rows: expected 9007199254740992 at most"):
        Reference.from_bytes(orjson.dumps(form))
    for count in (-1.0, 0.5, 1e9):
        form = orjson.loads(good)
        form["outcomes"]["sums"][0][0] = count
        with pytest.raises(ValueError, match="expected counts of its 200 rows"):
            Reference.from_bytes(orjson.dumps(form))
