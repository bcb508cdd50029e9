"""Takes the events of payload loggers, and hands over the calls that they tell of."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterable
from json import JSONDecoder

from mlmon_exporter.core.records import Exchange, Headers
from mlmon_exporter.formats import FormatError
from mlmon_exporter.runtime.once import Once
from mlmon_exporter.sources.endings import Labels
from mlmon_exporter.sources.ids import ID_HEADER, valid_id
from mlmon_exporter.sources.sink import Sink

from .event import Address, Event, Unknown, events_in
from .halves import Bounds, Halves, Lost

logger = logging.getLogger(__name__)

FORMAT = "cloudevents"
OLDEST_SECONDS = 7 * 86400.0
"""A time that is older, or in the future, is the fault of a clock."""
PATIENCE = 20
"""After so many events without the other direction, and no call yet, the log says so."""
_GZIP = b"\x1f\x8b"
_JSON_LENGTH = b"inference-header-content-length"
_ENDS_OF_JSON = b"} \r\n\t"
_COMPONENTS = ("", "predictor")
"""Components whose bodies are the model's, unless routes name others."""


class EventSource:
    """Joins the events of calls for a sink. Thread-safe."""

    def __init__(self, sink: Sink, bounds: Bounds) -> None:
        self._sink = sink
        self._halves = Halves(bounds)
        self._lock = threading.Lock()
        self._calls = self._alone = 0
        self._is_first_unknown, self._is_first_alone = Once(), Once()

    def take(self, headers: Headers, body: bytes, most_bytes: int, now: float) -> None:
        """Take the event or the batch of a POST.

        Args:
            headers: The POST's, names in lower case.
            body: As it was sent.
            most_bytes: It may have so many when it is decompressed.
            now: Unix seconds.

        Raises:
            FormatError: Nothing was taken; it is counted.
        """
        try:
            events = events_in(headers, body, most_bytes)
        except FormatError as error:
            self._sink.health.parse_error(FORMAT, error.reason)
            raise
        self._sink.wake()
        with self._lock:
            for event in events:
                self._take(event, now)
            self._count_lost(self._halves.lost(now))

    def expire(self, now: float) -> None:
        """Give up the events that have waited for too long at `now`, Unix seconds."""
        with self._lock:
            self._count_lost(self._halves.lost(now))

    def close(self) -> None:
        """Give up all that wait."""
        with self._lock:
            self._count_lost(self._halves.all_lost())

    def _take(self, event: Event | Unknown, now: float) -> None:
        if isinstance(event, Unknown):
            self._sink.health.drop("event_unknown")
            return
        labels = self._labels(event.address)
        if labels is None:
            self._sink.health.drop("unknown_route")
            self._tell_unknown(event.address)
            return
        if event.size > self._sink.max_body_bytes:
            event = event._replace(data=None)
        joined = self._halves.join(event, now)
        if isinstance(joined, str):
            self._sink.health.drop(joined)
        elif joined is not None:
            self._calls += 1
            self._hand_over(*joined, labels, now)

    def _labels(self, address: Address) -> Labels | None:
        name = address.service if address.component in _COMPONENTS else ""
        return self._sink.routes.find_named(address.path, name)

    def _hand_over(self, asked: Event, told: Event, labels: Labels, now: float) -> None:
        model, version, route = labels
        duration = told.time - asked.time  # below 0 where clocks differ: not counted then
        self._sink.requests.record(
            (model, version, route, "POST", 200, "ok"),  # the loggers tell of no other answers
            (duration, math.nan, asked.size, told.size),
        )
        if asked.data is None or told.data is None:
            self._sink.health.drop("body_too_large")
            return
        is_true = now - OLDEST_SECONDS <= asked.time <= now
        given = valid_id(asked.headers.get(ID_HEADER)) or valid_id(asked.id.encode()) or ""
        exchange = Exchange(
            asked.time if is_true else now,
            *(model, route, asked.address.path, 200, given),
            _headers(asked.headers, asked.data),
            (asked.data,),
            _headers(told.headers, told.data),
            (told.data,),
        )
        self._sink.submit(*exchange.waiting)

    def _count_lost(self, lost: Iterable[Lost]) -> None:
        for reason in lost:
            self._sink.health.drop(reason)
            self._alone += reason != "events_full"
        if self._alone >= PATIENCE and not self._calls and self._is_first_alone():
            logger.warning(
                "mlmon: %d events came, and none with the other direction of its call; have the "
                "logger send requests and responses (mode: all) to this one server",
                self._alone,
            )

    def _tell_unknown(self, address: Address) -> None:
        if self._is_first_unknown():
            logger.warning(
                "mlmon: an event of %s is of no configured model, and is not read; name a model "
                'after the service, or set its routes = ["%s"] '
                "(later ones are only counted, as unknown_route)",
                *(address.path, address.path),
            )


def _headers(headers: Headers, data: bytes) -> Headers:
    """Return the headers of a logged body, with those that the logger left out and it needs."""
    if data.startswith(_GZIP):
        return {b"content-encoding": b"gzip", **headers}
    length = _json_length(headers, data)
    return {_JSON_LENGTH: b"%d" % length, **headers} if length else headers


def _json_length(headers: Headers, data: bytes) -> int:
    """Return the bytes of JSON that the Open Inference Protocol's binary tensors follow, else 0."""
    is_binary = headers.get(b"content-type") == b"application/octet-stream"
    if not data.startswith(b"{") or not (is_binary or data[-1] not in _ENDS_OF_JSON):
        return 0
    try:
        # A character a byte, so that positions are those of the bytes.
        _, end = JSONDecoder().raw_decode(data.decode("latin-1"))
    except (ValueError, RecursionError):
        return 0
    return end if data[end:].strip() else 0
