"""Events are read alike in each mode, as the CloudEvents SDK writes them."""

from __future__ import annotations

import gzip
import math
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.formats import FormatError
from mlmon_exporter.sources.events.event import MOST_EVENTS, Address, Event, Unknown, events_in

from .logger import SELDON, batch, binary, event, structured

MOST = 10**6
ROW = {"instances": [{"a": 1.5, "b": "x"}]}
AT = 1_800_000_000.25


def only(headers: Any, body: bytes) -> Event:
    (found,) = events_in(headers, body, MOST)
    assert isinstance(found, Event)
    return found


@pytest.mark.parametrize("mode", [binary, structured, batch])
def test_an_event_is_the_same_in_each_mode(mode: Any) -> None:
    found = only(*mode(event("request", "a-1", ROW, AT)))
    assert found.is_request
    assert found.call == ("fraud-predictor-5c8d6-x2x7z", "a-1", found.address)
    assert found.address == Address("bank", "fraud", "predictor", "", "")
    assert found.address.path == "/bank/fraud/predictor"
    assert found.time == AT
    assert found.headers == {b"content-type": b"application/json"}
    assert orjson.loads(found.data or b"") == ROW


@pytest.mark.parametrize("mode", [binary, structured, batch])
def test_bytes_that_are_no_json_stay_as_they_were(mode: Any) -> None:
    data = bytes(range(256))
    found = only(*mode(event("response", "a", data, datacontenttype="application/octet-stream")))
    assert not found.is_request
    assert found.data == data


def test_text_in_a_structured_event_is_the_body_and_a_json_text_is_json() -> None:
    head = {b"content-type": b"application/cloudevents+json; charset=utf-8"}
    form = {"specversion": "1.0", "id": "a", "type": "x.inference.request", "source": "s"}
    csv = only(head, orjson.dumps({**form, "datacontenttype": "text/csv", "data": "1,2\n3,4"}))
    assert csv.data == b"1,2\n3,4"
    assert only(head, orjson.dumps({**form, "data": "a"})).data == b'"a"'
    assert orjson.loads(
        only(head, b'{"data": [NaN, 1], %b' % orjson.dumps(form)[1:]).data or b""
    ) == [
        None,
        1,
    ]


def test_headers_that_the_logger_passes_on_are_of_the_request_alone() -> None:
    metadata = orjson.dumps(
        {"X-Prediction-Id": ["a-7"], "Inference-Header-Content-Length": ["12"], "Cookie": ["b"]}
    ).decode()
    asked = only(*binary(event("request", "a", ROW, metadata=metadata)))
    assert asked.headers == {
        b"content-type": b"application/json",
        b"x-prediction-id": b"a-7",
        b"inference-header-content-length": b"12",
    }
    told = only(*binary(event("response", "a", ROW, metadata=metadata)))
    assert told.headers == {b"content-type": b"application/json"}


def test_seldons_events_share_the_id_of_their_request() -> None:
    attributes: dict[str, Any] = {
        "component": None,
        "modelid": "classifier",
        "requestid": "r-1",
        "endpoint": "default",
    }
    kinds = {"request": "7", "response": "8"}
    found = [
        only(*binary(event(kind, key, ROW, type=f"{SELDON}.inference.{kind}", **attributes)))
        for kind, key in kinds.items()
    ]
    assert found[0].call == found[1].call
    assert found[0].address.path == "/bank/fraud/classifier/default"


def test_times_of_go_have_nanoseconds() -> None:
    headers, body = binary(event("request", "a", ROW))
    named = {**headers, b"ce-time": b"2026-11-30T17:00:00.123456789+01:00"}
    assert only(named, body).time == pytest.approx(1796054400.123456, abs=1e-6)
    named.pop(b"ce-time")
    assert math.isnan(only(named, body).time)
    assert math.isnan(only({**named, b"ce-time": b"yesterday"}, body).time)


def test_an_event_of_another_type_is_unknown() -> None:
    feedback = event("request", "a", ROW, type=f"{SELDON}.feedback")
    assert events_in(*binary(feedback), MOST) == [Unknown("io.seldon.serving.feedback")]


def test_a_compressed_post_is_decompressed_up_to_a_size() -> None:
    headers, body = binary(event("request", "a", ROW))
    packed = {**headers, b"content-encoding": b"gzip"}
    assert only(packed, gzip.compress(body)).data == body
    with pytest.raises(FormatError, match="expected 10 bytes at most"):
        events_in(packed, gzip.compress(body), 10)


BATCH = {b"content-type": b"application/cloudevents-batch+json"}
ONE = {b"content-type": b"application/cloudevents+json"}
CE = {b"ce-specversion": b"1.0", b"ce-type": b"x.inference.request"}


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({}, b"{}", "expected the attribute specversion, got none"),
        (CE, b"{}", "expected the attribute id, got none"),
        ({**CE, b"ce-id": b"a" * 257}, b"{}", "id: expected a text of at most 256 characters"),
        (ONE, b"[]", "event: expected an object, got list"),
        (ONE, b"{", "expected JSON"),
        (ONE, b'{"specversion": "1.0", "data_base64": "?"}', "expected Base64"),
        (ONE, b'{"specversion": "1.0", "type": 7}', "type: expected a text"),
        (
            ONE,
            b'{"specversion": "1.0", "data": %b%b}' % (b"[" * 400, b"]" * 400),
            "expected fewer levels",
        ),
        (BATCH, b"{}", "batch: expected a list, got dict"),
        (BATCH, b"[%b0]" % (b"0," * MOST_EVENTS), "expected 10000 events at most"),
    ],
)
def test_what_is_no_event_is_refused(headers: Any, body: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        events_in(headers, body, MOST)


names = st.sampled_from([b"content-type", b"ce-id", b"ce-type", b"ce-specversion", b"ce-metadata"])
values = st.binary(max_size=20) | st.sampled_from([*ONE.values(), *BATCH.values(), *CE.values()])
jsons = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["specversion", "type", "id", "data", "time", "metadata"]), inner
        )
    ),
)


@given(
    st.dictionaries(names, values), st.binary(max_size=50) | jsons.map(lambda v: repr(v).encode())
)
def test_any_post_is_read_or_refused(headers: Any, body: bytes) -> None:
    with suppress(FormatError):
        events_in(headers, body, MOST)
