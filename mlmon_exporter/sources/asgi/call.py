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
        self._method: str = scope["method"]
        # Now, since an app that unpacks the body may put other headers into the scope.
        self._request_headers: Any = scope.get("headers", ())
        self._response_headers: Any = ()
        # A body is kept up to its limit; below 0 not even an empty one is.
        self._request_limit = sink.max_body_bytes if self._method == "POST" else -1
        self._response_limit = -1
        self._request_chunks: list[bytes] = []
        self._response_chunks: list[bytes] = []
        self._request_size = 0
        self._response_size = self._first_byte = math.nan
        self._status = 0  # until the response starts
        self._labels: Labels | None = None
        self._prediction_id = ""
        self._span: tuple[str, str] | None = None
        self._stream: StreamedAnswer | None = None
        self._held: RequestLabels | None = None
        self._is_read = self._is_answered = self._is_in_parts = False
        self._has_left = False
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
                    self._request_chunks.append(body if type(body) is bytes else bytes(body))
                else:
                    self._request_limit, self._request_chunks = -1, []
                self._is_read = not message.get("more_body")
            elif kind == "http.disconnect" and not self._is_answered:
                self._has_left = True
        except Exception as fault:  # noqa: BLE001 - the app gets its message
            self._give_up(fault)
        return message

    async def send(self, message: Message) -> None:
        """Send for the app."""
        try:
            kind = message["type"]
            if kind == "http.response.body":
                body = message.get("body") or b""
                self._response_size += len(body)
                if self._stream is not None:
                    self._stream.take(body if type(body) is bytes else bytes(body))
                elif self._response_size <= self._response_limit:
                    # A buffer other than bytes, such as a memoryview, may change once sent.
                    self._response_chunks.append(body if type(body) is bytes else bytes(body))
                else:
                    self._response_limit, self._response_chunks = -1, []
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

    def _start(self, message: Message) -> Message:
        """Note the start of the response and return the message to send in its place.

        A model's answer carries the prediction's id: the app's, else the client's, else a new one.
        """
        self._first_byte = perf_counter() - self._began
        self._status = message["status"]
        self._response_size = 0
        # Looked up now, since spans within the app have ended when it returns.
        self._span = current_span_context()
        model, _, _ = self._find_labels()
        self._response_headers = headers = message.get("headers", ())
        if not model or self._method != "POST":
            self._request_limit, self._request_chunks = -1, []
            return message
        self._response_limit = self._sink.max_body_bytes
        if type(headers) is not list:  # any iterable, perhaps one that can be read but once
            headers = [*headers]
        # A dict of bytes is invisible to the garbage collector; a list of pairs is not.
        self._response_headers = named = dict(headers)
        self._request_headers = asked = dict(self._request_headers)
        if named.get(b"content-type", b"").startswith(_EVENT_STREAM):
            self._stream = StreamedAnswer(
                self._began, self._response_limit, is_packed=b"content-encoding" in named
            )
        own = named.get(ID_HEADER)
        given = asked.get(ID_HEADER) if own is None else own
        self._prediction_id = valid_id(given) or self._ids.new()
        if self._span is not None:
            annotate(model, self._prediction_id)
        # A copy: the app may use its headers again, and outer middleware may change these.
        if own is not None:
            return {**message, "headers": [*headers]}
        return {**message, "headers": [*headers, (ID_HEADER, self._prediction_id.encode())]}

    def _find_labels(self) -> Labels:
        self._labels = "", "", OTHER  # should the next line fail
        self._labels = labels = self._sink.routes.find(self._scope)
        return labels

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
            labels = self._labels or self._find_labels()
            kind = "none" if error is None else error_of(error)
            request = request_labels(
                labels, self._method, self._status, self._is_answered, self._has_left, kind
            )
            status, outcome = request[4:]
            is_doubtful = self._is_in_parts or not self._response_size
            if is_doubtful and outcome == "ok" and not self._is_as_long_as_it_says():
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
            if self._prediction_id:
                # Only answers of status 2xx are predictions; a refusal may leave its body unread.
                if self._is_answered and error is None and 200 <= status < 300:
                    self._hand_over(labels, time() - duration)
            elif self._method == "POST" and outcome == "ok" and status < 300:
                sink.routes.missed(labels[2])
        except Exception as fault:  # noqa: BLE001 - the app goes on, or its error does
            sink.fail(fault)
        # The app may go on for long, with background tasks; the bodies need not stay for them.
        self._request_chunks = self._response_chunks = []
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
        headers = self._response_headers  # a model's are in a dict
        pairs = headers.items() if type(headers) is dict else headers or ()
        return self._status in (204, 304) or length in pairs

    def _kept_parts(self, stream: StreamedAnswer) -> list[bytes]:
        parts = stream.parts()
        if parts is None:
            self._response_limit = -1
        return parts or []

    def _hand_over(self, labels: Labels, arrived: float) -> None:
        """Submit the exchange, or count the reason why there is none."""
        if self._request_limit >= 0 and self._response_limit >= 0 and self._is_read:
            model, _, route = labels
            exchange = (
                arrived,
                model,
                route,
                self._scope["path"],
                self._status,
                self._prediction_id,
                self._request_headers,
                self._request_chunks,
                self._response_headers,
                self._response_chunks,
            )
            kept = self._response_size  # of a stream perhaps just a part
            if self._stream is not None:
                kept = sum(map(len, self._response_chunks))
            self._sink.submit(exchange, self._request_size + int(kept))
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
