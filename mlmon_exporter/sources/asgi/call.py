"""One request on its way through the middleware: notes taken in passing, counted at its end."""

from __future__ import annotations

import math
from time import perf_counter, time
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from mlmon_exporter.core.counts.requests import UNDECIDED, RequestLabels
from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.core.records import Exemplar
from mlmon_exporter.formats.event_stream import MEDIA_TYPE
from mlmon_exporter.sources.endings import Labels, error_of, request_labels
from mlmon_exporter.sources.ids import ID_HEADER, PredictionIds, valid_id
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.stream import StreamedAnswer

from .spans import annotate, current_span_context

SCOPE_KEY = "mlmon_exporter"
"""Marks a scope that one of our middlewares has seen: of several, only the outermost counts."""

_UNSEEN_BODIES = ("http.response.pathsend", "http.response.zerocopysend")
"""Messages by which the server reads the body from a file: its bytes never pass here."""
_EVENT_STREAM = MEDIA_TYPE.encode()
Chunks = tuple[bytes, ...] | list[bytes]
"""A body's parts: a tuple of one at most, which costs least, or a list of more."""
_UNKNOWN: Labels = ("", "", OTHER)


class Call:
    """One request: its `receive` and `send` stand in for the server's and take notes in passing.

    The code is flat because each call and each object would add to the time of every request.
    Only the Exchange outlives the request. Not thread-safe: one event loop runs it.
    """

    __slots__ = (
        "_began", "_first_byte", "_has_left", "_held", "_ids", "_is_answered", "_is_in_parts",
        "_is_read", "_labels", "_method", "_prediction_id", "_receive", "_request_chunks",
        "_request_headers", "_request_limit", "_request_size", "_response_chunks",
        "_response_headers", "_response_limit", "_response_size", "_scope", "_send",
        "_sink", "_span", "_status", "_stream", "is_open",
    )  # fmt: skip

    def __init__(
        self, sink: Sink, ids: PredictionIds, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._began = perf_counter()
        self._sink = sink
        self._ids = ids
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method = method = scope["method"]
        # Now, since an app that unpacks the body may put other headers into the scope.
        self._request_headers: Any = scope.get("headers", ())
        self._response_headers: Any = ()
        # A body is kept up to its limit; below 0 not even an empty one is.
        self._request_limit = sink.max_body_bytes if method == "POST" else -1
        self._response_limit = -1
        self._request_chunks: Chunks = ()
        self._response_chunks: Chunks = ()
        self._response_size = self._first_byte = math.nan
        self._request_size = self._status = 0  # no status until the response starts
        self._labels: Labels | None = None
        self._span: tuple[str, str] | None = None
        self._stream: StreamedAnswer | None = None
        self._held: RequestLabels | None = None
        self._prediction_id = ""
        self._is_read = self._is_answered = self._is_in_parts = self._has_left = False
        self.is_open = True
        """True if it must still be counted when the app returns."""
        scope[SCOPE_KEY] = sink
        sink.in_flight[id(scope)] = scope

    async def receive(self) -> Message:
        """Receive for the app."""
        message = await self._receive()
        try:
            kind = message["type"]
            if kind == "http.request":
                body = message.get("body") or b""
                self._request_size += len(body)
                if self._request_size <= self._request_limit:
                    if self._request_chunks or type(body) is not bytes:
                        self._request_chunks = _extended(self._request_chunks, body)
                    else:
                        self._request_chunks = (body,)
                else:
                    self._request_limit, self._request_chunks = -1, ()
                self._is_read = not message.get("more_body")
            elif kind == "http.disconnect" and not self._is_answered:
                self._has_left = True
        except Exception as fault:  # noqa: BLE001 - the app gets its message
            self._give_up(fault)
        return message

    async def send(self, message: Message) -> None:  # noqa: C901, PLR0912 - flat, see the class
        """Send for the app."""
        try:
            kind = message["type"]
            if kind == "http.response.body":
                body = message.get("body") or b""
                self._response_size += len(body)
                if self._stream is not None:
                    self._stream.take(body if type(body) is bytes else bytes(body))
                elif self._response_size <= self._response_limit:
                    if self._response_chunks or type(body) is not bytes:
                        self._response_chunks = _extended(self._response_chunks, body)
                    else:
                        self._response_chunks = (body,)
                else:
                    self._response_limit, self._response_chunks = -1, ()
                if message.get("more_body"):
                    self._is_in_parts = True
                else:
                    self._is_answered = True
            elif kind == "http.response.start":
                message = self._start(message)
            elif kind in _UNSEEN_BODIES:
                self._response_limit, self._response_size = -1, math.nan
                self._is_answered = not message.get("more_body")
        except Exception as fault:  # noqa: BLE001 - the client gets its message
            self._give_up(fault)
        try:
            await self._send(message)
        except BaseException as error:
            self._is_answered = False  # if this was the last byte, it did not go out
            self._has_left = self._has_left or isinstance(error, OSError)
            raise
        if self._is_answered:
            self.end()

    def _start(self, message: Message) -> Message:  # noqa: C901 - flat, see the class
        """Note the start of the response and return the message to send in its place.

        A model's answer carries the prediction's id: the app's, else the client's, else a new one.
        """
        self._first_byte = perf_counter() - self._began
        self._status = message["status"]
        self._response_size = 0
        # Looked up now, since spans within the app have ended when it returns.
        self._span = span = current_span_context()
        self._labels = _UNKNOWN  # should the next line fail
        self._labels = labels = self._sink.routes.find(self._scope)
        self._response_headers = headers = message.get("headers", ())
        if not labels[0] or self._method != "POST":
            self._request_limit, self._request_chunks = -1, ()
            return message
        self._response_limit = self._sink.max_body_bytes
        if type(headers) is not list:  # any iterable, perhaps one that can be read but once
            self._response_headers = headers = [*headers]
        own = given = None
        for name, value in headers:
            if name == ID_HEADER:
                own = given = value
            elif name == b"content-type" and value.startswith(_EVENT_STREAM):
                is_packed = any(name == b"content-encoding" for name, _ in headers)
                limit = self._response_limit
                self._stream = StreamedAnswer(self._began, limit, is_packed=is_packed)
        if own is None:
            for name, value in self._request_headers:
                if name == ID_HEADER:
                    given = value
        self._prediction_id = prediction_id = (given and valid_id(given)) or self._ids.new()
        if span is not None:
            annotate(labels[0], prediction_id)
        # A copy: the app may use its headers again, and outer middleware may change these.
        if own is not None:
            return {**message, "headers": [*headers]}
        return {**message, "headers": [*headers, (ID_HEADER, prediction_id.encode())]}

    def end(self, error: BaseException | None = None) -> None:
        """Count the request, once: after the last byte, or when the app has given up.

        Args:
            error: The exception that came out of the app before the response was finished.
        """
        if not self.is_open or self._held is not None:
            return
        self.is_open = False
        sink = self._sink
        try:
            duration = perf_counter() - self._began
            sink.in_flight.pop(id(self._scope), None)
            labels = self._labels or sink.routes.find(self._scope)
            kind = "none" if error is None else error_of(error)
            request = request_labels(
                labels, self._method, self._status, self._is_answered, self._has_left, kind
            )
            is_doubtful = self._is_in_parts or not self._response_size
            if is_doubtful and request[5] == "ok" and not self._is_as_long_as_it_says():
                self._held, self.is_open = request, True
                request = (*request[:5], UNDECIDED)
            sink.requests.record(
                request,
                (duration, self._first_byte, self._request_size, self._response_size),
                Exemplar(*self._span, duration, time()) if self._span is not None else None,
            )
            if self._stream is not None:
                tokens = self._stream.times
                sink.requests.record_tokens(*labels, tokens)
                self._response_chunks = self._kept_parts(self._stream)
            # Only answers of status 2xx are predictions; a refusal may leave its body unread.
            if self._prediction_id:
                if self._is_answered and error is None and 200 <= self._status < 300:
                    self._hand_over(labels, time() - duration)
            elif self._method == "POST" and (self._held or request)[5] == "ok" and request[4] < 300:
                sink.routes.missed(labels[2])
        except Exception as fault:  # noqa: BLE001 - the app goes on, or its error does
            sink.fail(fault)
        # The app may go on for long, with background tasks; the bodies need not stay for them.
        self._request_chunks = self._response_chunks = ()
        self._stream = None

    def close(self, error: BaseException | None = None) -> None:
        """Count the request when the app has returned or raised, unless it has been counted."""
        self.end(error)
        if self._held is not None:
            request, self._held, self.is_open = self._held, None, False
            try:
                kind = error_of(error)
                labels, method = request[:3], self._method
                answer = self._status, self._is_answered, self._has_left
                self._sink.requests.decide(request_labels(labels, method, *answer, kind))
            except Exception as fault:  # noqa: BLE001 - the app has ended as it did
                self._sink.fail(fault)

    def _is_as_long_as_it_says(self) -> bool:
        """Return whether an answer in parts is known to be whole at its last byte.

        When a stream raises, Starlette's BaseHTTPMiddleware sends an empty last part before it
        lets the error through.
        """
        length = (b"content-length", str(self._response_size).encode())
        return self._status in (204, 304) or length in (self._response_headers or ())

    def _kept_parts(self, stream: StreamedAnswer) -> list[bytes]:
        parts = stream.parts()
        if parts is None:
            self._response_limit = -1
        return parts or []

    def _hand_over(self, labels: Labels, arrived: float) -> None:
        """Submit the exchange, or count the reason why there is none."""
        if self._request_limit >= 0 and self._response_limit >= 0 and self._is_read:
            model, _, route = labels
            asked, told = self._request_chunks, self._response_chunks
            fields = (
                arrived,
                model,
                route,
                self._scope["path"],
                self._status,
                self._prediction_id,
                asked if type(asked) is tuple else tuple(asked),
                told if type(told) is tuple else tuple(told),
            )
            # Of a stream perhaps just a part is kept.
            kept = int(self._response_size) if self._stream is None else sum(map(len, told))
            headers = tuple(self._request_headers), tuple(self._response_headers)
            self._sink.submit(fields, *headers, self._request_size + kept)
        else:
            self._sink.health.drop(self._drop_reason())

    def _drop_reason(self) -> str:
        limit = self._sink.max_body_bytes
        is_long = self._response_limit < 0 and self._response_size > limit
        if self._request_size > limit or is_long:
            return "body_too_large"
        if self._request_limit < 0:
            return "unreadable"
        return "response_unread" if self._response_limit < 0 else "request_unread"

    def _give_up(self, fault: Exception) -> None:
        """Keep neither body: a part of it may be missing from the notes."""
        self._request_limit = self._response_limit = -1
        self._sink.fail(fault)


def _extended(chunks: Chunks, body: Any) -> Chunks:
    """Return a body's parts with one more, which is copied unless it is bytes."""
    # A buffer other than bytes, such as a memoryview, may change once sent.
    chunks = chunks if type(chunks) is list else [*chunks]
    chunks.append(bytes(body))
    return chunks
