"""Facts about the Open Inference Protocol, beyond the real bodies."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import FormatError, parse
from tests.formats.tensor import ANY, PATH, asked, binary, features, reason, tensor

from .bodies import exchange


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
