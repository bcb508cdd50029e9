"""Notes of a call that is out of the ordinary: in parts, streamed, cut off, or unread."""

from __future__ import annotations

import math
from typing import Any

from starlette.types import Message, Scope

from mlmon_exporter.core.counts.requests import UNDECIDED, RequestLabels
from mlmon_exporter.core.records import Exemplar
from mlmon_exporter.sources.endings import Labels, error_of, request_labels
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.stream import StreamedAnswer

_UNSEEN_BODIES = ("http.response.pathsend", "http.response.zerocopysend")
"""Messages by which the server reads the body from a file: its bytes never pass here."""
Chunks = tuple[bytes, ...] | list[bytes]
"""A body's parts: a tuple of one at most, which costs least, or a list of more."""


class Noted:
    """The notes of a plain call, which are the first of any other."""

    __slots__ = (
        "asked", "began", "first_byte", "labels", "limit", "method", "prediction_id",
        "request_headers", "response_headers", "scope", "sink", "span", "status", "told",
    )  # fmt: skip

    sink: Sink
    scope: Scope
    method: str
    began: float
    first_byte: float
    """Seconds from there to the start of the response; NaN until it starts."""
    status: int
    """0 until the response starts."""
    labels: Labels | None
    span: tuple[str, str] | None
    prediction_id: str
    """Empty unless the response is a model's and has started."""
    limit: int
    """Longer bodies are not kept."""
    request_headers: Any
    response_headers: Any
    asked: bytes | None
    """The request's body, if it came in one message."""
    told: bytes | None
    """The response's body, if it is one message, and not empty."""

    def submit(
        self, arrived: float, asked: tuple[bytes, ...], told: tuple[bytes, ...], size: int
    ) -> None:
        """Hand the exchange over.

        Args:
            arrived: Unix seconds.
            asked: The parts of the request's body.
            told: Those of the response's.
            size: Bytes of both.
        """
        model, _, route = self.found()
        path, status = self.scope["path"], self.status
        self.sink.submit(
            (arrived, model, route, path, status, self.prediction_id, asked, told),
            tuple(self.request_headers),
            tuple(self.response_headers),
            size,
        )

    def found(self) -> Labels:
        """Return model, version and route, which are looked up if no response has started."""
        return self.labels or self.sink.routes.find(self.scope)


