"""Facts about answers in events and lines, joined to the rows that were asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, Parsed, parse
from mlmon_exporter.formats.event_stream import GAP

from .bodies import exchange

EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
ONE, TWO, THREE = b'{"a": 1, "b": 2}', b'{"a": [1, 2]}', b'{"a": [1, 2, 3]}'
LINES = {"content-type": "application/x-ndjson"}


def streamed(request: bytes, parts: list[Any], headers: dict[str, str] = EVENTS) -> Parsed:
    texts = [part if isinstance(part, str) else json.dumps(part) for part in parts]
    form = "data: {}\n\n" if headers is EVENTS else "{}\n"
    answer = "".join(form.format(text) for text in texts).encode()
    return parse(exchange(request, answer, response_headers=headers), BodyMap())


@pytest.mark.parametrize("headers", [EVENTS, LINES])
@pytest.mark.parametrize(
    ("parts", "predictions"),
    [
        ([0.5, 0.25, 1], {"prediction": [0.5, 0.25, 1]}),
        ([{"score": 1}, {"score": 2}, {"score": 3}], {"score": [1, 2, 3]}),
        ([{"label": "x", "score": 1}] * 3, {"label": ["x"] * 3, "score": [1] * 3}),
        ([[0.1, 0.9]] * 3, {"prediction[0]": [0.1] * 3, "prediction[1]": [0.9] * 3}),
        ([{"predictions": [0.5]}] * 3, {"prediction": [0.5] * 3}),
        ([{"predictions": [1, 2]}, {"predictions": [3]}], {"prediction": [1, 2, 3]}),
        ([{"predictions": [1, 2, 3]}], {"prediction": [1, 2, 3]}),
        ([{"score": 1}, {"score": 2}, {"score": 3}, {"status": "done"}], {"score": [1, 2, 3]}),
    ],
)
def test_parts_are_the_predictions_of_the_rows_in_their_order(
    headers: dict[str, str], parts: list[Any], predictions: dict[str, Any]
) -> None:
    parsed = streamed(THREE, parts, headers)
    assert (parsed.problems, parsed.batch.predictions) == ((), predictions)
    assert parsed.batch.features == {"a": [1, 2, 3]}


def test_parts_of_other_rows_are_no_predictions() -> None:
    parsed = streamed(THREE, [0.5, 0.25])
    assert (parsed.problems, parsed.batch.predictions) == (("mismatched_rows",), {})


def test_the_end_of_a_stream_is_no_part_of_it() -> None:
    assert streamed(TWO, [1, 2, "[DONE]"]).batch.predictions == {"prediction": [1, 2]}


def test_the_texts_of_one_row_are_joined() -> None:
    said = [{"text_output": "Good "}, {"text_output": "day", "finish_reason": "stop"}]
    assert streamed(ONE, said).batch.predictions == {"text_output": "Good day"}


def test_of_hugging_faces_events_the_last_has_the_whole_text() -> None:
    tokens = [
        {"token": {"text": "Good"}, "generated_text": None},
        {"token": {"text": " day"}, "generated_text": "Good day"},
    ]
    assert streamed(ONE, tokens).batch.predictions == {"generated_text": "Good day"}


def test_events_that_are_no_json_are_texts() -> None:
    assert streamed(ONE, ["tok0", "tok1"]).batch.predictions == {"prediction": "tok0tok1"}


def test_an_event_stream_without_events_is_one_text() -> None:
    answer = exchange(ONE, b"tok0 tok1 ", response_headers=EVENTS)
    assert parse(answer, BodyMap()).batch.predictions == {"prediction": "tok0 tok1 "}


def test_of_several_numbers_for_one_row_none_is_the_prediction() -> None:
    parsed = streamed(ONE, [0.5, 0.25])
    assert (parsed.problems, parsed.batch.predictions) == (("mismatched_rows",), {})
    assert streamed(ONE, [0.5, 0.5]).batch.predictions == {"prediction": 0.5}


def test_a_stream_whose_middle_was_not_kept_is_not_read() -> None:
    answer = exchange(TWO, [b"data: 1\n\n", GAP, b"data: 2\n\n"], response_headers=EVENTS)
    assert parse(answer, BodyMap()).problems == ("mismatched_rows",)


def test_more_parts_than_rows_may_be_are_too_many() -> None:
    answer = exchange(TWO, b"1\n" * 9, response_headers=LINES)
    assert parse(answer, BodyMap(max_rows=5)).problems == ("too_many_rows",)


def test_a_stream_answers_an_upload_that_nobody_reads() -> None:
    upload = exchange(
        b"\x89PNG",
        b'{"label": "cat"}\n{"label": "dog"}\n',
        request_headers={"content-type": "image/png"},
        response_headers=LINES,
    )
    assert parse(upload, BodyMap()).batch.predictions == {"label": ["cat", "dog"]}


def test_a_v2_stream_has_the_rows_and_the_version_of_its_events() -> None:
    asked = {"inputs": [{"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [1, 2]}]}
    events = [
        {
            "model_version": "v7",
            "outputs": [{"name": "y", "shape": [1, 1], "datatype": "FP64", "data": [value]}],
        }
        for value in (0.5, 0.25)
    ]
    answer = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    sent = exchange(
        json.dumps(asked).encode(),
        answer,
        path="/v2/models/m/infer_stream",
        response_headers=EVENTS,
    )
    batch = parse(sent, BodyMap()).batch
    assert (batch.version, batch.predictions) == ("v7", {"y": [0.5, 0.25]})
