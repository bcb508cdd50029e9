"""Whatever the bytes, they are accepted or raise FormatError; what comes out is a table."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.records import Column, Exchange
from mlmon_exporter.formats import AUTO, FORMATS, REASONS, BodyMap, FormatError, Parsed, parse

from .bodies import exchange, read_all

REAL = read_all()
NAMES = [AUTO, *(row.name for row in FORMATS)]
KEYS = st.sampled_from(
    """instances inputs features data predictions prediction outputs result results examples
    context signature_name specversion columns label score model_version b64 0 a b""".split()
) | st.text(max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([10**400, -(10**30), "\ud800", "", math.nan])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=16,
)
JSON = VALUES.map(lambda value: json.dumps(value).encode())
PATHS = st.sampled_from(
    ["/predict", "/v1/models/m:predict", "/v1/models/m/versions/1:classify", "/v1/models/m:explain"]
)
HEADERS = st.sampled_from(
    [
        {},
        {"content-type": "application/json"},
        {"content-type": "image/png; \x00=\xff"},
        {"content-type": "application/cloudevents+json"},
        {"ce-specversion": "1.0"},
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
        assert len(columns) <= body_map.max_features
        for name, column in columns.items():
            name.encode()
            check_column(column, batch.rows)
    check_texts([batch.features, batch.predictions, batch.version])


def check_column(column: Column, rows: int) -> None:
    if rows > 1:
        assert type(column) is list
        assert len(column) == rows


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
    "utf_16": '{"a": 1}'.encode("utf-16"),
    "invalid_utf_8": b'{"a": "\xff\xc0\x80"}',
    "nul": b'{"a\x00": 1}',
    "escaped_quotes": b'["' + b'\\"' * 500_000,
    "many_names": b"{%s}" % b",".join(b'"k%d":1' % i for i in range(80_000)),
    "many_empty_rows": b"[" + b"[]," * 50_000 + b"[]]",
    "many_tensors": b"[" + b"[[[[1]]]]," * 20_000 + b"[[[[1]]]]]",
    "rows_without_names_in_common": b"[%s]" % b",".join(b'{"k%d":1}' % i for i in range(9_000)),
}


@pytest.mark.parametrize("path", ["/predict", "/v1/models/m:predict"])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_broke_others(name: str, path: str) -> None:
    body = HOSTILE[name]
    check(exchange(body, b"1", path=path), BodyMap())
    check(exchange(b'{"a": 1}', body, path=path), BodyMap())
    check(exchange(body, body, path=path), BodyMap())


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
