"""Facts about the Open Inference Protocol, beyond the real bodies."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap, FormatError, parse

from .bodies import exchange

PATH = "/v2/models/m/infer"
ANY = BodyMap()
DATATYPES = {
    "BOOL": "?",
    **{f"UINT{8 * n}": f"<u{n}" for n in (1, 2, 4, 8)},
    **{f"INT{8 * n}": f"<i{n}" for n in (1, 2, 4, 8)},
    **{f"FP{8 * n}": f"<f{n}" for n in (2, 4, 8)},
}


def tensor(shape: Any, data: Any, datatype: str = "FP64", name: str = "x") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def asked(*inputs: dict[str, Any], path: str = PATH, **others: Any) -> Exchange:
    return exchange(json.dumps({"inputs": inputs, **others}).encode(), path=path)


def binary(
    shape: Any, content: bytes, datatype: Any, size: Any = None, length: bytes | None = None
) -> Exchange:
    """Return a request with one tensor after its JSON."""
    size = len(content) if size is None else size
    entry = {"name": "x", "shape": shape, "datatype": datatype}
    head = json.dumps({"inputs": [entry | {"parameters": {"binary_data_size": size}}]}).encode()
    told = str(len(head)).encode() if length is None else length
    headers = {"Inference-Header-Content-Length": told.decode()}
    return exchange(head + content, path="/predict", request_headers=headers)


def features(exchanged: Exchange, body_map: BodyMap = ANY) -> dict[str, Any]:
    batch = parse(exchanged, body_map, "oip_v2").batch
    return {
        name: column.tolist() if isinstance(column, np.ndarray) else column
        for name, column in batch.features.items()
    }


def reason(exchanged: Exchange, body_map: BodyMap = ANY) -> str:
    with pytest.raises(FormatError) as raised:
        parse(exchanged, body_map, "oip_v2")
    return raised.value.reason


@pytest.mark.parametrize("datatype", DATATYPES)
@given(data=st.data())
def test_binary_tensors_are_what_numpy_wrote(datatype: str, data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    array = data.draw(hnp.arrays(np.dtype(DATATYPES[datatype]), shape))
    rows = array.reshape(shape[0], -1)
    read = features(binary(list(shape), array.tobytes(), datatype))
    columns = [read[name] for name in read]
    if shape[0] == 1:
        columns = [[value] for value in columns]
    np.testing.assert_array_equal(np.array(columns, dtype=array.dtype).T, rows)


@given(st.lists(st.floats(width=16) | st.sampled_from([1.5, -2.0, 1e30]), min_size=2))
def test_bfloat_is_the_upper_half_of_a_float(values: list[float]) -> None:
    uppers = [struct.pack("<f", value)[2:] for value in values]
    expected = [struct.unpack("<f", b"\0\0" + upper)[0] for upper in uppers]
    read = features(binary([len(values)], b"".join(uppers), "BF16"))
    np.testing.assert_array_equal(read["x"], expected)


@given(st.lists(st.text(), min_size=2))
def test_binary_texts_stand_after_their_lengths(values: list[str]) -> None:
    content = b"".join(struct.pack("<I", len(v.encode())) + v.encode() for v in values)
    assert features(binary([len(values)], content, "BYTES")) == {"x": values}


def test_bytes_that_are_no_text_are_an_invalid_value() -> None:
    content = struct.pack("<I", 2) + b"\xff\x00"
    assert features(binary([1], content, "BYTES")) == {"x": {"b64": ""}}


def test_binary_tensors_are_views_of_the_body() -> None:
    content = np.arange(6, dtype="<f8").tobytes()
    columns = parse(binary([3, 2], content, "FP64"), ANY).batch.features
    assert all(column.base is not None for column in columns.values())


@pytest.mark.parametrize("content", [b"\x01\x00\x02", b"\x00\xff\x01"])
def test_any_byte_but_zero_is_true(content: bytes) -> None:
    assert features(binary([3], content, "BOOL")) == {"x": [byte != 0 for byte in content]}


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


@pytest.mark.parametrize(
    ("exchanged", "expected"),
    [
        (asked(), "no_columns"),
        (exchange(b"[]", path=PATH), "no_columns"),
        (exchange(b'{"inputs": [1]}', path=PATH), "malformed"),
        (asked({"name": "in_shared_memory", "shape": [1], "datatype": "FP32"}), "no_columns"),
        (asked(tensor([2, 2], [1, 2, 3])), "malformed"),
        (asked(tensor([2, 2], 5)), "malformed"),
        (asked(tensor([2], [[1], [2, 3]])), "malformed"),
        (asked(tensor([0], [])), "no_rows"),
        (asked(tensor([2, 0], [])), "no_columns"),
        (asked(tensor([10_001], [1] * 10_001)), "too_many_rows"),
        (asked(tensor([1, 2001], [1] * 2001)), "too_many_features"),
        (binary([2], b"\0" * 7, "FP32"), "malformed"),
        (binary([2], b"\0" * 8, "FP32", size=9), "malformed"),
        (binary([2], b"\0" * 8, "FP32", size=-8), "malformed"),
        (binary([2], b"\0" * 8, "FP32", size="8"), "malformed"),
        (binary([2], b"\0" * 8, "FP128"), "malformed"),
        (binary([2], b"\0" * 8, None), "malformed"),
        (binary("2", b"\0" * 8, "FP32"), "malformed"),
        (binary([2**70], b"\0" * 8, "FP32"), "malformed"),
        (binary([2] * 70, b"\0" * 8, "FP32"), "malformed"),
        (binary([0], b"", "FP32"), "no_rows"),
        (binary([1], b"\x05\0\0\0abc", "BYTES"), "malformed"),
        (binary([2], b"\x01\0\0\0a", "BYTES"), "malformed"),
        (binary([1], b"\x01\0\0\0a\0", "BYTES"), "malformed"),
        (binary([1], b"\0" * 4, "FP32", length=b"99999"), "malformed"),
        (binary([1], b"\0" * 4, "FP32", length=b"-1"), "malformed"),
        (binary([1], b"\0" * 4, "FP32", length=b"9" * 5000), "malformed"),
        (binary([1], b"\0" * 4, "FP32", length=b"3"), "not_json"),
    ],
)
def test_what_is_no_tensor_says_why(exchanged: Exchange, expected: str) -> None:
    assert reason(exchanged) == expected


@pytest.mark.parametrize(
    ("body", "path", "headers", "expected"),
    [
        ({"inputs": [tensor([1], [1])]}, "/predict", {}, "oip_v2"),
        ({"inputs": [tensor([1], [1])]}, "/invocations", {}, "oip_v2"),
        ({"inputs": [tensor([1], [1])]}, "/v1/models/m:predict", {}, "oip_v2"),
        ({"a": 1}, PATH, {}, "oip_v2"),
        ({"a": 1}, "/predict", {"inference-header-content-length": "1"}, "oip_v2"),
        ({"inputs": [[1, 2]]}, "/invocations", {}, "mlflow"),
        ({"inputs": {"a": [1]}}, "/invocations", {}, "mlflow"),
        ({"inputs": {"a": [1]}}, "/v1/models/m:predict", {}, "kserve_v1"),
        ({"inputs": [{"datatype": 1}]}, "/predict", {}, "json"),
        ({"instances": [{"features": [1, 2]}]}, "/invocations", {}, "sagemaker"),
        ({"instances": [{"features": 1}]}, "/invocations", {}, "mlflow"),
        ({"instances": [[1, 2]]}, "/predict", {}, "json"),
        ({"dataframe_split": {"data": [[1]]}}, "/v1/models/m:predict", {}, "kserve_v1"),
        ({"a": 1}, "/invocations", {}, "json"),
        ({"data": {"ndarray": [[1]]}}, "/predict", {}, "seldon"),
        ({"data": [[1]]}, "/predict", {}, "json"),
    ],
)
def test_header_path_and_keys_tell_formats_apart(
    body: Any, path: str, headers: dict[str, str], expected: str
) -> None:
    sent = exchange(json.dumps(body).encode(), b"[1]", path=path, request_headers=headers)
    try:
        found = parse(sent, ANY).format
    except FormatError as error:
        found = error.format
    assert found == expected


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


def test_outputs_without_a_batch_dimension_are_one_row_where_one_was_sent() -> None:
    answer = json.dumps({"outputs": [tensor([2], [0.25, 0.75], name="p")]}).encode()
    sent = asked(tensor([1, 3], [1, 2, 3]))._replace(response_chunks=[answer])
    assert parse(sent, ANY).batch.predictions == {"p[0]": 0.25, "p[1]": 0.75}


def test_sagemaker_says_in_the_content_type_where_binary_tensors_start() -> None:
    plain = binary([2, 1], struct.pack("<2f", 1, 2), "FP32")
    (length,) = plain.request_headers.values()
    media = b"application/vnd.sagemaker-triton.binary+json;json-header-size=" + length
    sent = plain._replace(request_headers={b"Content-Type": media}, path="/invocations")
    assert parse(sent, ANY).format == "oip_v2"
    assert features(sent) == {"x": [1, 2]}
    wrong = plain._replace(request_headers={b"content-type": media.replace(b"=", b"=9")})
    assert reason(wrong) == "malformed"
