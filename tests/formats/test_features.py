"""Facts about where in a request the features are found."""

from __future__ import annotations

from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, FormatError
from mlmon_exporter.formats.features import read

UNNAMED = BodyMap()
ONE = BodyMap(feature_names=("x",))
TWO = BodyMap(feature_names=("x", "y"))
ROW = ({"x": 1, "y": 2}, 1)


@pytest.mark.parametrize("holder", ["instances", "inputs", "features", "data"])
@pytest.mark.parametrize("held", [{"x": 1, "y": 2}, [{"x": 1, "y": 2}], [[1, 2]], [1, 2]])
def test_a_holder_holds_a_record_or_rows(holder: str, held: Any) -> None:
    assert read({holder: held}, TWO) == ROW
    assert read({holder: held, "id": "a1", "debug": [True]}, TWO) == ROW


def test_holders_within_holders_are_opened() -> None:
    assert read({"instances": [{"features": [1, 2]}]}, TWO) == ROW
    assert read({"data": {"features": {"x": 1, "y": 2}}}, TWO) == ROW
    assert read([{"data": {"features": [1, 2]}, "id": 7}], TWO) == ROW


@pytest.mark.parametrize("holder", ["data", "features", "other"])
def test_holders_within_holders_are_not_opened_without_end(holder: str) -> None:
    body: Any = {"x": 1}
    for _ in range(1000):  # orjson reads 1024 levels
        body = {holder: body}
    assert read(body, UNNAMED)[1] == 1
    assert read([body], UNNAMED)[1] == 1
    assert read({"instances": [body, body]}, UNNAMED)[1] == 2


def test_a_row_without_the_holder_of_the_others_is_ragged() -> None:
    for other in (5, [1], {"x": 1}):
        with pytest.raises(FormatError) as raised:
            read([{"features": [1, 2]}, other], TWO)
        assert raised.value.reason == "ragged_rows"


def test_a_holders_name_with_a_single_value_is_a_feature() -> None:
    assert read({"data": 5.0, "inputs": "text"}, UNNAMED) == ({"data": 5.0, "inputs": "text"}, 1)


@pytest.mark.parametrize(
    ("value", "body_map", "expected"),
    [
        ([1, 2], TWO, ROW),
        ([1, 2], ONE, ({"x": [1, 2]}, 2)),
        ([1, 2], UNNAMED, ({"0": 1, "1": 2}, 1)),
        ({"features": [1, 2]}, UNNAMED, ({"0": 1, "1": 2}, 1)),
        ({"instances": [1, 2]}, UNNAMED, ({"0": [1, 2]}, 2)),
        ({"instances": [1, 2]}, TWO, ROW),
        (3.5, ONE, ({"x": 3.5}, 1)),
        ("text", UNNAMED, ({"0": "text"}, 1)),
    ],
)
def test_single_values_are_one_row_or_one_row_each_by_the_names(
    value: Any, body_map: BodyMap, expected: Any
) -> None:
    assert read(value, body_map) == expected


@pytest.mark.parametrize("value", [[1, 2, 3], {"instances": [1, 2, 3]}, [[1, 2, 3]], [[1]], 1])
def test_values_that_do_not_fit_the_names_are_not_guessed_at(value: Any) -> None:
    with pytest.raises(FormatError) as raised:
        read(value, TWO)
    assert raised.value.reason == "mismatched_names"


def test_the_only_key_is_a_holder_unless_it_is_a_feature() -> None:
    assert read({"batch": [[1, 2], [3, 4]]}, TWO) == ({"x": [1, 3], "y": [2, 4]}, 2)
    assert read({"vector": [1, 2]}, TWO) == ROW
    assert read({"x": [[1, 2], [3, 4]]}, TWO) == ({"x[0]": [1, 3], "x[1]": [2, 4]}, 2)


def test_names_in_the_body_come_before_the_models() -> None:
    body = {"columns": ["y", "x"], "data": [[2, 1]]}
    assert read(body, TWO) == ({"y": 2, "x": 1}, 1)


@pytest.mark.parametrize("columns", [None, [], [1, 2], "xy"])
def test_columns_that_are_no_names_are_ignored(columns: Any) -> None:
    assert read({"columns": columns, "data": [[1, 2]]}, TWO) == ROW


def test_a_record_with_some_lists_is_one_row() -> None:
    assert read({"a": [1, 2], "b": 3}, UNNAMED) == ({"a[0]": 1, "a[1]": 2, "b": 3}, 1)


@pytest.mark.parametrize("value", [None, [], {"instances": []}, {"features": [[]]}, {}])
def test_nothing_is_no_rows_or_no_columns(value: Any) -> None:
    with pytest.raises(FormatError) as raised:
        read(value, UNNAMED)
    assert raised.value.reason in {"no_rows", "no_columns"}


def test_azures_inputs_hold_rows_under_a_name_or_as_data() -> None:
    settings = {"GlobalParameters": {"method": "predict"}}
    assert read({"Inputs": {"WebServiceInput0": [{"x": 1, "y": 2}]}, **settings}, TWO) == ROW
    assert read({"Inputs": {"data": [{"x": 1, "y": 2}]}, **settings}, TWO) == ROW
    assert read({"Inputs": [[1, 2]], **settings}, TWO) == ROW
