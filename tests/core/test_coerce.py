"""Facts about values as they come in, and the numbers that they are."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.coerce import (
    LARGEST,
    is_missing,
    matrix,
    number,
    numbers,
    scalar,
    summable,
    times,
    vector,
)
from mlmon_exporter.core.profile.bins import CategoryBins

NAN, INF = math.nan, math.inf

READ: list[tuple[Any, float]] = [
    (1, 1.0),
    (-0.5, -0.5),
    (True, 1.0),
    (np.bool_(False), 0.0),
    (np.float32(0.5), 0.5),
    (np.int64(7), 7.0),
    ("3.5", 3.5),
    (" 3.5 ", 3.5),
    ("1e3", 1000.0),
    (b"2.5", 2.5),
    (2**60, float(2**60)),
    (None, NAN),
    ("", NAN),
    (NAN, NAN),
    ("nan", NAN),
    (np.float64(NAN), NAN),
    (INF, INF),
    (-INF, -INF),
    ("inf", INF),
    ("text", INF),
    ("\ud800", INF),
    (10**400, INF),
    (-(10**400), INF),
    ("9" * 400, INF),
    (1 + 2j, INF),
    ({"a": 1}, INF),
    ([1, 2], INF),
    ([], INF),
    (np.array([1.0, 2.0]), INF),
    ([4.0], 4.0),
    ([[4.0]], 4.0),
    (np.array(4.0), 4.0),
    (np.array([4.0]), 4.0),
    ([None], NAN),
    (object(), INF),
    (dt.date(2026, 1, 1), 1767225600.0),
    (dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC), 1767268800.0),
    (dt.timedelta(minutes=2), 120.0),
    (dt.time(0, 1), 60.0),
    ("2026-01-01", 1767225600.0),
    ("2026-01-01T12:00:00+02:00", 1767261600.0),
    ("2026-13-01", INF),
    (" ", NAN),
    ("NA", NAN),
    ("True", 1.0),
    ("FALSE", 0.0),
    ("tRUE", INF),
    ("1_000", INF),
    ("\uff11\uff12", INF),
    ("\u0661", INF),
    ("0x10", INF),
    (Decimal("2.5"), 2.5),
    (Decimal("sNaN"), INF),
]
IDS = [repr(value).partition(" object at")[0][:30] for value, _ in READ]


def same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


@pytest.mark.parametrize(("value", "expected"), READ, ids=IDS)
def test_a_value_is_read_as_a_number(value: Any, expected: float) -> None:
    found = number(value)
    assert type(found) is float
    assert same(found, expected) or (math.isinf(found) and math.isinf(expected))


@pytest.mark.parametrize(("value", "expected"), READ, ids=IDS)
@pytest.mark.parametrize("beside", [1.0, None, "x", "2.50", [1, 2]], ids=repr)
def test_a_column_is_read_as_its_values_are(value: Any, expected: float, beside: Any) -> None:
    found = numbers([value, beside])
    assert found.dtype == np.float64
    assert found.shape == (2,)
    for got, wanted in zip(found.tolist(), (expected, number(beside)), strict=True):
        assert same(got, wanted) or (math.isinf(got) and math.isinf(wanted))


@given(st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)))
def test_lists_and_object_arrays_read_alike(values: list[Any]) -> None:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    assert np.array_equal(numbers(values), numbers(array), equal_nan=True)
    alone = np.array([number(value) for value in values], dtype=np.float64)
    assert np.array_equal(numbers(values), alone, equal_nan=True)


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, 2], dtype=dtype)
        for dtype in ("u1", "i8", "u8", "f2", "f4", "f8", ">f8", "?", "O", "U3", "S3")
    ],
    ids=lambda array: array.dtype.str,
)
def test_every_plain_array_is_read(array: Any) -> None:
    expected = [1.0, 1.0] if array.dtype == np.bool_ else [1.0, 2.0]
    assert numbers(array).tolist() == expected


@pytest.mark.parametrize("dtype", ["datetime64[s]", "datetime64[ns]", "timedelta64[ms]"])
def test_times_are_unix_seconds_and_durations_seconds(dtype: str) -> None:
    column = np.array([90_000, "NaT"], dtype="timedelta64[s]")
    column = (column + np.datetime64(0, "s") if dtype[0] == "d" else column).astype(dtype)
    np.testing.assert_array_equal(numbers(column), [90_000.0, NAN])
    assert number(column[0]) == 90_000.0


def test_complex_numbers_are_no_numbers() -> None:
    column = np.zeros(2, dtype="complex128")
    assert numbers(column).tolist() == [INF, INF]
    assert number(column[0]) == INF


def test_one_column_of_a_matrix_is_that_column_and_more_are_invalid() -> None:
    assert numbers(np.array([[1.0], [2.0]])).tolist() == [1.0, 2.0]
    assert numbers(np.ones((2, 3))).tolist() == [INF, INF]
    assert numbers([[1.0, 2.0], [3.0, 4.0]]).tolist() == [INF, INF]
    assert numbers([]).tolist() == []
    assert numbers(np.empty((0, 3))).tolist() == []


class Stubborn:
    """As a tensor on a device that is gone: it raises what nobody expects."""

    def __float__(self) -> float:
        raise RuntimeError("no number")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("cannot be compared")

    def __hash__(self) -> int:
        raise RuntimeError("cannot be hashed")


def test_an_object_that_raises_anything_is_invalid_and_spoils_no_other_value() -> None:
    stubborn = Stubborn()
    assert number(stubborn) == INF
    assert numbers([1.0, stubborn]).tolist() == [1.0, INF]
    assert vector([1.0, stubborn, None]) == pytest.approx([1.0, INF, math.nan], nan_ok=True)
    assert matrix([[1.0, 2.0], [stubborn, 3.0]], 2).tolist() == [[1.0, 2.0], [INF, 3.0]]
    assert math.isnan(CategoryBins(("red",)).code(stubborn))


@given(st.lists(st.sampled_from([value for value, _ in READ]), max_size=20))
def test_values_of_many_columns_are_read_as_each_alone_is(values: list[Any]) -> None:
    np.testing.assert_array_equal(vector(values), [number(value) for value in values])


def test_a_scalar_comes_out_of_lists_of_one() -> None:
    assert scalar([["a"]]) == "a"
    assert scalar((1,)) == 1
    assert scalar(np.array("a")) == "a"
    assert scalar([1, 2]) == [1, 2]
    assert scalar([]) == []


class NAType:
    """What pandas' NA does."""

    def __eq__(self, other: object) -> Any:
        return self

    def __ne__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize(
    "value", [None, "", " ", "\t\n", NAN, np.nan, np.datetime64("NaT", "s"), NAType()]
)
def test_what_is_missing(value: Any) -> None:
    assert is_missing(value) is True
    assert math.isnan(number(value))


