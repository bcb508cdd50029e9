"""Facts about one model's state: learning, versions, outputs, threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.records import Batch, Histograms, SingleRows
from mlmon_exporter.core.settings import (
    SegmentFeature,
)
from tests.core.served_rows import (
    NOW,
    SETTINGS,
    batch,
    learned,
    reference_of,
    samples,
    single_rows,
)

from .build import references

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


# Learning


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
    # Once for each of these requests.
    single = SingleRows(["s"], ["a", "c", "c"], ["y"], ["yes"] * 3, [NOW] * 3, ["p", "", "q"])
    waiting = model.pending_of(single, NOW)
    assert [(each.id, each.segments) for each in waiting] == [("p", ("a",)), ("q", ("other",))]
    assert overflows == ["segment"] * 4
