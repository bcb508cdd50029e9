"""Facts about tables: each cell against the row that it comes from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.formats import BodyMap, FormatError
from mlmon_exporter.formats import tables as t

ANY = BodyMap()
CELLS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
NAMES = st.sampled_from(["a", "b", "c", "a.b", ""])
RECORDS = st.lists(st.dictionaries(NAMES, CELLS, min_size=1), min_size=1, max_size=6)


def cell(table: t.Table, name: str, row: int) -> Any:
    columns, rows = table
    return columns[name] if rows == 1 else columns[name][row]


@given(RECORDS)
def test_each_cell_of_records_is_the_rows_own_or_none(records: list[dict[str, Any]]) -> None:
    table = t.from_records(records, ANY)
    assert table[1] == len(records)
    assert set(table[0]) == set().union(*records)
    for name in table[0]:
        for i, record in enumerate(records):
            assert cell(table, name, i) is record.get(name)


@given(st.integers(1, 4).flatmap(lambda k: st.lists(st.lists(CELLS, min_size=k, max_size=k))))
def test_each_cell_of_lists_is_at_its_position(rows: list[list[Any]]) -> None:
    if not rows:
        return
    table = t.from_lists(rows, ANY.name_features, ANY)
    assert [*table[0]] == [str(i) for i in range(len(rows[0]))]
    for i, row in enumerate(rows):
        assert [cell(table, name, i) for name in table[0]] == row


@given(RECORDS)
def test_columns_are_their_records(records: list[dict[str, Any]]) -> None:
    names = set().union(*records)
    columns = {name: [record.get(name) for record in records] for name in names}
    assert t.from_columns(columns, ANY) == t.from_records(
        [{name: record.get(name) for name in names} for record in records], ANY
    )


def test_tensors_are_read_row_major() -> None:
    rows = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    table = t.from_lists(rows, ANY.name_features, ANY)
    assert table == ({"0": [1, 5], "1": [2, 6], "2": [3, 7], "3": [4, 8]}, 2)


def test_objects_within_lists_are_flattened() -> None:
    rows = [[{"p": 1, "q": 2}, 3], [{"p": 4, "q": 5}, 6]]
    table = t.from_lists(rows, ANY.name_features, ANY)
    assert table == ({"0.p": [1, 4], "0.q": [2, 5], "1": [3, 6]}, 2)


def test_nesting_in_any_row_is_flattened() -> None:
    assert t.from_records([{"a": None}, {"a": {"b": 1}}], ANY) == (
        {"a": [None, None], "a.b": [None, 1]},
        2,
    )


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "no_rows"),
        ([{}], "no_columns"),
        ([{}, {}], "no_columns"),
        ([[]], "no_columns"),
        ([[], []], "no_columns"),
        ([[1], [1, 2]], "ragged_rows"),
        ([[1], {"a": 1}], "ragged_rows"),
        ([{"a": 1}, 1], "ragged_rows"),
    ],
)
def test_rows_that_are_no_table_say_why(rows: list[Any], reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        t.from_rows(rows, ANY.name_features, ANY)
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({}, "no_rows"), ({"a": []}, "no_rows"), ({"a": [1], "b": [1, 2]}, "ragged_rows")],
)
def test_columns_that_are_no_table_say_why(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        t.from_columns(columns, ANY)
    assert raised.value.reason == reason


def test_rows_without_names_in_common_cannot_make_a_large_table() -> None:
    rows = [{f"k{i % 1500}": 1} for i in range(9000)]
    with pytest.raises(FormatError) as raised:
        t.from_records(rows, ANY)
    assert raised.value.reason == "too_many_values"


@pytest.mark.parametrize("rows", [1, 2])
def test_limits_are_what_is_still_allowed(rows: int) -> None:
    limits = BodyMap(max_rows=rows, max_features=2, max_values=2 * rows)
    record = {"a": 1, "b": 2}
    assert t.from_rows([record] * rows, limits.name_features, limits)[1] == rows
    for wrong, reason in (
        ([record] * (rows + 1), "too_many_rows"),
        ([record | {"c": 3}] * rows, "too_many_features"),
        ([[1, 2, 3]] * rows, "too_many_features"),
        ([1] * (rows + 1), "too_many_rows"),
    ):
        with pytest.raises(FormatError) as raised:
            t.from_rows(wrong, limits.name_features, limits)
        assert raised.value.reason == reason
