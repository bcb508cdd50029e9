"""One direction of an exchange, a request or a response: bytes that are decoded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson

from mlmon_exporter.core.records import Headers

from . import codings, json_text
from .errors import FormatError, Reason

T = TypeVar("T")

_UNREAD = object()
_MAYBE_JSON = ("", "text/plain", "application/x-www-form-urlencoded")
"""Media types under which JSON is sent too: curl's default is the last."""


class _Unreadable(NamedTuple):
    """Why there is no value.

    Not the error itself: that holds the frames that it passed through, they hold the message, and
    an unreadable body would stay in memory until the garbage collector comes by.
    """

    reason: Reason
    message: str


class Message:
    """A request or a response. What it decodes it keeps, failures too. Not thread-safe.

    `path` is the request's, also on the response to it; `raw` is the body as it was sent.
    """

    __slots__ = ("_headers", "_max_inflated_bytes", "_named", "_read", "_value", "path", "raw")

    def __init__(
        self, path: str, headers: Headers, chunks: Sequence[bytes], max_inflated_bytes: int
    ) -> None:
        self.path = path
        self._headers = headers
        self._named: dict[bytes, bytes] | None = None
        self.raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._max_inflated_bytes = max_inflated_bytes
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

    def json(self) -> Any:
        """Return the body's JSON value.

        Raises:
            FormatError: As `codings.decode` and `json_text.loads` do; `unsupported_media` where
                it is not JSON and does not claim to be.
        """
        value = self._value
        if value is _UNREAD:
            # No compressed body is JSON as it stands, so the search through the headers that
            # each message would need can wait until this fails.
            try:
                value = orjson.loads(self.raw)
            except orjson.JSONDecodeError:
                value = self._decode()
            self._value = value
        if type(value) is _Unreadable:
            raise FormatError(*value)
        return value

    def once(self, read: Callable[[Message], T]) -> T:
        """Return what a reader makes of this message; the last one's result is kept."""
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
            value = self.json()
        except FormatError:
            return {}
        return value if type(value) is dict else {}

    def _decode(self) -> Any:
        try:
            return json_text.loads(self.content)
        except FormatError as error:
            if error.reason in ("not_json", "bad_encoding") and not self._claims_json():
                return _Unreadable("unsupported_media", "Content-Type: expected JSON")
            return _Unreadable(error.reason, str(error))

    def _claims_json(self) -> bool:
        media = self.media_type
        return media in _MAYBE_JSON or "json" in media
