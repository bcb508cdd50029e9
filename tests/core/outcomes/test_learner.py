"""Facts about references that a model learns from its first rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.records import Batch
from tests.core.build import references
from tests.core.served_rows import (
    NOW,
    SETTINGS,
    batch,
    learned,
    reference_of,
    rows,
    samples,
    single_rows,
)


def test_the_first_rows_become_the_reference_and_are_not_scored() -> None:
    model = Model(SETTINGS, None)
    model.observe(batch(999), NOW)
    found = samples(model.readings(NOW))
    assert set(found) == {
        ("mlmon_reference_rows", "v1"),
        ("mlmon_reference_learning", "v1"),
        ("mlmon_model_info", "v1", "", "learning"),
    }
    assert found["mlmon_reference_rows", "v1"] == 999
    assert found["mlmon_reference_learning", "v1"] == 1.0
    model.observe(batch(1, 1), NOW + 1)
    found = samples(model.readings(NOW + 1))
    assert found["mlmon_reference_rows", "v1"] == 1000
    assert found["mlmon_reference_learning", "v1"] == 0.0
    assert found["mlmon_reference_timestamp_seconds", "v1"] == NOW + 1
    assert found["mlmon_model_info", "v1", "", "learned"] == 1.0
    assert found["mlmon_feature_window_rows", "v1", "age", "1h"] == 0
    model.observe(batch(500, 2), NOW + 2)
    found = samples(model.readings(NOW + 2))
    assert found["mlmon_feature_window_rows", "v1", "age", "1h"] == 500
    assert found["mlmon_feature_drifted", "v1", "age", "1h"] == 0.0


def test_a_learned_reference_is_that_of_the_same_rows() -> None:
    got = learned(batch(400, 1), batch(600, 2))
    both = {
        name: np.concatenate([rows(400, 1)[name], rows(600, 2)[name]]) for name in ("age", "colour")
    }
    expected = references(both)
    for ours, theirs in zip(got.features, expected, strict=True):
        assert (ours.name, ours.kind) == (theirs.name, theirs.kind)
        assert ours.counts.tolist() == theirs.counts.tolist()
        assert ours.rank_error == 0.0
    assert (got.created, got.source, got.rows) == (NOW, "learned", 1000)


def test_learning_row_by_row_is_learning_all_at_once() -> None:
    one, whole = learned(*single_rows(1000)), learned(batch(1000))
    for a, b in zip((*one.features, *one.outputs), (*whole.features, *whole.outputs), strict=True):
        assert a.counts.tolist() == b.counts.tolist()
        assert a.singletons == b.singletons


def test_what_batches_lack_is_missing_in_what_is_learned() -> None:
    got = learned(
        Batch({"a": [1.0] * 600}, {}, 600),
        Batch({"a": [2.0] * 300, "late": [3.0] * 300}, {"p": [1.0] * 300}, 300),
        Batch({"late": 3.0}, {}, 1),
        Batch({"late": [3.0] * 100}, {"p": [0.0] * 100}, 100),
    )
    found = {c.name: (c.rows, c.missing) for c in (*got.features, *got.outputs)}
    assert found == {"a": (1001, 101), "late": (1001, 600), "p": (400, 0)}


def test_empty_batches_teach_nothing() -> None:
    model = Model(SETTINGS, None)
    model.observe(Batch({}, {}, 5000), NOW)
    assert samples(model.readings(NOW))["mlmon_reference_rows", "v1"] == 0


def test_a_large_first_batch_is_learned_whole() -> None:
    assert learned(batch(30_000)).rows == 30_000


def test_learning_follows_no_more_features_than_allowed() -> None:
    wide = {f"f{number}": [1.0] * 1000 for number in range(50)}
    got = learned(Batch(wide, {}, 1000), settings=SETTINGS._replace(max_features=10))
    assert len(got.features) == 10
    one_by_one = (Batch({f"f{number % 50}": 1.0}, {}, 1) for number in range(1000))
    got = learned(*one_by_one, settings=SETTINGS._replace(max_features=10))
    assert len(got.features) == 10


DIRTY: list[Any] = [
    *(None, "", math.nan, math.inf, "text", 10**400, True, "3.5", [1], [1, 2], {"a": 1}, "\ud800")
]


@pytest.mark.parametrize("first", [1.0, "a"])
def test_dirty_values_are_learned_and_taken_in(first: Any) -> None:
    column = [first] * 500 + DIRTY * 50
    got = learned(Batch({"x": column}, {}, len(column)))
    (x,) = got.features
    assert x.rows == len(column)
    model = Model(SETTINGS, got)
    model.observe(Batch({"x": column}, {}, len(column)), NOW)
    for value in column:
        model.observe(Batch({"x": value}, {}, 1), NOW)
    found = samples(model.readings(NOW))
    assert found["mlmon_feature_window_rows", "v1", "x", "1h"] == 2 * len(column)
    assert found["mlmon_feature_missing_total", "v1", "x"] == 2 * x.missing
    assert found["mlmon_feature_drifted", "v1", "x", "1h"] == 0.0
    assert found["mlmon_feature_psi", "v1", "x", "1h"] == pytest.approx(
        0.0, abs=1e-3
    )  # empty bins have half a row


def test_another_reference_may_be_used_than_the_one_that_was_learned() -> None:
    others = reference_of(3000)
    model = Model(SETTINGS, None, on_learned=lambda reference: others)
    model.observe(batch(1000), NOW)
    assert model.reference is others
    found = samples(model.readings(NOW))
    assert found["mlmon_model_info", "v1", "", "ref.json"] == 1.0
    assert found["mlmon_reference_rows", "v1"] == 3000


def test_learning_goes_on_where_a_reference_could_not_be_taken() -> None:
    answers: list[bool] = [False, True]

    def keep(reference: ModelReference) -> ModelReference:
        if not answers.pop(0):
            raise OSError("no space left on device")
        return reference

    model = Model(SETTINGS, None, on_learned=keep)
    with pytest.raises(OSError, match="no space left"):
        model.observe(batch(1000), NOW)
    model.observe(batch(200), NOW)
    assert samples(model.readings(NOW))["mlmon_reference_rows", "v1"] == 1200
    assert samples(model.readings(NOW))["mlmon_reference_learning", "v1"] == 0.0


def test_features_and_categories_over_their_caps_are_counted_when_a_reference_is_learned() -> None:
    overflows: list[str] = []
    settings = SETTINGS._replace(max_features=2, max_categories=3, learn_rows=40)
    model = Model(settings, None, on_overflow=overflows.append)
    names = [f"c{i % 4}" for i in range(40)]
    model.observe(Batch({"a": names, "b": ["x"] * 40}, {}, 40), NOW)
    assert overflows == ["category"]
    overflows.clear()
    wide = Model(settings, None, on_overflow=overflows.append)
    wide.observe(Batch({name: [1.0] * 30 for name in "abc"}, {}, 30), NOW)
    wide.observe(Batch({"a": [1.0] * 10}, {}, 10), NOW)
    assert overflows == ["feature"]
    assert wide.feature_names() == ("a", "b")


def test_of_ids_and_free_text_characters_and_words_are_learned() -> None:
    notes = [f"patient {i} has diabetes" for i in range(90)] + [None] * 10
    columns = {"city": [*"aabbc"] * 20, "note": notes}
    batch = Batch(columns, {"id": [f"r{i}" for i in range(100)]}, 100)
    model = Model(SETTINGS._replace(learn_rows=100), None)
    model.observe(batch, NOW)
    got = model.reference
    assert got is not None
    assert [column.name for column in (*got.features, *got.outputs)] == [
        *("city", "note.characters", "note.words", "id.characters", "id.words")
    ]
    assert got.features[0].bins.bin_names[:-3] == ("a", "b", "c")
    assert [(c.mean, c.missing) for c in got.features[2:]] == [(4.0, 10)]
    assert (model.feature_names(), model.output_names()) == (("city", "note"), ("id",))


@pytest.mark.parametrize("side", ["features", "outputs"])
def test_columns_called_as_secrets_are_never_learned(side: str) -> None:
    names = "password newPassword user.api_key x-api-key accessToken Authorization".split()
    secret = dict.fromkeys(names, ["hunter2", "swordfish"] * 50) | {"b": [1.0] * 100}
    batch = Batch(secret, {}, 100) if side == "features" else Batch({}, secret, 100)
    model = Model(SETTINGS._replace(learn_rows=100), None)
    model.observe(batch, NOW)
    assert model.reference is not None
    columns = (*model.reference.features, *model.reference.outputs)
    assert [column.name for column in columns] == ["b"]


def test_columns_that_few_rows_have_are_not_learned() -> None:
    overflows: list[str] = []
    model = Model(SETTINGS._replace(learn_rows=100), None, on_overflow=overflows.append)
    rare, enough = [1.5] * 9 + [None] * 91, [1.5] * 10 + [None] * 90
    model.observe(Batch({"pin": rare, "dose": enough}, {}, 100), NOW)
    assert model.feature_names() == ("dose",)
    assert overflows == ["feature"]
