"""One request on its way through the middleware: notes taken in passing, counted at its end."""

from __future__ import annotations

import math
from time import perf_counter, time

from opentelemetry.context import get_current
from starlette.types import Message, Receive, Scope, Send

from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.formats.event_stream import MEDIA_TYPE
from mlmon_exporter.sources.endings import Labels, request_labels
from mlmon_exporter.sources.ids import ID_HEADER, PredictionIds, valid_id
from mlmon_exporter.sources.sink import Sink

from .notes import Noted, Notes
from .spans import annotate, current_span_context

SCOPE_KEY = "mlmon_exporter"
"""Marks a scope that one of our middlewares has seen: of several, only the outermost counts."""

_EVENT_STREAM = MEDIA_TYPE.encode()
_UNKNOWN: Labels = ("", "", OTHER)


class Call(Noted):
    """One request: its `receive` and `send` stand in for the server's and take notes in passing.

    Nearly every request is plain: its body comes in one message, and so does its answer. Both are
    kept as they pass; all else is worked out at the end. The first message that is out of the
    ordinary makes `Notes`, which take over. The code is flat because each call and each object adds
    to the time of every request. Only the exchange outlives the request. Not thread-safe: one event
    loop runs it.
    """

    __slots__ = ("_ids", "_notes", "_receive", "_send", "is_open")

    def __init__(
        self, sink: Sink, ids: PredictionIds, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self.began = perf_counter()
        self.sink = sink
        self._ids = ids
        self.scope = scope
        self._receive = receive
        self._send = send
        self.method = scope["method"]
        self.limit = sink.max_body_bytes
        # Now, since an app that unpacks the body may put other headers into the scope.
        self.request_headers = scope.get("headers", ())
        self.response_headers = ()
        self.asked = self.told = self.labels = self.span = None
        self.status = 0
        self.first_byte = math.nan
        self.prediction_id = ""
        self._notes: Notes | None = None
        self.is_open = True
        """True if it must still be counted when the app returns."""
        scope[SCOPE_KEY] = sink
        sink.in_flight[self] = scope

    async def receive(self) -> Message:
        """Receive for the app."""
        message = await self._receive()
        try:
            if (
                self._notes is None
                and self.asked is None
                and message["type"] == "http.request"
                and not message.get("more_body")
                and type(body := message.get("body")) is bytes
                and len(body) <= self.limit
            ):
                self.asked = body
            else:
                self._noted().hear(message)
        except Exception as fault:  # noqa: BLE001 - the app gets its message
            self._give_up(fault)
        return message

    async def send(self, message: Message) -> None:
        """Send for the app."""
        try:
            kind = message["type"]
            if kind == "http.response.start":
                message = self._start(message)
            elif (
                self._notes is None
                and self.status
                and kind == "http.response.body"
                and not message.get("more_body")
                and (body := message.get("body"))
                and type(body) is bytes
                and self.told is None
            ):
                self.told = body
            else:
                self._noted().tell(message)
        except Exception as fault:  # noqa: BLE001 - the client gets its message
            self._give_up(fault)
        try:
            await self._send(message)
        except BaseException as error:
            self._noted().fail_to_send(error)
            raise
        if self._notes is None:
            if self.told is not None and self.is_open:
                self._end()
        elif self._notes.is_answered:
            self._end_noted(None)

    def _start(self, message: Message) -> Message:  # noqa: C901, PLR0912 - flat, see the class
        """Note the start of the response and return the message to send in its place.

        A model's answer carries the prediction's id: the app's, else the client's, else a new one.
        """
        self.first_byte = perf_counter() - self.began
        self.status = message["status"]
        if self._notes is not None:
            self._notes.start()
        # Looked up now, since spans within the app have ended when it returns.
        if get_current():  # empty without instrumentation
            self.span = current_span_context()
        self.labels = _UNKNOWN  # should the next line fail
        self.labels = labels = self.sink.routes.find(self.scope)
        self.response_headers = headers = message.get("headers", ())
        if not labels[0] or self.method != "POST":
            if self._notes is not None:
                self._notes.keep(self)
            return message
        if type(headers) is not list:  # any iterable, perhaps one that can be read but once
            self.response_headers = headers = [*headers]
        own = given = stream = None
        for name, value in headers:
            if name == ID_HEADER:
                own = given = value
            elif name == b"content-type" and value.startswith(_EVENT_STREAM):
                stream = value
        if own is None:
            for name, value in self.request_headers:
                if name == ID_HEADER:
                    given = value
        self.prediction_id = prediction_id = (given and valid_id(given)) or self._ids.new()
        if self._notes is not None:
            self._notes.keep(self)
        if stream is not None:
            is_packed = any(name == b"content-encoding" for name, _ in headers)
            self._noted().stream(self, is_packed=is_packed)
        if self.span is not None:
            annotate(labels[0], prediction_id)
        # A copy: the app may use its headers again, and outer middleware may change these.
        if own is not None:
            return {**message, "headers": [*headers]}
        return {**message, "headers": [*headers, (ID_HEADER, prediction_id.encode())]}

    def _end(self) -> None:
        """Count a plain request after its last byte."""
        sink, labels, method, status = self.sink, self.labels, self.method, self.status
        prediction_id, asked, told = self.prediction_id, self.asked, self.told or b""
        size = len(asked or b"") + len(told)
        is_unread = asked is None and prediction_id
        if is_unread or size > self.limit or self.span is not None or labels is None:
            self._end_noted(None)
            return
        self.is_open = False
        try:
            sink.in_flight.pop(self, None)
            duration = perf_counter() - self.began
            sink.requests.record(
                request_labels(labels, method, status, True, False, "none"),
                (duration, self.first_byte, size - len(told), len(told)),
            )
            if 200 <= status < 300:
                if asked is not None and prediction_id:
                    path, arrived = self.scope["path"], time() - duration
                    sink.submit(
                        (
                            arrived,
                            labels[0],
                            labels[2],
                            path,
                            status,
                            prediction_id,
                            (asked,),
                            (told,),
                        ),
                        tuple(self.request_headers),
                        tuple(self.response_headers),
                        size,
                    )
                elif method == "POST":
                    sink.routes.missed(labels[2])
        except Exception as fault:  # noqa: BLE001 - the app goes on
            sink.fail(fault)
        # The app may go on for long, with background tasks; the bodies need not stay for them.
        self.asked = self.told = None

    def close(self, error: BaseException | None = None) -> None:
        """Count the request when the app has returned or raised, unless it has been counted."""
        if not self.is_open:
            return
        self._end_noted(error)
        self.is_open = False
        try:
            self._noted().decide(self, error)
        except Exception as fault:  # noqa: BLE001 - the app has ended as it did
            self.sink.fail(fault)

    def _end_noted(self, error: BaseException | None) -> None:
        """Count a request that is out of the ordinary, once."""
        sink, notes = self.sink, self._noted()
        if sink.in_flight.pop(self, None) is None:
            return
        try:
            self.is_open = False
            duration = perf_counter() - self.began
            self.is_open = not notes.end(self, duration, time(), error)
        except Exception as fault:  # noqa: BLE001 - the app goes on, or its error does
            sink.fail(fault)
        notes.forget_bodies()
        self.asked = self.told = None

    def _noted(self) -> Notes:
        """Return the notes of a request that is out of the ordinary from now on."""
        if self._notes is None:
            self._notes = Notes(self)
        return self._notes

    def _give_up(self, fault: Exception) -> None:
        """Keep neither body: a part of it may be missing from the notes."""
        self.sink.fail(fault)
        self._noted().give_up()
