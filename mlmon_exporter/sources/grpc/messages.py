"""The messages in a gRPC body: each after a flag and its length.

Source: gRPC over HTTP2.
"""

from __future__ import annotations

from collections.abc import Iterator

from .conversation import HEAD_BYTES, Part

_PREFIX = 5


class Messages:
    """Cuts a body into messages, up to a size; of longer ones the begin and the size are known."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = b""
        self._size = self._left = self._kept = 0
        self._parts: list[bytes] = []
        self.encoding = b""
        """The coding of those that are compressed, as headers tell it."""

    def feed(self, data: bytes) -> Iterator[Part]:
        """Give the messages that are complete now."""
        at = 0
        while at < len(data) or len(self._head) == _PREFIX:
            if len(self._head) < _PREFIX:
                start, at = at, min(len(data), at + _PREFIX - len(self._head))
                self._head += data[start:at]
                if len(self._head) < _PREFIX:
                    return
                self._size = self._left = int.from_bytes(self._head[1:])
            part = data[at : at + self._left]
            at += len(part)
            self._left -= len(part)
            if self._size <= self._limit:
                self._parts.append(part)
            elif self._kept < HEAD_BYTES:
                self._parts.append(part[: min(HEAD_BYTES, self._size - 1) - self._kept])
                self._kept += len(self._parts[-1])
            if self._left:
                return
            yield self._message()

    def _message(self) -> Part:
        encoding = self.encoding if self._head[0] else b""
        kept = b"".join(self._parts)
        self._head, self._parts, self._kept = b"", [], 0
        return Part(kept, self._size, encoding)
