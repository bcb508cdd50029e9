"""Facts about tensors: their rows and columns."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, parse
from tests.formats.tensor import asked, binary, features, reason, tensor


@pytest.mark.parametrize(
    "data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]], [[[1], [2], [3]], [[4], [5], [6]]]]
)
@pytest.mark.parametrize("shape", [[2, 3], [2, 3, 1], [2, 1, 3]])
def test_data_is_flat_or_nested_row_by_row(data: Any, shape: list[int]) -> None:
    assert features(asked(tensor(shape, data))) == {"x[0]": [1, 4], "x[1]": [2, 5], "x[2]": [3, 6]}


@pytest.mark.parametrize("shape", [[3], None, [7], "3", [-1], [3.0], [True]])
def test_one_dimension_is_told_by_the_values_where_the_shape_is_wrong(shape: Any) -> None:
    assert features(asked(tensor(shape, [1, 2, 3]))) == {"x": [1, 2, 3]}


def test_a_shape_of_no_dimensions_is_one_value() -> None:
    assert features(asked(tensor([], [5]))) == {"x": 5}


@pytest.mark.parametrize(
    ("names", "inputs", "expected"),
    [
        ((), [tensor([2, 1], [1, 2])], ["x"]),
        (("a", "b"), [tensor([1, 2], [1, 2])], ["a", "b"]),
        (("a",), [tensor([2], [1, 2])], ["a"]),
        (("a", "x"), [tensor([2], [1, 2])], ["x"]),
        (("x[0]", "x[1]", "y"), [tensor([1, 2], [1, 2])], ["x[0]", "x[1]"]),
        (("a", "b"), [tensor([2], [1, 2]), tensor([2], [3, 4], name="z")], ["x", "z"]),
    ],
)
def test_an_only_inputs_columns_take_the_models_names_where_they_fit(
    names: tuple[str, ...], inputs: Sequence[Any], expected: list[str]
) -> None:
    assert [*features(asked(*inputs), BodyMap(feature_names=names))] == expected


def test_an_input_of_another_width_than_the_models_is_mismatched() -> None:
    body_map = BodyMap(feature_names=("a", "b"))
    assert reason(asked(tensor([1, 3], [1, 2, 3])), body_map) == "mismatched_names"


def test_a_tensor_without_a_batch_dimension_is_one_row_of_known_features() -> None:
    four = BodyMap(feature_names=("a", "b", "c", "d"))
    batch = parse(asked(tensor([4], [10, 11, 12, 13])), four).batch
    assert (batch.features, batch.rows) == ({"a": 10, "b": 11, "c": 12, "d": 13}, 1)
    content = struct.pack("<4d", 10, 11, 12, 13)
    assert features(binary([4], content, "FP64"), four) == {"a": 10, "b": 11, "c": 12, "d": 13}


def test_a_tensor_of_one_dimension_that_is_a_feature_is_its_rows() -> None:
    known = BodyMap(feature_names=("x", "y"))
    assert features(asked(tensor([2], [10, 11])), known) == {"x": [10, 11]}
    assert features(asked(tensor([4], [1, 2, 3, 4]))) == {"x": [1, 2, 3, 4]}
