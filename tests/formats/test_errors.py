"""Facts about the reasons why bodies cannot be read."""

from __future__ import annotations

import gzip

import pytest

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import FORMATS, REASONS, BodyMap, FormatError, parse
from tests.formats.broken import IMAGE, PNG, RESPONSES, SMALL

from .bodies import exchange

REQUESTS: dict[str, Exchange] = {
    "empty_body": exchange(b""),
    "unsupported_encoding": exchange(b"\x00", request_headers={"content-encoding": "zstd"}),
    "bad_encoding": exchange(b'{"a": "\xff"}'),
    "compressed_too_large": exchange(
        gzip.compress(b" " * 2000), request_headers={"content-encoding": "gzip"}
    ),
    "unsupported_media": exchange(PNG, request_headers=IMAGE),
    "not_json": exchange(b"a=1&b=2"),
    "too_deep": exchange(b"[" * 100_000),
    "malformed": exchange(b'{"inputs": [{"datatype": "FP32", "shape": [2, 2], "data": [1]}]}'),
    "not_a_prediction": exchange(b'{"instances": [[1, 2]]}', path="/v1/models/m:explain"),
    "no_rows": exchange(b"[]"),
    "no_columns": exchange(b"{}"),
    "ragged_rows": exchange(b"[[1, 2], [3]]"),
    "mismatched_names": exchange(b"[[1, 2, 3]]"),
    "too_many_rows": exchange(b"[[1, 2], [1, 2], [1, 2], [1, 2]]"),
    "too_many_features": exchange(b'{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}'),
    "too_many_values": exchange(b'[{"a": 1, "b": 2}, {"c": 1}, {"b": 2}]'),
}


@pytest.mark.parametrize("reason", REQUESTS)
def test_an_unreadable_request_raises_its_reason_and_format(reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(REQUESTS[reason], SMALL)
    assert raised.value.reason == reason
    assert raised.value.format in {row.name for row in FORMATS}


def test_each_reason_has_a_body_here() -> None:
    assert {*REQUESTS, *RESPONSES, "path_missing", "unknown_model"} == set(REASONS)


def test_messages_of_errors_hold_no_values_of_bodies() -> None:
    secret = exchange(b'[{"name": "secret"}, "secret"]', b"secret")
    with pytest.raises(FormatError) as raised:
        parse(secret, BodyMap())
    assert "secret" not in str(raised.value)
