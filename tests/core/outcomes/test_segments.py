"""Facts about segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.outcomes.segments import (
    ALL_ROWS,
    FeatureSegments,
    Segment,
    Segments,
    feature_segments,
)
from mlmon_exporter.core.settings import SegmentFeature
from tests.core.build import reference

SEX = FeatureSegments("sex", ["male", "female"])
AGE = FeatureSegments("age", (), [25, 45])


@pytest.mark.parametrize(
    ("value", "label"),
    [("male", "male"), ("x", "other"), (None, "missing"), ("", "missing"), ([], "missing")],
)
def test_a_value_is_its_own_segment_or_other_or_missing(value: Any, label: str) -> None:
    assert SEX.label_of(value) == label


@pytest.mark.parametrize(
    ("value", "label"),
    [
        *(
            (24.9, "<25"),
            (25, "[25, 45)"),
            ("44", "[25, 45)"),
            (45.0, ">=45"),
            (np.int64(3), "<25"),
        ),
        *((None, "missing"), (np.nan, "missing"), ("old", "missing"), (np.inf, "missing")),
    ],
)
def test_a_value_at_an_edge_is_in_the_range_above(value: Any, label: str) -> None:
    assert AGE.label_of(value) == label


def test_the_most_frequent_values_of_the_reference_are_segments() -> None:
    column = reference(np.array([*("aaabbc" * 10)], dtype=object))
    assert feature_segments(SegmentFeature("x"), column, 2).labels == ("a", "b", "other", "missing")


def test_numbers_are_segments_by_value() -> None:
    found = feature_segments(SegmentFeature("x"), reference(np.array([1.0, 2, 2, 2.5] * 10)))
    assert found.labels == ("2", "1", "2.5", "other", "missing")
    assert [found.label_of(v) for v in (2, 2.0, "2", 2.5, 7)] == ["2", "2", "2", "2.5", "other"]


@pytest.mark.parametrize("few", ["b", 7.0])
def test_a_value_of_few_rows_is_no_segment(few: Any) -> None:
    many = "a" if isinstance(few, str) else 1.0
    column = reference([many] * 10 + [few] * 9, min_rows=10)
    assert len(feature_segments(SegmentFeature("x"), column).values) == 1


def test_without_a_reference_all_are_other() -> None:
    assert feature_segments(SegmentFeature("x"), None).label_of("a") == "other"


def test_rows_get_a_label_for_each_feature_one_by_one_as_together() -> None:
    segments = Segments([SEX, AGE])
    rows: dict[str, Any] = {"sex": ["male", None, "x"], "age": np.array([30.0, 50.0, np.nan])}
    together = segments.of_rows(rows, 3)
    assert together == [("male", "[25, 45)"), ("missing", ">=45"), ("other", "missing")]
    one_by_one = [segments.of_row({k: v[i] for k, v in rows.items()}) for i in range(3)]
    assert one_by_one == together
    assert segments.of_rows({}, 1) == [("missing", "missing")]
    assert Segments().of_rows({}, 2) == [(), ()]


def test_a_value_that_is_called_other_keeps_a_label_of_its_own() -> None:
    found = FeatureSegments("x", ["other"])
    assert len(set(found.labels)) == 3
    assert found.label_of("other") != found.label_of("else")


def test_slices_are_all_rows_and_then_each_segment() -> None:
    segments = Segments([SEX])
    assert segments.all[:2] == (ALL_ROWS, Segment("sex", "male"))
    assert [segments.all[i].segment for i in segments.indexes[0].values()] == [*SEX.labels]
