"""Messages over gRPC give the same columns as the same tensors in JSON or in binary."""

from __future__ import annotations

import gzip
import struct
import time
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap, FormatError, Parsed, parse
from mlmon_exporter.formats.oip_grpc import Head, head

from . import oip_messages as oip
from .bodies import exchange
from .memory import at_most_traced

GRPC = {"content-type": "application/grpc"}
ANSWER = oip.response([oip.tensor("y", "FP64", [2, 1], [0.5, 1.5])])
NUMBERS = [3, 5]
SIGNED, UNSIGNED = ("INT8", "INT16", "INT32", "INT64"), ("UINT8", "UINT16", "UINT32", "UINT64")
RAW = {
    "BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
    **{name: f"<i{2**i}" for i, name in enumerate(SIGNED)},
    **{name: f"<u{2**i}" for i, name in enumerate(UNSIGNED)},
}  # fmt: skip


def sent(request: bytes, response: bytes = ANSWER, **changed: Any) -> Exchange:
    path = "/v2/models/m/infer"
    made = exchange(request, response, path=path, request_headers=GRPC, response_headers=GRPC)
    return made._replace(**changed)


def read(request: bytes, response: bytes = ANSWER, body_map: BodyMap | None = None) -> Parsed:
    return parse(sent(request, response), body_map or BodyMap())


def column(values: Any) -> list[Any]:
    return [*getattr(values, "tolist", lambda: values)()]


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("datatype", oip.CONTENTS)
def test_typed_contents_of_each_datatype(datatype: str, is_packed: bool) -> None:
    of_type: dict[str, list[Any]] = {"BOOL": [True, False], "BYTES": ["a", "ß"]}
    values = of_type.get(datatype, NUMBERS)
    if datatype in SIGNED:
        values = [-3, 5]
    tensor = oip.tensor("x", datatype, [2, 1], values, is_packed=is_packed)
    parsed = read(oip.request([tensor]))
    assert parsed.format == "oip_v2"
    assert parsed.problems == ()
    assert {name: column(c) for name, c in parsed.batch.features.items()} == {"x": values}
    assert {name: column(c) for name, c in parsed.batch.predictions.items()} == {"y": [0.5, 1.5]}


@pytest.mark.parametrize("datatype", RAW)
def test_raw_contents_of_each_datatype(datatype: str) -> None:
    values = np.array([1, 0] if datatype == "BOOL" else NUMBERS, dtype=RAW[datatype])
    raw = oip.request([oip.tensor("x", datatype, [2])], [values.tobytes()])
    assert column(read(raw).batch.features["x"]) == values.tolist()


def test_raw_contents_of_texts_and_of_brain_floats() -> None:
    texts = b"".join(struct.pack("<I", len(t)) + t for t in (b"a", "ß".encode()))
    brain = (np.array([1.5, -2.0], dtype="<f4").view("<u4") >> 16).astype("<u2").tobytes()
    tensors = [oip.tensor("t", "BYTES", [2]), oip.tensor("b", "BF16", [2])]
    features = read(oip.request(tensors, [texts, brain])).batch.features
    assert {name: column(c) for name, c in features.items()} == {"t": ["a", "ß"], "b": [1.5, -2.0]}


def test_a_matrix_has_a_column_for_each_of_the_models_names() -> None:
    tensor = oip.tensor("x", "FP32", [2, 2], [1, 2, 3, 4])
    named = BodyMap(feature_names=("a", "b"), output_names=("price",))
    batch = read(oip.request([tensor]), body_map=named).batch
    assert {name: column(c) for name, c in batch.features.items()} == {"a": [1, 3], "b": [2, 4]}
    assert [*batch.predictions] == ["price"]


def test_one_row_is_scalars_whichever_way_it_came() -> None:
    typed = oip.request([oip.tensor(n, "FP32", [1], [v]) for n, v in (("a", 1.5), ("b", 2.5))])
    raw = oip.request(
        [oip.tensor("a", "FP32", [1]), oip.tensor("b", "FP32", [1])],
        [struct.pack("<f", 1.5), struct.pack("<f", 2.5)],
    )
    one = oip.response([oip.tensor("y", "INT64", [1], [-7])])
    for request in (typed, raw):
        batch = read(request, one).batch
        assert (batch.features, batch.predictions, batch.rows) == (
            {"a": 1.5, "b": 2.5},
            {"y": -7},
            1,
        )


def test_tensors_in_shared_memory_are_passed_over() -> None:
    region = "shared_memory_region"
    tensors = [oip.tensor("s", "FP32", [2], parameter=region), oip.tensor("x", "FP32", [2])]
    request = oip.request(tensors, [struct.pack("<2f", 1, 2)])
    assert [*read(request).batch.features] == ["x"]


def test_tritons_streamed_answer_is_read_like_the_answer_in_it() -> None:
    request = oip.request([oip.tensor("x", "FP32", [2], NUMBERS)])
    parsed = read(request, oip.streamed(ANSWER))
    assert column(parsed.batch.predictions["y"]) == [0.5, 1.5]
    assert read(request, oip.streamed(error="no such model")).problems == ("no_predictions",)


def test_a_compressed_message_is_read_within_its_limit() -> None:
    request = gzip.compress(oip.request([oip.tensor("x", "FP32", [2], NUMBERS)]))
    headers = {b"content-type": b"application/grpc+proto", b"content-encoding": b"gzip"}
    parsed = parse(sent(request, request_headers=headers), BodyMap())
    assert column(parsed.batch.features["x"]) == NUMBERS
    with pytest.raises(FormatError) as error:
        parse(sent(request, b"", request_headers=headers), BodyMap(max_inflated_bytes=10))
    assert error.value.reason == "compressed_too_large"


