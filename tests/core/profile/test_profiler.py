"""Facts about columns in the making: their kinds, and how they come and go."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.profile.numeric import DISTINCT
from mlmon_exporter.core.profile.profiler import Profiler
from tests.core.build import Floats, reference, references


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "numeric"),
        ([True, False], "numeric"),
        ([None, None, 1.5], "numeric"),
        (np.array([1, 2], dtype=np.int32), "numeric"),
        ([1, "2", "text"], "numeric"),
        (["1", 2], "categorical"),
        ([None, "", "a", 1], "categorical"),
        ([b"a"], "categorical"),
        (np.array(["a", "b"]), "categorical"),
        ([["a"], ["b"]], "categorical"),
        ([[1.0], [2.0]], "numeric"),
    ],
    ids=repr,
)
def test_the_first_usable_value_settles_the_kind(values: Any, kind: str) -> None:
    assert reference(values).kind == kind
    assert reference(values).rows == len(values)


def test_a_column_that_never_had_a_value_has_no_reference() -> None:
    empty = [None, "", math.nan]
    columns = references({"x": empty, "y": [1, 2, 3], "z": np.full(3, np.nan)})
    assert [column.name for column in columns] == ["y"]


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


def test_a_second_pass_is_needed_only_for_countless_numbers() -> None:
    few, many = Profiler(), Profiler()
    few.profile({"x": np.arange(DISTINCT, dtype=float), "y": ["a"] * DISTINCT}, DISTINCT)
    many.profile({"x": np.arange(DISTINCT + 1, dtype=float)}, DISTINCT + 1)
    assert few.is_exact
    assert not many.is_exact
