"""One direction of an exchange, a request or a response: bytes that are decoded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson

from mlmon_exporter.core.records import Headers

from . import codings, decoders, event_stream, grpc_messages, json_lines, json_text
from .errors import FormatError, Reason

T = TypeVar("T")

_UNREAD = object()
_MAYBE_JSON = ("", "text/plain", decoders.FORM)
"""Media types under which JSON is sent too: curl's default is the last."""


STREAMS = frozenset((*json_lines.MEDIA_TYPES, event_stream.MEDIA_TYPE, grpc_messages.MEDIA_TYPE))
"""Media types of bodies that hold a value an event, a line or a message."""


class _Unreadable(NamedTuple):
    """Why there is no value.

    Not the error itself: that holds the frames that it passed through, they hold the message, and
    an unreadable body would stay in memory until the garbage collector comes by.
    """

    reason: Reason
    message: str


class Message:
    """A request or a response. It keeps decoded values, and failures. Not thread-safe.

    `path` is the request's, also on the response to it; `raw` is the body as it was sent. `pause`
    is called once a value was decoded: a large one takes milliseconds, in which nothing else runs.
    """

    __slots__ = (
        "_headers", "_max_inflated_bytes", "_named", "_pause", "_read", "_value", "path", "raw",
    )  # fmt: skip

    def __init__(
        self,
        path: str,
        headers: Headers,
        chunks: Sequence[bytes],
        max_inflated_bytes: int,
        pause: Callable[[], object] = lambda: None,
    ) -> None:
        self.path = path
        self._headers = headers
        self._named: dict[bytes, bytes] | None = None
        self.raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._max_inflated_bytes = max_inflated_bytes
        self._pause = pause
        self._value: Any = _UNREAD
        self._read: tuple[Any, Any] = (None, None)

    def header(self, name: bytes) -> bytes:
        """Return the last header of this lower-case name, empty where there is none."""
        if self._named is None:
            self._named = {key.lower(): value for key, value in self._headers.items()}
        return self._named.get(name, b"")

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case; empty where there is none."""
        return self.header(b"content-type").decode("latin-1").partition(";")[0].strip().lower()

    @property
    def content(self) -> bytes:
        """The body without its content coding. Raises FormatError as `codings.decode` does."""
        coding = self.header(b"content-encoding").decode("latin-1")
        return codings.decode(self.raw, coding, self._max_inflated_bytes)

    def value(self) -> Any:
        """Return the body's value: that of its JSON, or what `decoders` make of another body.

        Raises:
            FormatError: As `codings.decode`, `json_text.loads` and `decoders` do;
                `unsupported_media` where it is none of these, or a stream, which has `parts`.
        """
        value = self._value
        if value is _UNREAD:
            # No compressed body is JSON as it stands, so the search through the headers that
            # each message would need can wait until this fails. A single byte may be a number
            # in MessagePack, and another one in JSON.
            try:
                value = orjson.loads(self.raw) if len(self.raw) > 1 else self._decode()
            except orjson.JSONDecodeError:
                value = self._decode()
            self._value = value
            self._pause()
        if type(value) is _Unreadable:
            raise FormatError(*value)
        return value

    def once(self, read: Callable[[Message], T]) -> T:
        """Return a reader's result for this message; that of the last reader is kept."""
        if self._read[0] is not read:
            self._read = (read, read(self))
        result: T = self._read[1]
        return result

    @property
    def top(self) -> Mapping[str, Any]:
        """The JSON object that the body is, empty where it is none."""
        if type(self._value) is dict:
            return self._value
        try:
            value = self.value()
        except FormatError:
            return {}
        return value if type(value) is dict else {}

    def parts(self) -> list[Any] | None:
        """Return the values of a stream's events or lines, in order; None where it is no stream.

        Parts that are no JSON are texts, messages of gRPC are bytes. Raises FormatError as
        `codings.decode` does, and `mismatched_rows` where the middle of the stream was not kept.
        """
        content = self.content
        is_stream = self.media_type in STREAMS or event_stream.is_stream(content)
        if not is_stream:
            return self._lines(content)
        if event_stream.GAP in content:
            raise FormatError("mismatched_rows", "stream: expected all of it, got its ends")
        if self.media_type == grpc_messages.MEDIA_TYPE:
            return [*grpc_messages.split(content, self._max_inflated_bytes)]
        events = list(event_stream.events(content)) if event_stream.is_stream(content) else None
        if events is None:  # BentoML's event streams are the bytes that the function yields
            events = json_lines.lines(content)
        return [_part(event) for event in events if event != b"[DONE]"]

    def _lines(self, content: bytes) -> list[Any] | None:
        """Return the values of lines that call themselves one value, as LitServe streams them."""
        if not self._claims_json():
            return None
        try:
            values = json_lines.loads(content)
        except FormatError:
            return None
        return values if len(values) > 1 else None

    def of_part(self, value: Any) -> Message:
        """Return this message with one value for its body, such as a part of its stream."""
        if type(value) is bytes:
            headers = {b"content-type": grpc_messages.MESSAGE_TYPE}
            return Message(self.path, headers, (value,), self._max_inflated_bytes)
        part = Message(self.path, {}, (), self._max_inflated_bytes)
        part._value = value
        return part

    def _decode(self) -> Any:
        try:
            content = self.content
            media = self.media_type
            decode = decoders.BY_MEDIA.get(media)
            if content.startswith(decoders.NPY_MAGIC):
                decode = decoders.npy
            if decode is not None:
                return decode(content, self.header(b"content-type"), self._max_inflated_bytes)
            if media in STREAMS:
                return _Unreadable("unsupported_media", "body: expected one value, got a stream")
            return json_text.loads(content)
        except FormatError as error:
            if error.reason in ("not_json", "bad_encoding") and not self._claims_json():
                return _Unreadable("unsupported_media", "Content-Type: expected JSON")
            return _Unreadable(error.reason, str(error))

    def _claims_json(self) -> bool:
        media = self.media_type
        return media in _MAYBE_JSON or "json" in media


def _part(event: bytes) -> Any:
    try:
        return json_text.loads(event)
    except FormatError:
        return event.decode("utf-8", "replace")
