"""Facts about rows whose values are objects or lists."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.formats import FormatError
from mlmon_exporter.formats.flatten import flatten, is_nested_record


def flat(row: dict[str, Any]) -> dict[str, Any]:
    (only,) = flatten([row], 100)
    return only


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": {"b": 1, "c": {"d": 2}}}, {"a.b": 1, "a.c.d": 2}),
        ({"a": [1, 2]}, {"a[0]": 1, "a[1]": 2}),
        ({"a": [[1, 2], [3, 4]]}, {"a[0][0]": 1, "a[0][1]": 2, "a[1][0]": 3, "a[1][1]": 4}),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a[0].b": 1, "a[1].b": 2}),
        ({"a": [5.1]}, {"a": 5.1}),
        ({"a": {"0": 5.1}}, {"a": 5.1}),
        ({"a": [], "b": {}, "c": 1}, {"c": 1}),
        ({"a": {"b64": "AAAA"}}, {"a": {"b64": "AAAA"}}),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a.b.c.d": {"e": 1}}),
    ],
)
def test_parts_are_named_after_the_whole(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert flat(row) == expected


def test_a_long_list_is_no_features() -> None:
    assert flat({"a": [0] * 64}) == {f"a[{i}]": 0 for i in range(64)}
    assert flat({"a": [0] * 65}) == {"a": [0] * 65}


def test_a_long_name_gets_no_parts() -> None:
    name = "n" * 129
    assert flat({name: [1, 2]}) == {name: [1, 2]}


def test_more_columns_than_allowed_are_too_many_over_all_rows() -> None:
    with pytest.raises(FormatError) as raised:
        flatten([{f"k{i}": [1, 2]} for i in range(51)], 100)
    assert raised.value.reason == "too_many_features"


def test_names_are_kept_once_however_many_rows_have_them() -> None:
    one, two = flatten([{"a": {"b": 1}}, {"a": {"b": 2}}], 100)
    assert [*map(id, one)] == [*map(id, two)]


LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=2)
NESTED = st.sampled_from([[], {}, [1], {"a": 1}, [[]], {"a": {}}])


@given(st.dictionaries(st.text(max_size=2), LEAVES | NESTED, max_size=5))
def test_a_record_is_nested_where_a_value_is_an_object_or_a_list(row: dict[str, Any]) -> None:
    # As parsed too: whoever fills a dict has to tell the garbage collector what is in it.
    for record in (row, orjson.loads(orjson.dumps(row)), json.loads(json.dumps(row))):
        assert is_nested_record(record) == any(isinstance(v, dict | list) for v in row.values())