def test_the_version_is_the_answers() -> None:
    request = oip.request([oip.tensor("x", "FP32", [2], NUMBERS)])
    tensor = oip.tensor("y", "FP64", [2], [1, 2])
    assert read(request, oip.response([tensor], version="3")).batch.version == "3"
    assert read(request, oip.streamed(oip.response([tensor], version="3"))).batch.version == "3"
    assert read(request).batch.version is None


@pytest.mark.parametrize(
    ("asked", "answered", "expected"),
    [("a", "a", ["a:0", "a:1"]), ("a", "", ["a:0", "a:1"]), ("", "b", ["b:0", "b:1"]),
     ("", "", None), ("a b", "", None)],
)  # fmt: skip
def test_the_bodys_id_is_the_predictions_where_no_header_has_one(
    asked: str, answered: str, expected: list[str] | None
) -> None:
    request = oip.request([oip.tensor("x", "FP32", [2], NUMBERS)], id=asked)
    response = oip.response([oip.tensor("y", "FP64", [2], [1, 2])], id=answered)
    assert (
        parse(sent(request, response, prediction_id=""), BodyMap()).batch.prediction_ids == expected
    )
    assert read(request, response).batch.prediction_ids is None


def test_the_id_of_a_json_body_is_the_predictions_where_no_header_has_one() -> None:
    body = b'{"id": "a", "%s": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}'
    made = exchange(body % b"inputs", body % b"outputs", path="/v2/models/m/infer")
    assert parse(made, BodyMap()).batch.prediction_ids is None
    assert parse(made._replace(prediction_id=""), BodyMap()).batch.prediction_ids == ["a"]


X = oip.tensor("x", "FP32", [2], NUMBERS)
TWO_TYPES = oip.contents("FP32", [1]) + oip.contents("INT64", [1])
BROKEN = {
    "cut short": oip.request([X])[:-1],
    "a length of two gigabytes": b"\x2a\xff\xff\xff\xff\x07",
    "a group without an end": b"\x0b",
    "more values than the shape": oip.request([oip.tensor("x", "FP32", [1], NUMBERS)]),
    "fewer raw contents than tensors": oip.request([oip.tensor("x", "FP32", [1])] * 2, [bytes(4)]),
    "raw contents of another size": oip.request([oip.tensor("x", "FP32", [2])], [bytes(4)]),
    "a huge shape": oip.request([oip.tensor("x", "FP32", [2**40, 2**40])], [bytes(4)]),
    "a negative shape": oip.request([oip.tensor("x", "FP32", [-1])], [b""]),
    "no known datatype": oip.request([oip.tensor("x", "FP8", [1])], [bytes(1)]),
    "contents of two types": oip.request([oip.tensor("x", "FP32", [2]) + oip.field(5, TWO_TYPES)]),
    "a name that is no text": oip.request([oip.field(1, b"\xff")]),
    "JSON": b'{"inputs": []}',
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_message_is_malformed(name: str) -> None:
    with pytest.raises(FormatError) as error:
        parse(sent(BROKEN[name], b""), BodyMap())
    assert error.value.reason == "malformed"
    assert error.value.format == "oip_v2"


COSTLY = {
    "tensors": oip.request([b""] * 9_000),
    "too many tensors": oip.request([b""] * 20_000),
    "unknown fields": oip.field(9, 1) * 50_000,
    "dimensions": oip.request([oip.tensor("x", "FP32", [1] * 50_000)]),
    "texts": oip.request([oip.tensor("x", "BYTES", [30_000], [b""] * 30_000)]),
    "parameters": oip.request([oip.field(4, b"") * 30_000]),
    "unpacked numbers": oip.request(
        [oip.tensor("x", "INT64", [30_000], [1] * 30_000, is_packed=False)]
    ),
}


@pytest.mark.parametrize("name", COSTLY)
def test_no_byte_of_a_message_costs_more_than_of_json(name: str) -> None:
    made = sent(COSTLY[name], COSTLY[name])
    head(COSTLY[name])
    started = time.process_time()
    with at_most_traced(1_000_000 + 300 * len(COSTLY[name])), suppress(FormatError):
        parse(made, BodyMap(max_rows=50_000))
    assert time.process_time() - started < 2


def test_the_names_at_a_messages_head() -> None:
    big = oip.request(
        [oip.tensor("x", "BYTES", [1], [bytes(100_000)])], model="é", version="2", id="i"
    )
    assert head(big) == head(big[:50]) == Head("é", "2", "i")
    assert head(oip.streamed(big)) == Head("é", "2", "i", is_tritons=True)
    assert head(oip.request([X], model="", version="2")) == Head("", "2")
    for is_last in (False, True):
        some, none = (oip.response(tensors, id="i", is_last=is_last) for tensors in ([X], []))
        assert head(oip.streamed(some)) == Head("m", "", "i", is_tritons=True, is_last=is_last)
        assert head(oip.streamed(none)).is_empty
    assert head(oip.streamed(error="no")) == Head(is_tritons=True, is_error=True)
    assert head(oip.streamed(oip.response([], model="", id="i"), "no")) == Head(
        id="i", is_tritons=True, is_error=True
    )


@given(st.binary(max_size=200))
def test_any_bytes_have_a_head(content: bytes) -> None:
    assert isinstance(head(content), Head)
