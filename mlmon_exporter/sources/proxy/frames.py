"""HTTP/2 as bytes: the frames of one direction of a connection, and its headers by `hpack`.

Source: RFC 9113 (HTTP/2), RFC 7541 (HPACK).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hpack import Decoder
from hpack.exceptions import HPACKError

from .turns import UnheardError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""First bytes of a client, by which HTTP/2 is known without TLS."""
MAX_HEAD = 64 * 1024
"""Bytes of a header block, of a table of headers, and of a frame that holds no data."""

_FRAME_HEAD = 9
_DATA, _HEADERS, _RST_STREAM, _PUSH_PROMISE, _GOAWAY, _CONTINUATION = 0, 1, 3, 5, 7, 9
_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20

Headers = Sequence[tuple[bytes, bytes]]


class Listener(Protocol):
    """Takes what the frames of one direction say."""

    def headers(self, stream: int, headers: Headers, *, is_last: bool) -> None:
        """Take the head of a request or an answer, or trailers."""

    def data(self, stream: int, data: bytes, *, is_last: bool) -> None:
        """Take a part of a body."""

    def reset(self, stream: int, code: int) -> None:
        """Take a stream's sudden end."""

    def goaway(self, last: int) -> None:
        """Take that streams after this one are refused."""


class Frames:
    """Reads one direction. Data is passed on as it comes; of the rest a frame is held."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._held = b""
        """Bytes of a frame that is not complete."""
        self._data_left = self._padding_left = 0
        """Of the data frame that is coming."""
        self._stream = self._flags = 0
        self._block = b""
        """Header block that other frames go on with."""
        self._block_of: tuple[int, bool, bool] | None = None
        """Its stream, whether that ends with it, and whether it is of a push, which is let go."""
        self._decoder = Decoder(MAX_HEAD)
        self._decoder.max_allowed_table_size = MAX_HEAD

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            UnheardError: This is not HTTP/2 as we know it.
        """
        data = self._held + data
        at = 0
        while at < len(data) and (after := self._step(data, at)):
            at = after
        self._held = data[at:]

    def _step(self, data: bytes, at: int) -> int:
        """Read one frame, or what there is of its data; return its end, 0 if it is not complete."""
        if self._data_left or self._padding_left:
            return self._take_data(data, at)
        if len(data) < at + _FRAME_HEAD:
            return 0
        size = int.from_bytes(data[at : at + 3])
        kind, flags = data[at + 3], data[at + 4]
        stream = int.from_bytes(data[at + 5 : at + 9]) & 0x7FFFFFFF
        start = at + _FRAME_HEAD
        if kind == _DATA:
            return self._begin_data(data, start, size, flags, stream)
        if size > MAX_HEAD:
            raise UnheardError("expected a frame of fewer bytes")
        if len(data) < start + size:
            return 0
        self._frame(kind, flags, stream, data[start : start + size])
        return start + size

    def _begin_data(self, data: bytes, start: int, size: int, flags: int, stream: int) -> int:
        padding = 0
        if flags & _PADDED:
            if len(data) <= start:
                return 0
            padding = data[start]
            start, size = start + 1, size - 1
        if padding > size:
            raise UnheardError("expected less padding")
        self._stream, self._flags = stream, flags
        self._data_left, self._padding_left = size - padding, padding
        if not self._data_left:
            self._listener.data(stream, b"", is_last=bool(flags & _END_STREAM))
        return start

    def _take_data(self, data: bytes, at: int) -> int:
        if self._data_left:
            part = data[at : at + self._data_left]
            self._data_left -= len(part)
            is_last = not self._data_left and bool(self._flags & _END_STREAM)
            self._listener.data(self._stream, part, is_last=is_last)
            return at + len(part)
        skipped = min(self._padding_left, len(data) - at)
        self._padding_left -= skipped
        return at + skipped

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if (kind == _CONTINUATION) != (self._block_of is not None):
            raise UnheardError("expected a header block in one piece")
        if kind == _RST_STREAM:
            self._listener.reset(stream, int.from_bytes(payload[:4]))
        elif kind == _GOAWAY:
            self._listener.goaway(int.from_bytes(payload[:4]) & 0x7FFFFFFF)
        elif kind in (_HEADERS, _PUSH_PROMISE):
            self._block_of = stream, bool(flags & _END_STREAM), kind == _PUSH_PROMISE
            self._add(_without_padding(kind, flags, payload), flags)
        elif kind == _CONTINUATION:
            self._add(payload, flags)

    def _add(self, block: bytes, flags: int) -> None:
        """Add to a header block; decode it where it is complete: the table needs every block."""
        self._block += block
        if len(self._block) > MAX_HEAD:
            raise UnheardError("expected fewer headers")
        if not flags & _END_HEADERS or self._block_of is None:
            return
        (stream, is_last, is_pushed), whole = self._block_of, self._block
        self._block_of, self._block = None, b""
        try:
            headers = [(bytes(h[0]), bytes(h[1])) for h in self._decoder.decode(whole, raw=True)]
        except HPACKError as error:
            raise UnheardError("expected headers in HPACK") from error
        if not is_pushed:
            self._listener.headers(stream, headers, is_last=is_last)


def _without_padding(kind: int, flags: int, payload: bytes) -> bytes:
    start, end = 0, len(payload)
    if flags & _PADDED:
        start, end = 1, end - payload[0] if payload else 0
    if kind == _PUSH_PROMISE:
        start += 4
    elif flags & _PRIORITY:
        start += 5
    if start > end:
        raise UnheardError("expected a header block")
    return payload[start:end]
