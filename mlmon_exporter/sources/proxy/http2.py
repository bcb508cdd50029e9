"""Listens to HTTP/2 between a client and its server: a turn a stream, of gRPC's models a message.

A library that speaks HTTP/2 (h2) is one of its two ends, and knows each stream by what it has sent
itself. An ear sends nothing: it reads the frames of both directions, and their headers by `hpack`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from mlmon_exporter.sources.grpc.conversation import (
    INTERNAL,
    METHODS,
    UNAVAILABLE,
    UNKNOWN,
    Conversation,
    status_of,
)
from mlmon_exporter.sources.grpc.messages import Messages
from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.turn import Turn

from .frames import PREFACE, Frames, Headers

MAX_STREAMS = 256
"""Streams of one connection that are heard at a time; others are relayed unheard."""
BAD_GATEWAY = 502
"""Status of a request that the upstream took and never answered: the client saw none."""
_GRPC = b"application/grpc"
_TIMEOUT = re.compile(rb"(\d{1,8})([HMSmun])")
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_SLACK_SECONDS = 0.05
"""A client whose deadline passes resets its stream about then, by its own clock."""
_CODES: Mapping[int, int] = {7: 14, 8: 1, 11: 8, 12: 7}
"""HTTP/2 error code of a reset -> status code of gRPC; INTERNAL for others."""


class Heard(Protocol):
    """One stream: what is heard of it becomes a turn, or several."""

    def asked(self, data: bytes) -> None:
        """Take a part of the request's body."""

    def asked_all(self) -> None:
        """Take the end of the request's body."""

    def began(self, headers: Headers) -> None:
        """Take the answer's head."""

    def answered(self, data: bytes) -> None:
        """Take a part of the answer's body."""

    def ended(self, trailers: Headers) -> None:
        """Take the end of the answer."""

    def cut(self, *, by_client: bool, code: int | None) -> None:
        """Take the end of a stream that was reset, or whose connection is gone: then no code."""

    def forget(self) -> None:
        """Count nothing."""


class Http2Ear:
    """Hears one connection, and counts its streams when they have ended."""

    def __init__(self, sink: Sink, recorder: Recorder) -> None:
        self._sink = sink
        self._recorder = recorder
        self._streams: dict[int, Heard] = {}
        self._begun: set[int] = set()
        """Streams whose answer's head has come."""
        self._preface_left = len(PREFACE)
        self._requests = Frames(_Requests(self))
        self._answers = Frames(_Answers(self))

    def asked(self, data: bytes) -> None:
        """Hear what the client sent."""
        skipped = min(self._preface_left, len(data))
        self._preface_left -= skipped
        self._requests.feed(data[skipped:])

    def answered(self, data: bytes) -> None:
        """Hear what the server sent."""
        self._answers.feed(data)

    def ended(self, *, by_client: bool) -> None:
        """Hear that one side sends no more; without it, no stream goes on."""
        self.closed(by_client=by_client)

    def closed(self, *, by_client: bool) -> None:
        """Hear that the connection is gone."""
        for stream in [*self._streams]:
            self.cut(stream, by_client=by_client, code=None)

    def forget(self) -> None:
        """Count nothing of the streams that are open: nobody will hear them end."""
        self.refuse_after(-1)

    def request(self, stream: int, headers: Headers) -> Heard | None:
        """Return the stream, which begins with these headers if it is new; None if unheard."""
        if stream in self._streams:
            return self._streams[stream]
        if len(self._streams) >= MAX_STREAMS:
            self._sink.health.drop("unheard")
            return None
        named = dict(headers)
        path = named.get(b":path", b"").decode("latin-1")
        if path in METHODS and named.get(b"content-type", b"").startswith(_GRPC):
            heard: Heard = _Rpc(self._sink, self._recorder, path, named)
        else:
            heard = _Request(self._sink, self._recorder, named)
        self._streams[stream] = heard
        return heard

    def open(self, stream: int) -> Heard | None:
        """Return a stream that is heard."""
        return self._streams.get(stream)

    def is_first(self, stream: int) -> bool:
        """Return whether this is the head of a stream's answer, and not its trailers."""
        is_first = stream not in self._begun
        self._begun.add(stream)
        return is_first

    def finish(self, stream: int, trailers: Headers = ()) -> None:
        """End a stream whose answer is whole."""
        if stream in self._streams:
            with self._dropped(stream) as heard:
                heard.ended(trailers)

    def cut(self, stream: int, *, by_client: bool, code: int | None) -> None:
        """End a stream whose answer is not whole."""
        if stream in self._streams:
            with self._dropped(stream) as heard:
                heard.cut(by_client=by_client, code=code)

    def refuse_after(self, last: int) -> None:
        """Forget the streams after this one: the server leaves them to another connection."""
        for stream in [stream for stream in self._streams if stream > last]:
            with self._dropped(stream) as heard:
                heard.forget()

    @contextmanager
    def _dropped(self, stream: int) -> Iterator[Heard]:
        """Give a stream that is to end, and let it go where that cannot be noted."""
        self._begun.discard(stream)
        heard = self._streams.pop(stream)
        try:
            yield heard
        except Exception:
            heard.forget()
            raise


