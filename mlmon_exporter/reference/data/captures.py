"""Captured calls of a model, in the forms in which vendors log them: a row of `CAPTURES` each.

Sources: Amazon SageMaker, Data capture from a real-time endpoint; Databricks, Inference tables;
KServe, Inference logger, and its messages in a bucket; Seldon Core, Request payload logging.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

JSON = "application/json"
MOST_WAITING = 10_000
"""Messages that wait for the other half of their call."""
MOST_RECENT = 10_000
"""Ids of calls that were read, by which the other documents of a batch are known."""

Record = Mapping[str, Any]


class Side(NamedTuple):
    """A request or a response."""

    body: bytes
    media: str
    """Content type."""


class Call(NamedTuple):
    """A request and its response; either may be absent."""

    id: str
    at: float
    """Unix seconds; NaN where the record has no time."""
    request: Side | None
    response: Side | None
    status: int = 200
    is_half: bool = False
    """The other side comes in another record of this id."""
    is_repeated: bool = False
    """Several records of this id may have the whole call."""


class Capture(NamedTuple):
    """A form of captured calls."""

    name: str
    recognises: Callable[[Record], bool]
    read: Callable[[Record], Call]
    """Raises ValueError, KeyError or TypeError where a record is not of the form."""
    is_timed_by_file: bool = False
    """Records have no time: a call is of the time when its file was last written."""


def _sagemaker(record: Record) -> Call:
    captured, about = record["captureData"], record.get("eventMetadata") or {}
    request, response = (_encoded(captured.get(key)) for key in ("endpointInput", "endpointOutput"))
    name = str(about.get("inferenceId") or about.get("eventId") or "")
    return Call(name, seconds(about.get("inferenceTime")), request, response)


def _encoded(side: Record | None) -> Side | None:
    if side is None:
        return None
    body = side["data"]
    media = str(side.get("observedContentType") or JSON)
    if str(side.get("encoding")).upper() == "BASE64":
        return Side(_unpacked(body), media)
    return Side(_bytes(body), media)


def _cloud_event(record: Record) -> Call:
    kind = str(record["type"])
    packed = record.get("data_base64")
    body = _bytes(record["data"]) if packed is None else _unpacked(packed)
    side = Side(body, str(record.get("datacontenttype") or JSON))
    # Seldon gives each message its own id, and both halves the same request id.
    name = str(record.get("requestid") or record["id"])
    return _half(name, seconds(record.get("time")), kind, side)


def _kserve_message(record: Record) -> Call:
    side = Side(_unpacked(record["Bytes"]), str(record.get("ContentType") or JSON))
    return _half(str(record["Id"]), math.nan, str(record["ReqType"]), side)


def _half(name: str, at: float, kind: str, side: Side) -> Call:
    if kind.lower().endswith("response"):
        return Call(name, at, None, side, is_half=True)
    return Call(name, at, side, None, is_half=True)


def _seldon(record: Record) -> Call:
    held = record.get("_source", record)
    request, response = (
        None if side is None else Side(_bytes(side.get("payload", side)), JSON)
        for side in (held.get("request"), held.get("response"))
    )
    name, at = str(held.get("RequestId") or ""), seconds(held.get("@timestamp"))
    return Call(name, at, request, response, is_repeated=bool(name))


TIMES = ("timestamp_ms", "request_time", "timestamp", "time")
IDS = ("databricks_request_id", "client_request_id", "request_id", "id")
TABLE = frozenset(("request", "response"))
"""Columns of an inference table with the bodies as text."""


def _table_row(record: Record) -> Call:
    at = next((seconds(record[n]) for n in TIMES if record.get(n) is not None), math.nan)
    name = next((str(record[n]) for n in IDS if record.get(n) is not None), "")
    request, response = (
        None if record.get(key) in (None, "") else Side(_bytes(record[key]), JSON)
        for key in ("request", "response")
    )
    status = record.get("status_code")
    return Call(name, at, request, response, 200 if status is None else int(status))


def _is_seldon(record: Record) -> bool:
    held = record.get("_source", record)
    if not isinstance(held, dict):
        return False
    sides = [held.get(key) for key in ("request", "response")]
    return "RequestId" in held and any(isinstance(side, dict) for side in sides)


CAPTURES: tuple[Capture, ...] = (
    Capture("sagemaker", lambda record: "captureData" in record, _sagemaker),
    Capture("cloudevents", lambda record: {"specversion", "type"} <= record.keys(), _cloud_event),
    Capture("kserve", lambda record: {"ReqType", "Bytes"} <= record.keys(), _kserve_message, True),
    Capture("seldon", _is_seldon, _seldon),
    Capture("table", lambda record: record.keys() >= TABLE, _table_row),
)
"""The first that recognises a record reads it."""


def capture_of(record: Record) -> Capture | None:
    """Return the form of a record; None for a plain row."""
    return next((row for row in CAPTURES if row.recognises(record)), None)


def seconds(value: Any) -> float:
    """Return a time as Unix seconds: ISO 8601, seconds, or milliseconds; NaN for none.

    Raises:
        ValueError: It is no time.
    """
    if value is None or value == "":
        return math.nan
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float):
        return value / 1000 if value > 1e11 else float(value)
    # Python 3.11 takes no more than microseconds.
    head, dot, rest = str(value).partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    moment = datetime.fromisoformat(head + dot + rest[: min(digits, 6)] + rest[digits:])
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


def _unpacked(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"expected base64, got {type(text).__name__}")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"expected base64: {error}") from error


class Joiner:
    """Joins the halves of calls that come as two messages, in any order. Bounded."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Call] = OrderedDict()
        self._recent: OrderedDict[str, None] = OrderedDict()
        self.lost = 0
        """Halves whose other half did not come within `MOST_WAITING` messages."""

    def add(self, call: Call) -> Call | None:
        """Return the whole call; None where it waits, or was read already."""
        if call.is_repeated:
            is_new = call.id not in self._recent
            self._recent[call.id] = None
            if len(self._recent) > MOST_RECENT:
                self._recent.popitem(last=False)
            return call if is_new else None
        if not call.is_half:
            return call
        other = self._waiting.pop(call.id, None)
        if other is not None and (other.request is None) != (call.request is None):
            first, second = (other, call) if call.request is None else (call, other)
            at = first.at if first.at == first.at else second.at
            return Call(call.id, at, first.request, second.response)
        self._waiting[call.id] = call
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
            self.lost += 1
        return None

    @property
    def left(self) -> int:
        """Number of halves without the other."""
        return self.lost + len(self._waiting)
