"""Facts about columns in the making: their kinds, and how they come and go."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.coerce import Cell
from mlmon_exporter.core.profile.numeric import DISTINCT
from mlmon_exporter.core.profile.profiler import Profiler
from tests.core.build import Floats, reference, references, rows_by_category


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "numeric"),
        ([True, False], "numeric"),
        ([None, None, 1.5], "numeric"),
        (np.array([1, 2], dtype=np.int32), "numeric"),
        ([1, "2", "text"], "categorical"),
        ([1, 2, "text"], "numeric"),
        (["1", 2], "numeric"),
        ([None, "", "a", "b", 1], "categorical"),
        ([Cell("1"), Cell("2.50"), Cell("a")], "numeric"),
        ([b"a"], "categorical"),
        (np.array(["a", "b"]), "categorical"),
        ([["a"], ["b"]], "categorical"),
        ([[1.0], [2.0]], "numeric"),
    ],
    ids=repr,
)
def test_the_majority_of_values_settles_the_kind_in_any_order(values: Any, kind: str) -> None:
    assert reference(values).kind == reference(values[::-1]).kind == kind
    assert reference(values).rows == len(values)


def test_a_column_that_never_had_a_value_is_kept_and_any_value_there_is_unseen() -> None:
    empty = [None, "", math.nan]
    columns = references({"x": empty, "y": [1, 2, 3], "z": np.full(3, np.nan)})
    assert [(c.name, c.rows, c.missing) for c in columns] == [
        *(("x", 3, 3), ("y", 3, 0), ("z", 3, 3)),
    ]
    for value in (1.5, "text", True):
        cell = columns[0].bins.count(np.array([columns[0].bins.code(value)]))[0]  # type: ignore[union-attr]
        assert cell.tolist() == [0, 1, 0]


def test_a_kind_is_that_of_most_rows_over_all_chunks() -> None:
    rows: list[Any] = ["unknown", *(n / 8 for n in range(999)), "1_0", "12.5", None, True]
    once = reference(rows, chunk_rows=2000)
    for chunk_rows in (1, 7, 500):
        for order in (rows, rows[::-1]):
            column = reference(order, chunk_rows=chunk_rows)
            assert (column.kind, column.rows, column.missing) == ("numeric", 1004, 3)
            assert column.counts.tolist() == once.counts.tolist()
    mostly = reference([1, *(["a", "b"] * 3), 2.0, None], chunk_rows=1)
    assert rows_by_category(mostly) == {"a": 3, "b": 3, "1": 1, "2": 1}
    assert mostly.missing == 1


def test_a_column_is_missing_where_it_is_not_there() -> None:
    profiler = Profiler(categorical=["late category"])
    profiler.profile({"always": [1.0] * 5, "early": ["a"] * 5}, 5)
    profiler.profile({"always": [2.0] * 3, "late": [None] * 3}, 3)
    profiler.profile({"always": [2.0] * 2, "late": [7.0] * 2, "late category": [1, 2]}, 2)
    found = {column.name: (column.rows, column.missing) for column in profiler.references()}
    assert found == {
        "always": (10, 0),
        "early": (10, 5),
        "late": (10, 8),
        "late category": (10, 8),
    }


def test_the_second_pass_knows_absent_columns_as_missing_too() -> None:
    values = np.random.default_rng(10).random(2 * DISTINCT)
    profiler = Profiler()
    parts: list[tuple[dict[str, Floats], int]] = [({"x": values}, len(values)), ({}, 5)]
    for step in (profiler.profile, profiler.count):
        for columns, rows in parts:
            step(columns, rows)
    (column,) = profiler.references()
    assert (column.rows, column.missing) == (len(values) + 5, 5)


def test_no_more_columns_than_allowed_are_followed() -> None:
    profiler = Profiler(columns=2)
    for name in ("a", "b", "c"):
        profiler.profile({name: [1.0, 2.0]}, 2)
    assert [column.name for column in profiler.references()] == ["a", "b"]


def test_made_up_names_do_not_take_the_place_of_features_that_all_send() -> None:
    profiler = Profiler(columns=2)
    profiler.profile({"x": [None, 1.0], "made up": [None, None], "made": [1.0, None]}, 2)
    for _ in range(3):
        profiler.profile({"x": [1.0] * 5, "y": [2.0] * 5}, 5)
    assert [column.name for column in profiler.references()] == ["x", "y"]


def test_a_second_pass_is_needed_only_for_countless_numbers() -> None:
    few, many = Profiler(), Profiler()
    few.profile({"x": np.arange(DISTINCT, dtype=float), "y": ["a"] * DISTINCT}, DISTINCT)
    many.profile({"x": np.arange(DISTINCT + 1, dtype=float)}, DISTINCT + 1)
    assert few.is_exact
    assert not many.is_exact
