"""Facts about `parse` and the FORMATS table."""

from __future__ import annotations

import gc
import gzip
import json
from contextlib import suppress

import pytest

from mlmon_exporter.core.records import Batch, Exchange
from mlmon_exporter.formats import FORMATS, REASONS, BodyMap, FormatError, Parsed, parse

from .bodies import BODIES, Body, exchange, read_all

IMAGE = {"content-type": "image/png"}
PNG = b"\x89PNG\r\n\x1a\n\x00\x00"
SMALL = BodyMap(
    feature_names=("a", "b"), max_rows=3, max_features=4, max_values=6, max_inflated_bytes=1000
)


def as_expected(parsed: Parsed) -> dict[str, object]:
    """What a parse gave, in the form of an expected.json."""
    batch = parsed.batch
    found = {"features": batch.features, "predictions": batch.predictions, "rows": batch.rows}
    optional = {"version": batch.version, "problems": list(parsed.problems)}
    return found | {key: value for key, value in optional.items() if value}


@pytest.mark.parametrize("body", read_all(), ids=lambda body: body.name)
def test_a_real_body_is_the_batch_that_it_holds(body: Body) -> None:
    parsed = parse(body.exchange, body.body_map)
    assert parsed.format == body.format
    # As text, where NaN equals NaN and 1 differs from 1.0 and True.
    assert _text(as_expected(parsed)) == _text(body.expected)


@pytest.mark.parametrize("body", read_all(), ids=lambda body: body.name)
def test_a_remembered_format_reads_the_same(body: Body) -> None:
    first = parse(body.exchange, body.body_map)
    again = parse(body.exchange, body.body_map, first.format)
    assert _text(again) == _text(first)


@pytest.mark.parametrize("body", read_all(), ids=lambda body: body.name)
def test_how_bytes_were_cut_into_chunks_does_not_matter(body: Body) -> None:
    whole = body.exchange
    cut = whole._replace(
        request_chunks=[whole.request_chunks[0][:7], b"", whole.request_chunks[0][7:]],
        response_chunks=[whole.response_chunks[0][i : i + 1] for i in range(len(_answer(whole)))],
    )
    assert _text(parse(cut, body.body_map)) == _text(parse(whole, body.body_map))


def test_each_format_has_real_bodies_and_each_body_a_format() -> None:
    assert {path.name for path in BODIES.iterdir()} == {row.name for row in FORMATS}


def test_names_of_formats_differ_and_none_is_auto() -> None:
    names = [row.name for row in FORMATS]
    assert len({*names, "auto"}) == len(names) + 1


def test_free_form_json_comes_last_since_it_takes_all() -> None:
    assert FORMATS[-1].name == "json"


def test_a_format_that_does_not_exist_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match=r"format: expected auto or one of .*, json, got 'oip'"):
        parse(exchange(b"{}"), BodyMap(), "oip")


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
RESPONSES: dict[str, Exchange] = {
    "no_predictions": exchange(b'{"a": 1}', b'{"status": "ok", "id": "x"}'),
    "mismatched_rows": exchange(b'{"a": 1}', b"[[1], [2]]"),
}


