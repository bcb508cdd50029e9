"""ASGI middleware: passes requests on untouched, counts them, and hands model calls to the monitor.

Everything here runs in the path of every request, so it only takes notes: what is parsed or
computed is done elsewhere, later.
"""

from __future__ import annotations

import logging
import math
from asyncio import CancelledError
from collections.abc import Mapping
from contextlib import suppress
from time import perf_counter, time
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import OTHER, UNDECIDED, RequestLabels, Traffic
from mlmon_exporter.core.records import Exchange, Exemplar
from mlmon_exporter.formats.event_stream import MEDIA_TYPE

from .ids import ID_HEADER, PredictionIds, valid_id
from .routes import route_of, route_path
from .spans import annotate, current_span_context
from .stream import StreamedAnswer
from .templates import RouteTemplates

__all__ = ["MonitorMiddleware", "Sink", "route_of"]

logger = logging.getLogger(__name__)

SCOPE_KEY = "mlmon_exporter"
"""Marks a scope that one of our middlewares has seen: of several, only the outermost counts."""
CLIENT_LEFT = 499
"""Status of a request whose client left before there was one: nginx's number, which none sends."""
CANCELLED = 504
"""Status of a request that was cancelled before there was one: that of a time limit around us."""

_UNSEEN_BODIES = ("http.response.pathsend", "http.response.zerocopysend")
"""Messages by which the server reads the body from a file: its bytes never pass here."""
_EVENT_STREAM = MEDIA_TYPE.encode()


class Sink(Protocol):
    """What the middleware needs of a monitor."""

    @property
    def service_apps(self) -> Mapping[str, ASGIApp]:
        """Path -> our app that answers it; such requests are neither passed on nor counted."""

    @property
    def max_body_bytes(self) -> int:
        """Bodies longer than this are not kept."""

    @property
    def traffic(self) -> Traffic:
        """Counts requests."""

    @property
    def health(self) -> Health:
        """Counts what is given up, and faults of ours."""

    @property
    def in_flight(self) -> dict[int, Scope]:
        """Scopes of the requests that are being served, by their identity."""

    @property
    def templates(self) -> RouteTemplates:
        """Routes that are known by their path, where the app does not name its own."""

    def model_of(self, scope: Scope, route: str) -> tuple[str, str]:
        """Return the model and version that a request is for, ("", "") if for none."""

    def submit(self, exchange: Exchange) -> None:
        """Take a finished exchange; neither blocks nor raises."""

    def without_route(self) -> None:
        """Take note of a POST that was answered well, on a route that nothing names."""

    async def shutdown(self) -> None:
        """Finish: the server stops."""


class MonitorMiddleware:
    """Watches an ASGI app.

    Whatever goes wrong in here, the app and its client never notice: it is counted as an internal
    error, and the messages pass as they are.
    """

    def __init__(self, app: ASGIApp, monitor: Sink | None = None) -> None:
        """Wrap an app.

        Args:
            app: Any ASGI app.
            monitor: Where observations go; by default a new one, configured by the file that
                `MLMON_CONFIG` names, for servers that take a dotted path and no arguments.
        """
        if monitor is None:
            from mlmon_exporter.instrumentation import (
                monitor_from_environment,  # which imports this module
            )

            monitor = monitor_from_environment()
        self.app = app
        self._sink = monitor
        self._ids = PredictionIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        app, call = self.app, None
        kind = scope["type"]
        if kind == "http":
            try:
                service = self._sink.service_apps.get(route_path(scope))
                if service is not None:
                    app = service
                elif SCOPE_KEY not in scope:
                    call = _Call(self._sink, self._ids, scope, receive, send)
            except Exception as fault:  # noqa: BLE001 - the app is served unwatched
                _fail(self._sink, fault)
        elif kind == "lifespan":
            send = self._closing(scope, send)
        if call is None:
            await app(scope, receive, send)
            return
        try:
            await app(scope, call.receive, call.send)
        except BaseException as error:
            call.close(error)
            raise
        if call.is_open:
            call.close()

    def _closing(self, scope: Scope, send: Send) -> Send:
        """Return a `send` that ends the monitor when the app has shut down."""
        sink = self._sink
        if scope.get(SCOPE_KEY) is sink:
            return send
        scope[SCOPE_KEY] = sink

        async def closing(message: Message) -> None:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                try:
                    await sink.shutdown()
                except Exception as fault:  # noqa: BLE001 - the server's shutdown goes on
                    _fail(sink, fault)
            await send(message)

        return closing