class Notes:
    """Everything a `Call` notes from its first message that is out of the ordinary.

    The methods get the call rather than keep it: a cycle would leave each to the garbage collector.
    """

    __slots__ = (
        "_has_left", "_held", "_is_in_parts", "_is_read", "_request_chunks", "_request_limit",
        "_request_size", "_response_chunks", "_response_limit", "_response_size", "_stream",
        "is_answered",
    )  # fmt: skip

    def __init__(self, call: Noted) -> None:
        """Take over what the call has noted so far."""
        limit = call.limit
        self._is_read = call.asked is not None
        self.is_answered = call.told is not None
        self._is_in_parts = self._has_left = False
        self._held: RequestLabels | None = None
        self._stream: StreamedAnswer | None = None
        # A body is kept up to its limit; below 0 not even an empty one is.
        self._request_limit = limit if call.method == "POST" else -1
        self._request_size, self._request_chunks = 0, ()  # type: int, Chunks
        if call.asked is not None:
            self._keep_request(call.asked)
        self._response_limit = -1
        self._response_size, self._response_chunks = math.nan, ()  # type: float, Chunks
        if call.status:
            self.start()
            self.keep(call)
            if call.told is not None:
                self._keep_response(call.told)

    def start(self) -> None:
        """Note that the response starts."""
        self._response_size = 0

    def keep(self, call: Noted) -> None:
        """Keep both bodies from now on if the response, whose head is noted, is a model's."""
        if call.prediction_id:
            self._response_limit = call.limit
        else:
            self._request_limit, self._request_chunks = -1, ()

    def stream(self, call: Noted, *, is_packed: bool) -> None:
        """Note that the answer is a stream of events."""
        self._stream = StreamedAnswer(call.began, self._response_limit, is_packed=is_packed)

    def hear(self, message: Message) -> None:
        """Note a message to the app."""
        kind = message["type"]
        if kind == "http.request":
            self._keep_request(message.get("body") or b"")
            self._is_read = not message.get("more_body")
        elif kind == "http.disconnect" and not self.is_answered:
            self._has_left = True

    def tell(self, message: Message) -> None:
        """Note a message from the app, unless it starts the response."""
        kind = message["type"]
        if kind == "http.response.body":
            self._keep_response(message.get("body") or b"")
            if message.get("more_body"):
                self._is_in_parts = True
            else:
                self.is_answered = True
        elif kind in _UNSEEN_BODIES:
            self._response_limit, self._response_size = -1, math.nan
            self.is_answered = not message.get("more_body")

    def _keep_request(self, body: Any) -> None:
        self._request_size += len(body)
        if self._request_size <= self._request_limit:
            self._request_chunks = _extended(self._request_chunks, body)
        else:
            self._request_limit, self._request_chunks = -1, ()

    def _keep_response(self, body: Any) -> None:
        self._response_size += len(body)
        if self._stream is not None:
            self._stream.take(body if type(body) is bytes else bytes(body))
        elif self._response_size <= self._response_limit:
            self._response_chunks = _extended(self._response_chunks, body)
        else:
            self._response_limit, self._response_chunks = -1, ()

    def give_up(self) -> None:
        """Keep neither body: a part of it may be missing from the notes."""
        self._request_limit = self._response_limit = -1

    def fail_to_send(self, error: BaseException) -> None:
        """Note that a message was not sent: if this was the last byte, it did not go out."""
        self.is_answered = False
        self._has_left = self._has_left or isinstance(error, OSError)

    def end(self, call: Noted, duration: float, now: float, error: BaseException | None) -> bool:
        """Count the request after its last byte, or when the app has given up.

        Args:
            call: The request's.
            duration: Seconds since it began.
            now: Unix seconds.
            error: The exception that came out of the app before the response was finished.

        Returns:
            Whether it is counted; if not, `decide` does so once the app has returned.
        """
        sink, method, labels = call.sink, call.method, call.found()
        kind = "none" if error is None else error_of(error)
        request = request_labels(
            labels, method, call.status, self.is_answered, self._has_left, kind
        )
        is_doubtful = self._is_in_parts or not self._response_size
        if is_doubtful and request[5] == "ok" and not self._is_as_long_as_it_says(call):
            self._held = request
            request = (*request[:5], UNDECIDED)
        span = call.span
        sink.requests.record(
            request,
            (duration, call.first_byte, self._request_size, self._response_size),
            Exemplar(*span, duration, now) if span is not None else None,
        )
        if self._stream is not None:
            sink.requests.record_tokens(*labels, self._stream.times)
            self._keep_parts(self._stream)
        # Only answers of status 2xx are predictions; a refusal may leave its body unread.
        if call.prediction_id:
            if self.is_answered and error is None and 200 <= call.status < 300:
                self._hand_over(call, now - duration)
        elif method == "POST" and (self._held or request)[5] == "ok" and request[4] < 300:
            sink.routes.missed(labels[2])
        return self._held is None

    def forget_bodies(self) -> None:
        """Let the bodies go: the app may go on for long, with background tasks."""
        self._request_chunks = self._response_chunks = ()
        self._stream = None

    def decide(self, call: Noted, error: BaseException | None) -> None:
        """Count a request that `end` did not, by the way in which the app has ended."""
        if self._held is not None:
            answer = call.status, self.is_answered, self._has_left
            labels = self._held[:3]
            self._held = None
            call.sink.requests.decide(request_labels(labels, call.method, *answer, error_of(error)))

    def _is_as_long_as_it_says(self, call: Noted) -> bool:
        """Return whether an answer in parts is known to be whole at its last byte.

        When a stream raises, Starlette's BaseHTTPMiddleware sends an empty last part before it
        lets the error through.
        """
        length = (b"content-length", str(self._response_size).encode())
        return call.status in (204, 304) or length in (call.response_headers or ())

    def _keep_parts(self, stream: StreamedAnswer) -> None:
        parts = stream.parts()
        if parts is None:
            self._response_limit = -1
        self._response_chunks = parts or []

    def _hand_over(self, call: Noted, arrived: float) -> None:
        """Submit the exchange, or count the reason why there is none."""
        if self._request_limit >= 0 and self._response_limit >= 0 and self._is_read:
            told = self._response_chunks
            # Of a stream perhaps just a part is kept.
            kept = int(self._response_size) if self._stream is None else sum(map(len, told))
            size = self._request_size + kept
            call.submit(arrived, tuple(self._request_chunks), tuple(told), size)
        else:
            call.sink.health.drop(self._drop_reason(call.limit))

    def _drop_reason(self, limit: int) -> str:
        is_long = self._response_limit < 0 and self._response_size > limit
        if self._request_size > limit or is_long:
            return "body_too_large"
        if self._request_limit < 0:
            return "unreadable"
        return "response_unread" if self._response_limit < 0 else "request_unread"


def _extended(chunks: Chunks, body: Any) -> Chunks:
    """Return a body's parts with one more, which is copied unless it is bytes."""
    # A buffer other than bytes, such as a memoryview, may change once sent.
    if not chunks and type(body) is bytes:
        return (body,)
    chunks = chunks if type(chunks) is list else [*chunks]
    chunks.append(bytes(body))
    return chunks
