"""Facts about `parse` and the FORMATS table."""

from __future__ import annotations

import pytest

from mlmon_exporter.core.records import Batch
from mlmon_exporter.formats import FORMATS, BodyMap, FormatError, Parsed, parse
from tests.formats.broken import IMAGE, PNG, RESPONSES, SMALL

from .bodies import BODIES, Body, canonical_text, exchange, read_all


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
    assert canonical_text(as_expected(parsed)) == canonical_text(body.expected)


@pytest.mark.parametrize("body", read_all(), ids=lambda body: body.name)
def test_a_remembered_format_reads_the_same(body: Body) -> None:
    first = parse(body.exchange, body.body_map)
    again = parse(body.exchange, body.body_map, first.format)
    assert canonical_text(again) == canonical_text(first)


def test_each_format_has_real_bodies_and_each_body_a_format() -> None:
    assert {path.name for path in BODIES.iterdir()} == {row.name for row in FORMATS}


def test_names_of_formats_differ_and_none_is_auto() -> None:
    names = [row.name for row in FORMATS]
    assert len({*names, "auto"}) == len(names) + 1


def test_a_format_that_does_not_exist_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match=r"format: expected auto or one of .*, json, got 'oip'"):
        parse(exchange(b"{}"), BodyMap(), "oip")


@pytest.mark.parametrize("reason", RESPONSES)
def test_an_unreadable_response_is_a_problem_beside_the_features(reason: str) -> None:
    parsed = parse(RESPONSES[reason], SMALL)
    assert parsed.problems == (reason,)
    assert parsed.batch == Batch({"a": 1}, {}, 1)


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
