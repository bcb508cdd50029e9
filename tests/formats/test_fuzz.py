"""Whatever the bytes, they are accepted or raise FormatError; what comes out is a table."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.records import Column, Exchange
from mlmon_exporter.formats import AUTO, FORMATS, REASONS, BodyMap, FormatError, Parsed, parse

from .bodies import exchange, read_all
from .memory import at_most_traced

REAL = read_all()
OWN_COLUMNS = defaultdict(int, openai=20)
NAMES = [AUTO, *(row.name for row in FORMATS)]
KEYS = st.sampled_from(
    """instances inputs features data predictions prediction outputs result results examples
    context signature_name specversion columns label score model_version b64 0 a b
    name shape datatype parameters binary_data_size content_type dataframe_split dataframe_records
    index ndarray tensor values keys names jsonData strData truth meta puid reward messages prompt
    input model choices usage""".split()
) | st.text(max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([10**400, -(10**30), "\ud800", "", math.nan, "FP32", "BYTES", "base64"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=16,
)
JSON = VALUES.map(lambda value: json.dumps(value).encode())
SHAPES = st.lists(st.integers(-1, 5) | st.just(2**70), max_size=3)
TENSOR = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "", 5]), "shape": SHAPES | st.integers()},
    optional={
        "datatype": st.sampled_from("BOOL INT8 UINT64 FP16 BF16 FP64 BYTES FP8".split()),
        "data": st.lists(SCALARS | st.lists(SCALARS, max_size=3), max_size=6),
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 40) | SCALARS})
        | st.just({"content_type": "base64"}),
    },
)
TENSORS = st.builds(
    lambda inputs: json.dumps({"inputs": inputs, "outputs": inputs}).encode(),
    st.lists(TENSOR, max_size=3),
)
PATHS = st.sampled_from(
    """/predict /v1/models/m:predict /v1/models/m/versions/1:classify /v1/models/m:explain
    /v2/models/m/infer /v2/models/m/versions/1/infer /invocations /v1/chat/completions
    /seldon/ns/m/api/v1.0/predictions /api/v0.1/feedback""".split()
)
MEDIA = """text/csv text/csv;label_size=0 application/jsonlines application/vnd.apache.parquet
    application/x-www-form-urlencoded text/event-stream text/html application/x-npy
    application/x-npz application/msgpack application/x-ndjson
    multipart/form-data;boundary=x""".split()
HEADERS = st.sampled_from(
    [
        {},
        {"content-type": "application/json"},
        {"content-type": "image/png; \x00=\xff"},
        {"content-type": "application/cloudevents+json"},
        {"ce-specversion": "1.0"},
        *({"inference-header-content-length": length} for length in ("0", "7", "-1", "9" * 99)),
        *({"content-type": media} for media in MEDIA),
        *({"content-encoding": c} for c in ("gzip", "deflate", "br", "zstd", "gzip, br", "ä")),
    ]
)
MAPS = st.builds(
    BodyMap,
    feature_names=st.sampled_from([(), ("a",), ("a", "b"), ("a", "b", "c", "d")]),
    output_names=st.sampled_from([(), ("y",), ("label", "score")]),
    features=st.sampled_from([None, "instances", "data.0", "a..b", ""]),
    predictions=st.sampled_from([None, "predictions", "0.score"]),
    max_rows=st.integers(1, 5),
    max_features=st.integers(1, 8),
    max_values=st.integers(1, 20),
    max_inflated_bytes=st.integers(1, 100),
)


def check(exchanged: Exchange, body_map: BodyMap, format_: str = AUTO) -> None:
    """Parse, and look at whatever comes out."""
    try:
        parsed = parse(exchanged, body_map, format_)
    except FormatError as raised:
        error = raised
    else:
        check_parsed(parsed, body_map)
        return
    assert error.reason in REASONS
    assert error.format in NAMES[1:]


def check_parsed(parsed: Parsed, body_map: BodyMap) -> None:
    batch = parsed.batch
    assert set(parsed.problems) <= set(REASONS)
    assert batch.features or batch.predictions
    assert 1 <= batch.rows <= body_map.max_rows
    for columns in (batch.features, batch.predictions):
        # What is counted of texts has names of ours, a few, whatever the body.
        assert len(columns) <= max(body_map.max_features, OWN_COLUMNS[parsed.format])
        for name, column in columns.items():
            name.encode()
            check_column(column, batch.rows)
    check_texts([batch.features, batch.predictions, batch.version])


def check_column(column: Column, rows: int) -> None:
    if rows > 1:
        assert type(column) is list or column.ndim == 1
        assert len(column) == rows
    else:
        assert not isinstance(column, np.ndarray)


def check_texts(values: list[Any]) -> None:
    """Encode each text, however deep it is: what orjson reads may be a thousand levels."""
    while values:
        value = values.pop()
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list):
            values += value


@given(st.binary(), st.binary(), HEADERS, HEADERS, PATHS, MAPS, st.sampled_from(NAMES))
def test_any_bytes(
    request: bytes,
    response: bytes,
    request_headers: dict[str, str],
    response_headers: dict[str, str],
    path: str,
    body_map: BodyMap,
    format_: str,
) -> None:
    exchanged = exchange(
        request,
        response,
        path=path,
        request_headers=request_headers,
        response_headers=response_headers,
    )
    check(exchanged, body_map, format_)


@settings(max_examples=600)
@given(st.binary(max_size=40), TENSORS, st.integers(-9, 9))
def test_any_bytes_after_any_tensors(content: bytes, tensors: bytes, too_long: int) -> None:
    headers = {"inference-header-content-length": str(len(tensors) + too_long)}
    check(exchange(tensors + content, request_headers=headers), BodyMap(), "oip_v2")
    check(
        exchange(b'{"inputs": []}', tensors + content, response_headers=headers),
        BodyMap(),
        "oip_v2",
    )


@settings(max_examples=600)
@given(JSON, JSON, PATHS, MAPS, st.sampled_from(NAMES), st.sampled_from([200, 201, 404, 500]))
def test_any_json(
    request: bytes, response: bytes, path: str, body_map: BodyMap, format_: str, status: int
) -> None:
    check(exchange(request, response, path=path, status=status), body_map, format_)


@settings(max_examples=500)
@given(st.data())
def test_real_bodies_with_bytes_changed(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(REAL))
    changed = body.exchange._replace(
        request_chunks=[data.draw(_mutated(body.exchange.request_chunks[0]))],
        response_chunks=[data.draw(_mutated(body.exchange.response_chunks[0]))],
    )
    check(changed, body.body_map)


@settings(max_examples=500)
@given(st.data())
def test_real_bodies_with_values_changed(data: st.DataObject) -> None:
    body, other = data.draw(st.sampled_from(REAL)), data.draw(st.sampled_from(REAL))
    changed = body.exchange._replace(
        request_chunks=[_with_other_value(body.exchange.request_chunks[0], data)],
        response_chunks=other.exchange.response_chunks,
    )
    check(changed, other.body_map)


HOSTILE = {
    "brackets": b"[" * 100_000,
    "objects": b'{"data":' * 100_000,
    "levels_that_orjson_reads": b'{"instances":[' * 500 + b"1" + b"]}" * 500,
    "bare_constants": b'{"predictions": [NaN, Infinity, -Infinity]}',
    "integer_of_400_digits": b'{"a": %s}' % (b"9" * 400),
    "integer_of_a_megabyte": b"9" * 1_000_000,
    "float_out_of_range": b"[1e400, -1e400, 1e-400]",
    "lone_surrogates": rb'{"\ud800": ["\udfff", "\ud83d"]}',
    "byte_order_mark": b'\xef\xbb\xbf{"a": 1}',
    "utf_32": '[{"a": 1}]'.encode("utf-32"),
    "utf_16": '{"a": 1}'.encode("utf-16"),
    "invalid_utf_8": b'{"a": "\xff\xc0\x80"}',
    "nul": b'{"a\x00": 1}',
    "escaped_quotes": b'["' + b'\\"' * 500_000,
    "many_names": b"{%s}" % b",".join(b'"k%d":1' % i for i in range(80_000)),
    "many_empty_rows": b"[" + b"[]," * 50_000 + b"[]]",
    "many_tensors": b"[" + b"[[[[1]]]]," * 20_000 + b"[[[[1]]]]]",
    "rows_without_names_in_common": b"[%s]" % b",".join(b'{"k%d":1}' % i for i in range(9_000)),
}
COSTLY = {
    "objects": b"[%s{}]" % (b"{}," * 6_000),
    "lists": b"[" + b"[]," * 6_000 + b"[]]",
    "matrices": b"[" + b"[[[[1]]]]," * 2_000 + b"[[[[1]]]]]",
    "names": b"{%s}" % b",".join(b'"k%d":1' % i for i in range(1_900)),
    "objects_without_names_in_common": b"[%s]" % b",".join(b'{"k%d":1}' % i for i in range(90)),
    "lines": b"1\n" * 9_999,
    "one_line": b"1," * 9_999,
    "one_quoted_cell": b'"' * 20_000,
    "lines_of_text": b"a_b,c\n" * 3_000,
    "form": b"json=" + b"%5B" * 6_000,
    "fields_of_a_form": b"&json=" * 3_000,
    "names_of_a_form": b"&".join(b"k%d=" % i for i in range(1_900)),
    "fields_of_one_name": b"a=1&" * 5_000,
    "parts_of_a_form": b'--x\r\nname="a"\r\n\r\n' * 1_000 + b"--x--",
    "events": b"data:1\n\n" * 3_000,
    "events_of_lists": b"data:[1,2]\n\n" * 3_000,
    "arrays_in_messagepack": b"\xdc\x20\x00" + b"\x91\xc0" * 8_192,
    "levels_in_messagepack": b"\x91" * 900 + b"\xc0",
    "tensors": b'{"inputs":[%s]}' % b",".join([b'{"datatype":"FP32","data":[1]}'] * 600),
    "tensor_of_a_long_name": b'{"inputs":[{"name":"%s","datatype":"FP32","data":[[%s1]]}]}'
    % (b"n" * 20_000, b"1," * 1_999),
    "tensor_of_many_dimensions": b'{"inputs":[{"shape":[%s2],"datatype":"FP32","data":[1]}]}'
    % (b"2," * 9_999),
    "nested_tensor": b'{"inputs":[{"shape":[999,4],"datatype":"FP32","data":[%s[1]]}]}'
    % (b"[[1],[1],[1],[1]]," * 998),
    "names_without_values": b'{"data":{"names":[%s1],"ndarray":[[1]]}}' % (b"1," * 9_999),
    "sparse_rows": b'{"instances":[%s]}'
    % b",".join([b'{"features":{"keys":[],"shape":[2000],"values":[]}}'] * 500),
    "names_of_many_levels": b'{"dataframe_split":{"columns":[%s[[1]]],"data":[[1]]}}'
    % (b"[[[[[[1]]]]]]," * 1_500),
}
BYTES_A_BYTE, SECONDS_A_BYTE = 150, 20e-6
"""What reading may take for each byte of a body: 90 and 1.2e-6 were measured on a core at rest."""
TABLE_BYTES, TABLE_SECONDS = 1_000_000, 0.5
"""What it may take besides."""
SPARSE_BYTES = 24_000_000
"""What sparse rows may take besides: a table as large as the limits allow."""
MEDIA_OF = {
    "json": [
        *("application/json", "application/x-www-form-urlencoded", "text/event-stream"),
        *("multipart/form-data; boundary=x", "application/msgpack", "application/x-ndjson"),
    ],
    "sagemaker": ["application/json", "text/csv", "application/jsonlines"],
    "mlflow": ["application/json", "text/csv", "application/vnd.apache.parquet"],
    "seldon": ["application/json", "application/x-www-form-urlencoded"],
}


@pytest.mark.parametrize("path", ["/predict", "/v1/models/m:predict"])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_broke_others(name: str, path: str) -> None:
    body = HOSTILE[name]
    check(exchange(body, b"1", path=path), BodyMap())
    check(exchange(b'{"a": 1}', body, path=path), BodyMap())
    check(exchange(body, body, path=path), BodyMap())


@pytest.mark.parametrize("format_", NAMES[1:])
@pytest.mark.parametrize("name", COSTLY)
def test_no_byte_of_a_body_costs_more_than_is_stated(name: str, format_: str) -> None:
    body = COSTLY[name]
    besides = SPARSE_BYTES if name == "sparse_rows" else TABLE_BYTES
    for media in MEDIA_OF.get(format_, [""]):
        headers = {"content-type": media}
        sent = exchange(body, body, request_headers=headers, response_headers=headers)
        started = time.process_time()
        with suppress(FormatError):
            parse(sent, BodyMap(), format_)
        taken = time.process_time() - started
        assert taken < TABLE_SECONDS + 2 * SECONDS_A_BYTE * len(body)
        with at_most_traced(besides + 2 * BYTES_A_BYTE * len(body)), suppress(FormatError):
            parse(sent, BodyMap(), format_)


@st.composite
def _mutated(draw: st.DrawFn, text: bytes) -> bytes:
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 8)))
    return text[:start] + draw(st.binary(max_size=4)) + text[end:]


def _with_other_value(text: bytes, data: st.DataObject) -> bytes:
    """Return the JSON text with one value in it, at any depth, replaced by another."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    whole = [value]
    holder: Any = whole
    key: Any = 0
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(
            st.sampled_from([*(holder if isinstance(holder, dict) else range(len(holder)))])
        )
    holder[key] = data.draw(VALUES)
    return json.dumps(whole[0]).encode()
