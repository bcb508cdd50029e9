"""CloudEvents of a payload logger, read from HTTP: one direction of a call each.

Source: CloudEvents 1.0, HTTP protocol binding and JSON event format; KServe, pkg/logger/worker.go;
Seldon Core, executor/logger/worker.go.
"""

from __future__ import annotations

import math
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from mlmon_exporter.core.records import Headers
from mlmon_exporter.formats import FormatError
from mlmon_exporter.formats.codings import decode
from mlmon_exporter.formats.json_text import loads
from mlmon_exporter.sources.ids import ID_HEADER

REQUEST, RESPONSE = ".inference.request", ".inference.response"
"""Ends of types: KServe's begin with `org.kubeflow.serving`, Seldon's with `io.seldon.serving`."""
MOST_EVENTS = 10_000
MOST_CHARACTERS = 256
"""Of an attribute that names something; longer ones are refused."""

_BATCH = "application/cloudevents-batch"
_STRUCTURED = "application/cloudevents"
_PREFIX = b"ce-"

_HEADERS = frozenset((ID_HEADER, b"content-encoding", b"inference-header-content-length"))

Attributes = Mapping[str, Any]


class Address(NamedTuple):
    """The part of a deployment that logs; empty texts where the logger does not say."""

    namespace: str
    service: str
    """KServe's InferenceService, Seldon's deployment."""
    component: str
    """KServe's: `predictor`, `transformer` or `explainer`."""
    node: str
    """Seldon's, of its graph."""
    endpoint: str
    """KServe's `default` or `canary`, Seldon's predictor."""

    @property
    def path(self) -> str:
        """`/namespace/service/component/node/endpoint`, without the empty ones."""
        return "/" + "/".join(filter(None, self))


class Event(NamedTuple):
    """A request or a response that a logger has seen."""

    is_request: bool
    id: str
    """The same for both directions of a call."""
    source: str
    address: Address
    time: float
    """Unix seconds when it happened; NaN where the event does not say."""
    headers: Headers
    """Those of the logged message that are known."""
    size: int
    """Bytes of the logged message."""
    data: bytes | None
    """None where it is too long to be kept."""

    @property
    def call(self) -> Call:
        """The same for both directions of a call, and for no other call."""
        return self.source, self.id, self.address


Call = tuple[str, str, Address]


class Unknown(NamedTuple):
    """An event of another type, such as feedback."""

    type: str


def events_in(headers: Headers, body: bytes, most_bytes: int) -> list[Event | Unknown]:
    """Return the events of a POST: one in binary or structured mode, or a batch.

    Args:
        headers: The POST's, names in lower case.
        body: As it was sent.
        most_bytes: The body may have so many when it is decompressed.

    Raises:
        FormatError: It is none of these, an attribute is missing, or it holds over MOST_EVENTS.
    """
    media = _text(headers, b"content-type").partition(";")[0].strip().lower()
    if not media.startswith(_STRUCTURED):
        return [_binary(headers, body, most_bytes)]
    value = loads(decode(body, _text(headers, b"content-encoding"), most_bytes))
    if not media.startswith(_BATCH):
        return [_structured(value)]
    if not isinstance(value, list):
        raise FormatError("malformed", f"batch: expected a list, got {type(value).__name__}")
    if len(value) > MOST_EVENTS:
        raise FormatError("too_many_rows", f"batch: expected {MOST_EVENTS} events at most")
    return [*map(_structured, value)]


def _binary(headers: Headers, body: bytes, most_bytes: int) -> Event | Unknown:
    content = decode(body, _text(headers, b"content-encoding"), most_bytes)
    attributes = {
        name.removeprefix(_PREFIX).decode("latin-1"): unquote(value.decode("utf-8", "replace"))
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    return _event(attributes, content, headers.get(b"content-type", b""))


def _structured(value: Any) -> Event | Unknown:
    if not isinstance(value, dict):
        raise FormatError("malformed", f"event: expected an object, got {type(value).__name__}")
    media = value.get("datacontenttype")
    content_type = media.encode("utf-8", "replace") if isinstance(media, str) else b""
    return _event(value, _data(value), content_type or b"application/json")


def _data(value: Attributes) -> bytes:
    """Return what the logged body was: JSON is written anew."""
    packed, data = value.get("data_base64"), value.get("data")
    if isinstance(packed, str):
        try:
            return b64decode(packed, validate=True)
        except (Base64Error, ValueError):
            raise FormatError("malformed", "data_base64: expected Base64") from None
    media = value.get("datacontenttype")
    if isinstance(data, str) and isinstance(media, str) and "json" not in media:
        return data.encode("utf-8", "replace")
    try:
        return orjson.dumps(data)
    except TypeError:
        raise FormatError("too_deep", "data: expected fewer levels") from None


def _event(attributes: Attributes, data: bytes, content_type: bytes) -> Event | Unknown:
    if "specversion" not in attributes:
        raise FormatError("malformed", "event: expected the attribute specversion, got none")
    kind = _named(attributes, "type")
    is_request = kind.endswith(REQUEST)
    if not is_request and not kind.endswith(RESPONSE):
        return Unknown(kind)
    # Seldon's events have different ids, and share their request's.
    shared = _named(attributes, "requestid") or _named(attributes, "id")
    if not shared:
        raise FormatError("malformed", "event: expected the attribute id, got none")
    address = Address(
        _named(attributes, "namespace"),
        _named(attributes, "inferenceservicename"),
        _named(attributes, "component"),
        _named(attributes, "modelid"),
        _named(attributes, "endpoint"),
    )
    headers = {} if not is_request else _metadata(attributes.get("metadata"))
    headers.setdefault(b"content-type", content_type)
    moment = _unix_seconds(attributes.get("time"))
    source = _named(attributes, "source")
    return Event(is_request, shared, source, address, moment, headers, len(data), data)


def _named(attributes: Attributes, name: str) -> str:
    value = attributes.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
        expected = f"a text of at most {MOST_CHARACTERS} characters"
        raise FormatError("malformed", f"{name}: expected {expected}, got another")
    return value


def _metadata(text: Any) -> dict[bytes, bytes]:
    """Return the headers of use among those that KServe passes on (`metadataHeaders`)."""
    try:
        found = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return {}
    named = ((name.lower().encode("utf-8", "replace"), found[name]) for name in found)
    return {
        name: values[-1][:MOST_CHARACTERS].encode("utf-8", "replace")
        for name, values in named
        if name in _HEADERS and isinstance(values, list) and values and isinstance(values[-1], str)
    }


def _unix_seconds(text: Any) -> float:
    """Return the time of RFC 3339 as Unix seconds; NaN where there is none."""
    if not isinstance(text, str):
        return math.nan
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _text(headers: Headers, name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")