class _Requests:
    """The client's direction."""

    def __init__(self, ear: Http2Ear) -> None:
        self._ear = ear

    def headers(self, stream: int, headers: Headers, *, is_last: bool) -> None:
        heard = self._ear.request(stream, headers)
        if heard is not None and is_last:
            heard.asked_all()

    def data(self, stream: int, data: bytes, *, is_last: bool) -> None:
        heard = self._ear.open(stream)
        if heard is not None:
            heard.asked(data)
            if is_last:
                heard.asked_all()

    def reset(self, stream: int, code: int) -> None:
        self._ear.cut(stream, by_client=True, code=code)

    def goaway(self, last: int) -> None:
        """Nothing: a client's is about pushed streams."""


class _Answers:
    """The server's direction."""

    def __init__(self, ear: Http2Ear) -> None:
        self._ear = ear

    def headers(self, stream: int, headers: Headers, *, is_last: bool) -> None:
        heard = self._ear.open(stream)
        if heard is None or dict(headers).get(b":status", b"").startswith(b"1"):
            return
        if self._ear.is_first(stream):
            heard.began(headers)
        if is_last:
            self._ear.finish(stream, headers)

    def data(self, stream: int, data: bytes, *, is_last: bool) -> None:
        heard = self._ear.open(stream)
        if heard is not None:
            heard.answered(data)
            if is_last:
                self._ear.finish(stream)

    def reset(self, stream: int, code: int) -> None:
        self._ear.cut(stream, by_client=False, code=code)

    def goaway(self, last: int) -> None:
        self._ear.refuse_after(last)


class _Request:
    """A stream that is a request of HTTP, or an RPC that is no model's."""

    def __init__(self, sink: Sink, recorder: Recorder, headers: Mapping[bytes, bytes]) -> None:
        self._recorder = recorder
        self._turn = turn = Turn(sink.max_body_bytes)
        turn.is_foreign = headers.get(b"content-type", b"").startswith(_GRPC)
        turn.target = headers.get(b":path", b"")
        turn.request_headers = _plain(headers.items())
        turn.ask(headers.get(b":method", b"").decode("ascii", "replace"))
        recorder.begin(turn)

    def asked(self, data: bytes) -> None:
        self._turn.take_request(data)

    def asked_all(self) -> None:
        self._turn.is_read = True

    def began(self, headers: Headers) -> None:
        status = dict(headers).get(b":status", b"")
        self._turn.start(int(status) if status.isdigit() else 0, perf_counter())
        self._turn.response_headers = _plain(headers)
        self._recorder.answer_begins(self._turn)

    def answered(self, data: bytes) -> None:
        self._turn.take_response(data)

    def ended(self, trailers: Headers) -> None:
        code = _code(trailers)
        if self._turn.is_foreign and code:
            self._turn.status = status_of(code)
        self._turn.is_answered = True
        self._recorder.end(self._turn)

    def cut(self, *, by_client: bool, code: int | None) -> None:
        self._turn.has_left = by_client
        self._recorder.end(self._turn, status_of(UNAVAILABLE) if code else BAD_GATEWAY)

    def forget(self) -> None:
        self._recorder.forget(self._turn)


class _Rpc:
    """A stream that is an RPC of a model."""

    def __init__(
        self, sink: Sink, recorder: Recorder, method: str, headers: Mapping[bytes, bytes]
    ) -> None:
        self._talk = Conversation(sink, recorder, method, _plain(headers.items()))
        self._requests = Messages(sink.max_body_bytes)
        self._requests.encoding = headers.get(b"grpc-encoding", b"")
        self._answers = Messages(sink.max_body_bytes)
        self._deadline = perf_counter() + _seconds(headers.get(b"grpc-timeout", b""))

    def asked(self, data: bytes) -> None:
        for part in self._requests.feed(data):
            self._talk.asked(part)

    def asked_all(self) -> None:
        """Nothing: messages tell their own length."""

    def began(self, headers: Headers) -> None:
        self._answers.encoding = dict(headers).get(b"grpc-encoding", b"")

    def answered(self, data: bytes) -> None:
        for part in self._answers.feed(data):
            self._talk.answered(part)

    def ended(self, trailers: Headers) -> None:
        code = _code(trailers)
        self._talk.ended(UNKNOWN if code is None else code)

    def cut(self, *, by_client: bool, code: int | None) -> None:
        is_late = perf_counter() > self._deadline - _SLACK_SECONDS
        known = UNAVAILABLE if code is None else _CODES.get(code, INTERNAL)
        self._talk.ended(known, has_left=by_client and not is_late, is_late=is_late)

    def forget(self) -> None:
        self._talk.forget()


def _plain(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if not name.startswith(b":")]


def _code(trailers: Headers) -> int | None:
    text = dict(trailers).get(b"grpc-status", b"")
    return int(text) if text.isdigit() and len(text) < 4 else None


def _seconds(timeout: bytes) -> float:
    found = _TIMEOUT.fullmatch(timeout)
    return int(found[1]) * _SECONDS[found[2]] if found else float("inf")