@pytest.mark.parametrize("reason", REQUESTS)
def test_an_unreadable_request_raises_its_reason_and_format(reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(REQUESTS[reason], SMALL)
    assert raised.value.reason == reason
    assert raised.value.format in {row.name for row in FORMATS}


@pytest.mark.parametrize("reason", RESPONSES)
def test_an_unreadable_response_is_a_problem_beside_the_features(reason: str) -> None:
    parsed = parse(RESPONSES[reason], SMALL)
    assert parsed.problems == (reason,)
    assert parsed.batch == Batch({"a": 1}, {}, 1)


def test_a_missing_path_raises_its_reason() -> None:
    with pytest.raises(
        FormatError, match=r"payload\.rows: expected a value at 'rows', got none"
    ) as e:
        parse(exchange(b'{"payload": []}'), BodyMap(features="payload.rows"))
    assert e.value.reason == "path_missing"


def test_each_reason_has_a_body_here() -> None:
    assert {*REQUESTS, *RESPONSES, "path_missing", "unknown_model"} == set(REASONS)


def test_a_model_that_nobody_configured_raises_its_reason() -> None:
    def map_of(name: str | None) -> BodyMap:
        raise FormatError("unknown_model", f"{name}: expected a model")

    with pytest.raises(FormatError, match=r"^m: expected a model$") as raised:
        parse(exchange(b"{}", b"1", path="/v1/models/m:predict"), BodyMap(), map_of=map_of)
    assert raised.value.format == "kserve_v1"


def test_predictions_about_an_unreadable_request_are_kept() -> None:
    upload = exchange(PNG, b'{"label": "cat", "model_version": "3"}', request_headers=IMAGE)
    parsed = parse(upload, BodyMap())
    assert parsed == Parsed("json", Batch({}, {"label": "cat"}, 1, "3"), ("unsupported_media",))


def test_an_unreadable_request_is_the_error_where_the_response_is_none_either() -> None:
    with pytest.raises(FormatError) as raised:
        parse(exchange(PNG, b"<html>", request_headers=IMAGE), BodyMap())
    assert raised.value.reason == "unsupported_media"


def test_a_failed_request_has_features_and_no_predictions() -> None:
    failed = exchange(b'{"a": 1}', b'{"prediction": 1}', status=500)
    assert parse(failed, BodyMap()) == Parsed("json", Batch({"a": 1}, {}, 1))


def test_an_unreadable_failed_request_raises() -> None:
    with pytest.raises(FormatError):
        parse(exchange(b"", b'{"prediction": 1}', status=500), BodyMap())


def test_a_remembered_format_gives_up_where_another_recognises_the_request() -> None:
    event = exchange(b"\x00", b'{"predictions": [1]}', request_headers={"ce-specversion": "1.0"})
    with pytest.raises(FormatError):
        parse(event, BodyMap(), "json")
    assert parse(event, BodyMap()).problems == ("not_json",)


def test_one_record_is_not_copied() -> None:
    record = {f"f{i}": i / 7 for i in range(30)}
    batch = parse(exchange(json.dumps({"instances": [record]}).encode()), BodyMap()).batch
    assert batch.features == record
    assert type(batch.features) is dict


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (b'{"prediction": 1, "model_version": "2026-11"}', "2026-11"),
        (b'{"prediction": 1, "model_version": 7}', "7"),
        (b'{"prediction": 1, "model_version": "%s"}' % (b"x" * 100), "x" * 64),
        (b'{"prediction": 1, "model_version": ""}', None),
        (b'{"prediction": 1, "model_version": null}', None),
        (b'{"prediction": 1, "model_version": true}', None),
        (b'{"prediction": 1, "model_version": {"id": 1}}', None),
    ],
)
def test_the_version_is_short_text_or_a_number(answer: bytes, version: str | None) -> None:
    assert parse(exchange(b'{"a": 1}', answer), BodyMap()).batch.version == version


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (b"{", b"{"),
        (b"[]", b"1"),
        (b'{"a": 1}', b"{"),
        (b'{"a": 1}', b'{"label": [], "score": []}'),
    ],
)
@pytest.mark.slow
def test_an_unreadable_body_is_let_go_at_once(request_: bytes, response: bytes) -> None:
    # A reference cycle through the error would keep each body until the collector comes by.
    gc.collect()
    gc.disable()
    try:
        with suppress(FormatError):
            parse(exchange(request_, response), BodyMap())
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_messages_of_errors_hold_no_values_of_bodies() -> None:
    secret = exchange(b'[{"name": "secret"}, "secret"]', b"secret")
    with pytest.raises(FormatError) as raised:
        parse(secret, BodyMap())
    assert "secret" not in str(raised.value)


def _answer(whole: Exchange) -> bytes:
    return whole.response_chunks[0]


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=lambda array: array.tolist())


def test_a_sentence_is_no_version() -> None:
    for version in ("Jane Roe, born 1980", "a\nb", "ä b"):
        answer = json.dumps({"prediction": 1, "model_version": version}).encode()
        assert parse(exchange(b'{"a": 1}', answer), BodyMap()).batch.version is None
