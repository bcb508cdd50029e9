"""Facts about one model's state: learning, versions, outputs, threads."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.records import Batch, Histograms, Readings
from mlmon_exporter.core.settings import (
    ModelSettings,
    Policy,
    SegmentFeature,
    WindowName,
    window_names,
)
from mlmon_exporter.metrics.table import METRICS

from .build import references

NOW = 1.7e9
SETTINGS = ModelSettings("bike", "v1", learn_rows=1000)


def rows(count: int, seed: int = 0, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    colours = np.array(["red", "green"], dtype=object)
    return {"age": rng.normal(shift, 1.0, count), "colour": colours[rng.integers(0, 2, count)]}


def batch(count: int, seed: int = 0, *, version: str | None = None, shift: float = 0.0) -> Batch:
    score = np.random.default_rng(seed + 1000).random(count)
    return Batch(rows(count, seed, shift), {"score": score}, count, version)


def single_rows(count: int, seed: int = 0) -> Iterator[Batch]:
    whole = batch(count, seed)
    for i in range(count):
        features = {name: values[i] for name, values in whole.features.items()}
        yield Batch(features, {"score": whole.predictions["score"][i]}, 1)


def reference_of(count: int = 5000) -> ModelReference:
    made = batch(count)
    return ModelReference(references(made.features), references(made.predictions), NOW, "ref.json")


def samples(readings: Iterable[Readings | Histograms]) -> dict[tuple[str, ...], float]:
    """(name, version, other label values) -> value."""
    found: dict[tuple[str, ...], float] = {}
    for block in readings:
        assert block.name in METRICS
        if isinstance(block, Readings):
            for labels, value in zip(block.labels, block.values, strict=True):
                assert labels[0] == "bike"
                key = (block.name, *labels[1:])
                assert key not in found
                found[key] = float(value)
    return found


def versions_of(model: Model) -> set[str]:
    return {key[1] for key in samples(model.readings(NOW))}


# With a reference


def test_rows_show_in_the_readings_of_both_sides() -> None:
    model = Model(SETTINGS, reference_of())
    model.observe(batch(2000, 1), NOW)
    found = samples(model.readings(NOW))
    for window in ("1h", "24h"):
        assert found["mlmon_feature_window_rows", "v1", "age", window] == 2000
        assert found["mlmon_prediction_window_rows", "v1", "score", window] == 2000
        assert found["mlmon_feature_drifted", "v1", "colour", window] == 0.0
    assert found["mlmon_reference_rows", "v1"] == 5000
    assert found["mlmon_reference_learning", "v1"] == 0.0
    assert found["mlmon_reference_timestamp_seconds", "v1"] == NOW
    assert found["mlmon_model_info", "v1", "", "ref.json"] == 1.0


def test_a_shift_drifts_and_calms_when_it_has_passed() -> None:
    model = Model(SETTINGS, reference_of())
    for at, shift, expected in ((0, 0.0, 0.0), (7200, 1.0, 1.0), (14400, 0.0, 0.0)):
        model.observe(batch(2000, at, shift=shift), NOW + at)
        found = samples(model.readings(NOW + at))
        assert found["mlmon_feature_drifted", "v1", "age", "1h"] == expected
        assert found["mlmon_feature_drifted", "v1", "colour", "1h"] == 0.0
        assert found["mlmon_drifted_features_ratio", "v1", "1h"] == expected / 2


def test_one_row_at_a_time_counts_as_all_at_once() -> None:
    one, all_at_once = (Model(SETTINGS, reference_of()) for _ in range(2))
    for row in single_rows(700, 2):
        one.observe(row, NOW)
    all_at_once.observe(batch(700, 2), NOW)
    a, b = (samples(model.readings(NOW)) for model in (one, all_at_once))
    assert a.keys() == b.keys()
    from_digests = ("quantile", "wasserstein_ratio")
    for key, value in a.items():
        if not key[0].endswith(from_digests):
            assert value == pytest.approx(b[key], rel=1e-12, nan_ok=True)


def test_the_only_output_of_a_response_is_the_only_one_of_the_reference() -> None:
    model = Model(SETTINGS, reference_of())
    model.observe(Batch({}, {"prediction": [0.5] * 3}, 3), NOW)
    model.observe(Batch({}, {"score": [0.5] * 2, "also": [1.0] * 2}, 2), NOW)
    found = samples(model.readings(NOW))
    assert found["mlmon_prediction_window_rows", "v1", "score", "1h"] == 5
    assert found["mlmon_prediction_missing_total", "v1", "score"] == 0
    assert found["mlmon_feature_window_rows", "v1", "age", "1h"] == 0


def test_a_reference_without_outputs_gives_no_output_readings() -> None:
    reference = reference_of()._replace(outputs=())
    model = Model(SETTINGS, reference)
    model.observe(batch(200), NOW)
    names = {key[0] for key in samples(model.readings(NOW))}
    assert not any(name.startswith("mlmon_prediction") for name in names)
    assert model.output_names() == ()


def test_names_come_from_the_settings_or_the_reference() -> None:
    assert Model(SETTINGS, reference_of()).output_names() == ("score",)
    assert Model(SETTINGS, reference_of()).feature_names() == ("age", "colour")
    assert Model(SETTINGS._replace(outputs=("p",)), reference_of()).output_names() == ("p",)
    assert Model(SETTINGS, None).output_names() == ()
    assert Model(SETTINGS, None).feature_names() == ()


def test_readings_are_the_same_objects_while_nothing_changed() -> None:
    model = Model(SETTINGS, reference_of())
    model.observe(batch(500), NOW)
    before, after = list(model.readings(NOW)), list(model.readings(NOW))
    kept = [
        a is b for a, b in zip(before, after, strict=True) if not a.name.startswith("mlmon_ref")
    ]
    assert kept.count(False) == 2  # mlmon_dependence_known, mlmon_model_info
    assert all(a.labels == b.labels for a, b in zip(before, after, strict=True))


# Versions


def test_each_version_has_its_own_readings() -> None:
    model = Model(SETTINGS, reference_of())
    model.observe(batch(300), NOW)
    model.observe(batch(200, version="v2"), NOW)
    found = samples(model.readings(NOW))
    assert found["mlmon_feature_window_rows", "v1", "age", "1h"] == 300
    assert found["mlmon_feature_window_rows", "v2", "age", "1h"] == 200


def test_versions_over_the_cap_are_other_and_counted() -> None:
    overflows: list[str] = []
    settings = SETTINGS._replace(max_versions=3)
    model = Model(settings, reference_of(), on_overflow=overflows.append)
    for number in range(2, 10):
        model.observe(batch(10, version=f"v{number}"), NOW)
    assert versions_of(model) == {"v1", "v2", "v3", "other"}
    found = samples(model.readings(NOW))
    assert found["mlmon_feature_window_rows", "other", "age", "1h"] == 60
    assert overflows == ["version"] * 6


def test_the_configured_version_is_never_other() -> None:
    model = Model(SETTINGS._replace(max_versions=1), reference_of())
    model.observe(batch(10, version="v2"), NOW)
    model.observe(batch(10), NOW)
    assert versions_of(model) == {"v1", "other"}


# Learning


def learned(*batches: Batch, settings: ModelSettings = SETTINGS) -> ModelReference:
    told: list[ModelReference] = []

    def keep(reference: ModelReference) -> ModelReference:
        told.append(reference)
        return reference

    model = Model(settings, None, on_learned=keep)
    for each in batches:
        model.observe(each, NOW)
    assert model.reference is told[0]
    assert len(told) == 1
    return told[0]


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


@pytest.mark.parametrize("most", [True, 1, "1", 1.0, "true"])
def test_true_and_1_are_two_categories_where_the_reference_has_both(most: Any) -> None:
    column = [True, 1, "1", 1.0, "true", "a", False, 0] + [most] * 10
    column = ["a", *column, *["b"] * 20] * 60
    got = learned(Batch({"x": column}, {}, len(column)))
    model = Model(SETTINGS, got)
    model.observe(Batch({"x": column}, {}, len(column)), NOW)
    totals = samples(model.readings(NOW))
    (x,) = got.features
    for name, rows in zip(x.bins.bin_names, x.counts, strict=True):
        assert totals["mlmon_feature_bin_rows_total", "v1", "x", "categorical", name] == rows


def test_true_is_1_where_the_reference_has_one_of_them() -> None:
    for name in (True, "1"):
        bins = references({"x": ["a", "a", name]})[0].bins
        assert isinstance(bins, CategoryBins)
        assert {bins.code(value) for value in (True, 1, 1.0, np.bool_(True))} == {bins.code(name)}


# Threads


def together(*workers: Callable[[], None]) -> None:
    """Run workers at once; raises what any of them raised."""
    errors: list[BaseException] = []

    def guarded(worker: Callable[[], None]) -> None:
        try:
            worker()
        except BaseException as error:  # noqa: BLE001 - handed on
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("is_learning", [False, True])
def test_totals_are_exact_with_two_threads_adding_and_one_reading(is_learning: bool) -> None:
    model = Model(SETTINGS, None if is_learning else reference_of())
    parts = list(single_rows(500)), [batch(97, seed) for seed in range(30)]
    running = threading.Event()

    def add(batches: list[Batch]) -> Callable[[], None]:
        def run() -> None:
            for number, each in enumerate(batches):
                model.observe(each, NOW + number)

        return run

    def read() -> None:
        while not running.is_set():
            samples(model.readings(NOW))

    reader = threading.Thread(target=read)
    reader.start()
    together(*map(add, parts))
    running.set()
    reader.join()
    found = samples(model.readings(NOW + 500))
    counted = [
        v for k, v in found.items() if k[:3] == ("mlmon_feature_bin_rows_total", "v1", "age")
    ]
    learned_rows = found["mlmon_reference_rows", "v1"] if is_learning else 0
    assert sum(counted) + learned_rows == 500 + 30 * 97


# Settings


def test_windows_are_sorted_by_length() -> None:
    assert window_names([("24h", 86400.0), ("5m", 300.0)]) == (
        WindowName("5m", 300.0),
        WindowName("24h", 86400.0),
    )


def test_the_policy_says_how_many_rows_are_enough() -> None:
    model = Model(SETTINGS._replace(policy=Policy(min_window_rows=1000)), reference_of())
    model.observe(batch(999), NOW)
    assert math.isnan(samples(model.readings(NOW))["mlmon_feature_psi", "v1", "age", "1h"])
    model.observe(batch(1), NOW)
    assert samples(model.readings(NOW))["mlmon_feature_psi", "v1", "age", "1h"] >= 0


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


def test_texts_are_counted_by_characters_and_words() -> None:
    notes = ["", *(f"note {'x' * i}" for i in range(99))]
    model = Model(SETTINGS._replace(learn_rows=100), None)
    model.observe(Batch({"note": notes}, {"answer": notes}, 100), NOW)
    model.observe(Batch({"note": "a b c"}, {"other name": "d e"}, 1), NOW)
    model.observe(Batch({"note": ["a b", None, 5]}, {"answer": ["a b", None, 5]}, 3), NOW)
    blocks = [*model.readings(NOW)]
    sums = {
        labels[2]: total
        for block in blocks
        if isinstance(block, Histograms)
        for labels, total in zip(block.labels, block.sums, strict=True)
    }
    assert sums == {
        "note.characters": 8.0,
        "note.words": 5.0,
        "answer.characters": 6.0,
        "answer.words": 4.0,
    }
    found = samples(blocks)
    assert found["mlmon_feature_missing_total", "v1", "note.words"] == 2.0
    assert found["mlmon_feature_invalid_total", "v1", "note.words"] == 1.0


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


def test_rows_of_segments_over_the_cap_are_counted() -> None:
    """Those of values that the reference never had are `other` without it."""
    names = ["a"] * 40 + ["b"] * 30 + ["c"] * 20
    rows = {"s": names, "y": ["no", "yes"] * 45}
    features, outputs = (references({name: rows[name]}) for name in "sy")
    reference = ModelReference(features, outputs, NOW, "file")
    overflows: list[str] = []
    settings = SETTINGS._replace(
        task="classification", outputs=("y",), segments=(SegmentFeature("s"),), max_segments=2
    )
    model = Model(settings, reference, on_overflow=overflows.append)
    for value, count in (("a", 0), ("new", 0), ("c", 1), (None, 1), (["a", "c", "c"], 2)):
        many = len(value) if isinstance(value, list) else 1
        made = {"y": ["yes"] * many if many > 1 else "yes"}
        ids = [f"p{i}" for i in range(many)]
        model.pending_of(Batch({"s": value}, made, many, prediction_ids=ids), NOW)
        assert overflows == ["segment"] * count
