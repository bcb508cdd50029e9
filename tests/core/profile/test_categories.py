"""Facts about categories in the making: which are kept, and how their rows are counted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.profile.categories import (
    MOST_NAMED,
    CategoryCounts,
    count_categories,
    with_hidden_names,
    without_names,
)
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.settings import NAMED_ROWS
from tests.core.build import categorical, reference, rows_by_category


def test_categories_are_counted_and_the_most_frequent_kept() -> None:
    values = ["b"] * 3 + ["a"] * 3 + ["c"] * 5 + ["d", "e", None, "", math.nan]
    column = reference(values, max_categories=3, chunk_rows=4)
    bins = categorical(column)
    assert bins.categories == ("c", "a", "b")
    assert bins.rare == {"d", "e"}
    assert column.counts.tolist() == [5, 3, 3, 2, 0, 3]
    assert column.singletons == 2
    assert bins.is_complete


def test_a_category_of_few_rows_is_not_named_but_known() -> None:
    rows = ["often"] * NAMED_ROWS + ["seldom"] * (NAMED_ROWS - 1) + ["once", None]
    column = reference(rows, min_rows=NAMED_ROWS)
    bins = categorical(column)
    assert bins.bin_names == ("often", "other", "unseen", "missing")
    assert column.counts.tolist() == [NAMED_ROWS, NAMED_ROWS, 0, 1]
    assert column.singletons == 1
    assert [bins.bin_names[int(bins.code(value))] for value in ("seldom", "once", "new")] == [
        *("other", "other", "unseen")
    ]


def test_numbers_have_no_names_to_hide() -> None:
    column = reference([1.0, 2.0])
    assert with_hidden_names(column, b"key") is column


def test_of_a_column_without_names_only_the_missing_share_is_watched() -> None:
    column = without_names(reference([f"user {i}" for i in range(30)] + [None] * 10))
    bins = categorical(column)
    assert bins.bin_names == ("other", "unseen", "missing")
    assert column.counts.tolist() == [30, 0, 10]
    assert column.rows_by_category == {}
    assert bins.code("user 1") == bins.code("user 31") == 0
    assert bins.code(None) == 2


@pytest.mark.parametrize(
    ("rows", "is_id"),
    [
        ([f"user {i}" for i in range(20)], True),
        ([f"user {i}" for i in range(19)], False),
        ([f"user {i}" for i in range(60)] + ["x"] * 59, True),
        ([f"user {i}" for i in range(60)] + ["x"] * 60, False),
        ([f"user {i % 50}" for i in range(100)], False),
        (list(range(100)), False),
    ],
)
def test_nearly_every_row_of_an_id_is_different(rows: list[Any], is_id: bool) -> None:
    assert reference(rows).is_id_like == is_id


def test_numbers_are_categories_where_the_user_says_so() -> None:
    column = reference([1, 1.0, "1", True, 2, 2.5], categorical=["x"])
    assert rows_by_category(column) == {"1": 3, "true": 1, "2": 1, "2.5": 1}


def test_what_cannot_be_a_category_is_missing() -> None:
    counts = count_categories(["a", None, "", math.nan, math.inf, [1, 2], {"a": 1}, ["b"]])
    assert counts == CategoryCounts(("a", "b"), (1, 1), 6)


@pytest.mark.parametrize("different", [MOST_NAMED, 2 * MOST_NAMED + 1, 30_000])
def test_countless_categories_keep_the_frequent_ones_and_all_rows(different: int) -> None:
    rng = np.random.default_rng(9)
    values = [f"c{number}" for number in rng.permutation(different)]
    values[::10] = ["often"] * len(values[::10])
    column = reference(values)
    bins = categorical(column)
    assert bins.categories[0] == "often"
    assert column.counts[0] == len(values[::10])
    assert column.rows == different
    assert len(bins.categories) == 50
    assert len(bins.rare) <= MOST_NAMED
    assert bins.is_complete == (different == MOST_NAMED)


def test_categories_counted_already_are_as_good_as_values() -> None:
    values = ["a", "b", "a", None, "c"]
    counted = reference(values)
    profiler = Profiler(min_rows=1)
    profiler.profile({"x": CategoryCounts(("a", "b"), (1, 1), 0)}, 2)
    profiler.profile({"x": CategoryCounts(("a", "c"), (1, 1), 1)}, 3)
    (column,) = profiler.references()
    assert column.counts.tolist() == counted.counts.tolist()
    assert categorical(column).categories == categorical(counted).categories


def test_rows_of_unnamed_categories_are_other_and_nothing_is_unseen() -> None:
    profiler = Profiler(min_rows=1)
    profiler.profile({"x": CategoryCounts(("a",), (3,), 1, other=4)}, 8)
    (column,) = profiler.references()
    assert column.counts.tolist() == [3, 4, 0, 1]
    assert not categorical(column).is_complete