class _Call:
    """One request on its way: its `receive` and `send` are the app's, and take notes in passing.

    The code is flat because each call and each object would add to the time of every request.
    Nothing of it outlives the request but the Exchange. Not thread-safe: one event loop runs it.
    """

    __slots__ = (
        "_began",
        "_first_byte",
        "_has_left",
        "_held",
        "_ids",
        "_is_answered",
        "_is_in_parts",
        "_is_read",
        "_method",
        "_model",
        "_prediction_id",
        "_receive",
        "_request_chunks",
        "_request_headers",
        "_request_limit",
        "_request_size",
        "_response_chunks",
        "_response_headers",
        "_response_limit",
        "_response_size",
        "_route",
        "_scope",
        "_send",
        "_sink",
        "_span",
        "_status",
        "_stream",
        "_version",
        "is_open",
    )

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
        self._route = self._model = self._version = self._prediction_id = ""
        self._span: tuple[str, str] | None = None
        self._stream: StreamedAnswer | None = None
        self._held: RequestLabels | None = None
        self._is_read = self._is_answered = self._is_in_parts = False
        self._has_left = False
        self.is_open = True
        """Whether it is still to be counted, now that the app returns."""
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
                    # What is not bytes, such as a memoryview, may change once it has been sent.
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
        except OSError:
            self._has_left = True
            raise
        if self._is_answered:
            self.end()

    def _start(self, message: Message) -> Message:
        """Take note of the response's start; return what to send in its place.

        A model's answer gets the prediction's id: the app's, or the client's, or a new one.
        """
        self._first_byte = perf_counter() - self._began
        self._status = message["status"]
        self._response_size = 0
        # Spans within the app have ended when it returns, so now is the time to look.
        self._span = current_span_context()
        self._find_route()
        self._response_headers = headers = message.get("headers", ())
        if not self._model or self._method != "POST":
            self._request_limit, self._request_chunks = -1, []
            return message
        self._response_limit = self._sink.max_body_bytes
        if type(headers) is not list:  # any iterable, perhaps one that can be read but once
            headers = [*headers]
        # The collector does not look at dicts of plain values, as it does at lists of pairs.
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
            annotate(self._model, self._prediction_id)
        # A copy: whoever comes next may change the headers, and the app's are the app's.
        if own is not None:
            return {**message, "headers": [*headers]}
        return {**message, "headers": [*headers, (ID_HEADER, self._prediction_id.encode())]}

    def _find_route(self) -> None:
        self._route = OTHER  # should the next line fail
        self._route = route_of(self._scope, self._sink.templates)
        self._model, self._version = self._sink.model_of(self._scope, self._route)

    def end(self, error: BaseException | None = None) -> None:
        """Count the request, once: after the last byte, or when the app has given up.

        Args:
            error: What the app raised instead of finishing the response.
        """
        if not self.is_open or self._held is not None:
            return
        self.is_open = False
        sink = self._sink
        try:
            duration = perf_counter() - self._began
            sink.in_flight.pop(id(self._scope), None)
            if not self._route:
                self._find_route()
            status, outcome = self._status, "ok"
            is_done = self._is_answered and error is None
            if not is_done or self._has_left or not 200 <= status < 400:
                status, outcome = self._outcome(error)
            request = (self._model, self._version, self._route, self._method, status, outcome)
            if outcome == "ok" and (self._is_in_parts or not self._response_size):
                request = self._hold(request)
            sink.traffic.record(
                request,
                (duration, self._first_byte, self._request_size, self._response_size),
                Exemplar(*self._span, duration, time()) if self._span is not None else None,
            )
            if self._stream is not None:
                tokens = self._stream.times
                sink.traffic.record_tokens(self._model, self._version, self._route, tokens)
                self._response_chunks = self._kept_parts(self._stream)
            if is_done and self._prediction_id:
                self._hand_over(time() - duration)
            elif (
                outcome == "ok" and self._route == OTHER and self._method == "POST" and status < 300
            ):
                sink.without_route()
        except Exception as fault:  # noqa: BLE001 - the app goes on, or its error does
            _fail(sink, fault)
        # The app may go on for long, with background tasks; the bodies need not stay for them.
        self._request_chunks = self._response_chunks = []
        self._stream = None

    def close(self, error: BaseException | None = None) -> None:
        """Count the request, if that has waited for the app to return or to raise."""
        self.end(error)
        if self._held is not None:
            request, self._held, self.is_open = self._held, None, False
            # What is cancelled after the last byte is no part of the answer.
            if isinstance(error, Exception):
                request = (*request[:5], "interrupted")
            try:
                self._sink.traffic.decide(request)
            except Exception as fault:  # noqa: BLE001 - the app has ended as it did
                _fail(self._sink, fault)

    def _hold(self, request: RequestLabels) -> RequestLabels:
        """Return what a request is recorded as at its last byte: undecided, if it may be cut off.

        Where a stream raises, Starlette's BaseHTTPMiddleware sends an empty last part before it
        lets the error through, so an answer in parts is whole if it is as long as it says.
        """
        length = (b"content-length", str(self._response_size).encode())
        headers = self._response_headers  # a model's are in a dict
        pairs = headers.items() if type(headers) is dict else headers or ()
        if self._status in (204, 304) or length in pairs:
            return request
        self._held, self.is_open = request, True
        return (*request[:5], UNDECIDED)

    def _outcome(self, error: BaseException | None) -> tuple[int, str]:
        """Return the status and the outcome of a request that may not have gone well."""
        status = self._status
        if self._has_left:
            return status or CLIENT_LEFT, "disconnected"
        if not status:
            # Servers tell the app that a client has left, and let it go on: they cancel for reasons
            # of their own. (Daphne also cancels what goes on for ten seconds after that.)
            is_cancelled = isinstance(error, (CancelledError, GeneratorExit))
            return CANCELLED if is_cancelled else 500, "server_error"
        if error is not None or not self._is_answered:
            return status, "interrupted"
        return status, "ok" if status < 400 else "client_error" if status < 500 else "server_error"

    def _kept_parts(self, stream: StreamedAnswer) -> list[bytes]:
        parts = stream.parts()
        if parts is None:
            self._response_limit = -1
        return parts or []

    def _hand_over(self, arrived: float) -> None:
        """Submit the exchange, or count why there is none."""
        if self._request_limit >= 0 and self._response_limit >= 0 and self._is_read:
            self._sink.submit(
                Exchange(
                    arrived,
                    self._model,
                    self._route,
                    self._scope["path"],
                    self._status,
                    self._prediction_id,
                    self._request_headers,
                    self._request_chunks,
                    self._response_headers,
                    self._response_chunks,
                )
            )
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
        """Keep no body that notes may be missing from."""
        self._request_limit = self._response_limit = -1
        _fail(self._sink, fault)


def _fail(sink: Sink, fault: Exception) -> None:
    """Count a fault of ours; the request that met it goes on."""
    with suppress(Exception):
        sink.health.internal_error("middleware")
        logger.debug("mlmon: a request was served but not watched", exc_info=fault)
