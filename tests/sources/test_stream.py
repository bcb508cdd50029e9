"""Facts about what is kept of a streamed answer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from mlmon_exporter.formats.event_stream import GAP
from mlmon_exporter.sources import stream as streamed_answer
from mlmon_exporter.sources.asgi import call
from mlmon_exporter.sources.stream import StreamedAnswer

from .asgi.seen import BODY, PART, START, BoomError, predict, sends, serve, watched

PARTS = st.lists(st.binary(max_size=40), max_size=30)


def taken(parts: list[bytes], limit: int, *, is_packed: bool = False) -> StreamedAnswer:
    answer = StreamedAnswer(0.0, limit, is_packed=is_packed)
    for part in parts:
        answer.take(part)
    return answer


@given(PARTS, st.integers(0, 500))
def test_both_ends_are_kept_within_the_limit(parts: list[bytes], limit: int) -> None:
    kept = taken(parts, limit).parts()
    whole = b"".join(parts)
    assert kept is not None
    if len(whole) <= limit:
        assert b"".join(kept) == whole
        return
    gap = kept.index(GAP)
    start, end = b"".join(kept[:gap]), b"".join(kept[gap + 1 :])
    assert whole.startswith(start)
    assert whole.endswith(end)
    assert len(start) <= limit // 2
    assert len(end) <= limit // 2
    # No more is let go than the part that did not fit.
    longest = max(map(len, parts))
    assert len(end) > limit // 2 - longest
    assert len(start) > limit // 2 - longest


@given(PARTS, st.integers(0, 500))
def test_never_more_than_the_limit_is_held(parts: list[bytes], limit: int) -> None:
    answer = StreamedAnswer(0.0, limit)
    for part in parts:
        answer.take(part)
        held = answer.parts()
        assert held is not None
        assert sum(len(one) for one in held if one is not GAP) <= limit


def test_a_compressed_answer_is_kept_whole_or_not_at_all() -> None:
    assert taken([b"abc", b"def"], 6, is_packed=True).parts() == [b"abc", b"def"]
    assert taken([b"abc", b"def", b"g"], 6, is_packed=True).parts() is None


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        ([b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"], 2),
        ([b": ping\n\n", b"data: 1\n\n", b"", b": ping\n\n", b"data: 2\n\n"], 2),
        ([b": ping\n\n", b"data: [DONE]\n\n"], 0),
        ([b"tok0 ", b"tok1 "], 2),  # BentoML frames nothing
    ],
)
def test_what_carries_no_token_is_not_timed(parts: list[bytes], tokens: int) -> None:
    first, between = taken(parts, 100).times.cells()
    assert sum(first[:-1]) + sum(between[:-1]) == tokens


def test_parts_are_kept_by_reference() -> None:
    parts = [b"a" * 10, b"b" * 10]
    kept = taken(parts, 100).parts()
    assert kept is not None
    assert all(a is b for a, b in zip(kept, parts, strict=True))
    assert not any(a == b for a, b in pairwise(kept))


# --- Within a call ---


EVENTS: Message = {**START, "headers": [(b"content-type", b"text/event-stream; charset=utf-8")]}


def events(count: int) -> list[Message]:
    return [{**PART, "body": b"data: %d\n\n" % i} for i in range(count)]


def test_a_streamed_answer_is_timed_and_handed_over() -> None:
    app, sink = watched(sends(EVENTS, *events(5), {**BODY, "body": b""}))
    served = serve(app)
    assert [message["body"] for message in served.sent[1:-1]] == [e["body"] for e in events(5)]
    [exchange] = sink.exchanges
    assert b"".join(exchange.response_chunks) == b"".join(e["body"] for e in events(5))
    assert sink.histogram("mlmon_request_first_token_seconds")[0] == 1
    assert sink.histogram("mlmon_output_token_seconds")[0] == 4


def test_tokens_are_timed_as_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.5, 1.0, 1.25, 1.75, 2.0])  # call, start, three events, end
    monkeypatch.setattr(call, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(streamed_answer, "perf_counter", lambda: next(moments))
    app, sink = watched(sends(EVENTS, *events(3), {**BODY, "body": b""}))
    serve(app)
    assert sink.histogram("mlmon_request_first_byte_seconds") == (1, 0.5)
    assert sink.histogram("mlmon_request_first_token_seconds") == (1, 1.0)
    assert sink.histogram("mlmon_output_token_seconds") == (2, 0.75)
    assert sink.histogram("mlmon_request_duration_seconds") == (1, 2.0)


def test_an_interrupted_stream_is_timed_and_makes_no_exchange() -> None:
    app, sink = watched(sends(EVENTS, *events(3), error=BoomError()))
    serve(app)
    assert sink.outcome() == ("200", "interrupted")
    assert sink.histogram("mlmon_output_token_seconds")[0] == 2
    assert not sink.exchanges


def test_of_a_stream_beyond_the_cap_both_ends_are_handed_over() -> None:
    app, sink = watched(sends(EVENTS, *events(100), {**BODY, "body": b""}), max_body_bytes=100)
    serve(app)
    [exchange] = sink.exchanges
    kept = b"".join(exchange.response_chunks)
    assert kept.startswith(b"data: 0\n\ndata: 1\n\n")
    assert kept.endswith(b"data: 98\n\ndata: 99\n\n")
    assert len(kept) <= 100 + len(GAP)
    assert not sink.drops()
    # The size is counted over all of it.
    size = sum(len(event["body"]) for event in events(100))
    assert sink.histogram("mlmon_response_size_bytes") == (1, size)


def test_a_long_stream_of_an_app_that_never_read_the_body_was_not_too_large() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route("/predict", predict)
        for message in (EVENTS, *events(100), {**BODY, "body": b""}):
            await send(message)

    watching, sink = watched(app, max_body_bytes=100)
    serve(watching)
    assert sink.drops() == {"request_unread": 1}


def test_a_compressed_stream_beyond_the_cap_is_dropped_and_counted() -> None:
    start = {**EVENTS, "headers": [*EVENTS["headers"], (b"content-encoding", b"gzip")]}
    app, sink = watched(sends(start, *events(100), {**BODY, "body": b""}), max_body_bytes=100)
    serve(app)
    assert not sink.exchanges
    assert sink.drops() == {"body_too_large": 1}


def test_a_stream_of_no_model_is_not_timed() -> None:
    app, sink = watched(sends(EVENTS, *events(3), {**BODY, "body": b""}))
    serve(app, method="GET")
    assert sink.histogram("mlmon_output_token_seconds")[0] == 0