@pytest.mark.parametrize("value", [0, False, "0", "NA", INF, [], {}, np.ones(2), b""])
def test_what_is_there(value: Any) -> None:
    assert is_missing(value) is False


def test_sums_of_the_greatest_values_are_finite() -> None:
    values = np.array([-1.7e308, -1.7e308, 0.0, 1e300])
    assert np.isfinite(summable(values).sum())
    assert summable(values).tolist() == [-LARGEST, -LARGEST, 0.0, 1e300]
    small = np.array([1.0, 2.0])
    assert summable(small) is small


@pytest.mark.parametrize("value", [value for value, _ in READ], ids=IDS)
def test_a_matrix_has_each_value_as_its_column_alone_would(value: Any) -> None:
    columns = [[1.5, 2.5], [value, value], [value, 3.5], [None, True]]
    np.testing.assert_array_equal(matrix(columns, 2), [numbers(column) for column in columns])


def test_a_matrix_is_of_lists_and_arrays_alike() -> None:
    columns: list[Any] = [[1, 2, 3], np.array([4.0, 5.0, np.nan]), np.array([1j, 2j, 3j])]
    expected = [[1, 2, 3], [4, 5, NAN], [INF, INF, INF]]
    np.testing.assert_array_equal(matrix(columns, 3), expected)
    assert matrix([], 3).shape == (0, 3)


T0 = 1577836800.0  # 2020-01-01
ZONE = dt.timezone(dt.timedelta(hours=1))
TIMES: list[Any] = [
    [T0, T0 + 60],
    [T0 * 1e3, (T0 + 60) * 1e3],
    [int(T0) * 10**6, int(T0 + 60) * 10**6],
    [int(T0) * 10**9, int(T0 + 60) * 10**9],
    np.array([T0 * 1e9, (T0 + 60) * 1e9]).astype(np.int64),
    [f"{T0:.0f}", f"{T0 + 60:.0f}000"],
    ["2020-01-01", "2020-01-01T00:01:00"],
    ["2020-01-01 01:00:00+01:00", "2020-01-01T00:01:00Z"],
    np.array(["2020-01-01T00:00:00", "2020-01-01T00:01:00"]),
    np.array(["2020-01-01T00:00", "2020-01-01T00:01"], dtype="datetime64[s]"),
    [dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, 0, 1)],  # noqa: DTZ001 - naive
    [dt.datetime(2020, 1, 1, 1, tzinfo=ZONE), dt.datetime(2020, 1, 1, 0, 1, tzinfo=dt.UTC)],
]


@pytest.mark.parametrize("values", TIMES, ids=repr)
def test_times_of_rows_are_unix_seconds_in_whatever_unit_they_come(values: Any) -> None:
    assert times(values).tolist() == [T0, T0 + 60]


def test_a_time_that_is_missing_or_absurd_is_none() -> None:
    absurd = [None, math.nan, "", math.inf, -1e308, 1e30, 5e10, dt.date(9999, 12, 31)]
    assert np.isnan(times(absurd)).all()
    assert np.isnan(times(np.array(["NaT", "9999-12-31"], dtype="datetime64[D]"))).all()


@pytest.mark.parametrize("wrong", ["yesterday", "23/11/2026", [1, 2], {}])
def test_what_is_no_time_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="expected times such as"):
        times([T0, wrong])
