"""Heads of HTTP/1.1 messages that a parser has read before, by their bytes.

The same bytes after the end of a message mean the same again. Clients and servers repeat theirs,
an answer's for as long as its date stays the same; reading one anew costs most of hearing it.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from mlmon_exporter.sources.turn import FRAMING

HEAD_END = b"\r\n\r\n"
MOST = 256
"""Heads that are kept; one more, and all are read anew."""
MAX_BYTES = 4096
"""Longer heads are not kept."""
Pairs = list[tuple[bytes, bytes]]
Line = TypeVar("Line")
"""First line of a head, read: method and target, or the status."""


_DECIDING = (*FRAMING, b"upgrade")
"""Headers that say where a message ends."""


class Head(NamedTuple, Generic[Line]):
    """A head that was read, of a message that says how long it is."""

    line: Line
    headers: Pairs
    """Names in lower case; nobody changes them."""
    length: int
    """Bytes of the body."""


class Heads(Generic[Line]):
    """Heads of one direction, of all connections. Not thread-safe: one event loop asks."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head[Line]] = {}

    def find(self, data: bytes) -> tuple[Head[Line], bytes] | None:
        """Return head and body of one whole message, and None of anything else.

        Args:
            data: All that was read at once, from the end of the message before.
        """
        head, end, body = data.partition(HEAD_END)
        known = self._known.get(head)
        return (known, body) if known is not None and end and len(body) == known.length else None

    def learn(self, data: bytes, line: Line, headers: Pairs, size: float) -> None:
        """Keep the head of what the parser has read, if it was one message with a stated length.

        Args:
            data: As for `find`.
            line: Its first line, read.
            headers: All of them, names in lower case.
            size: Bytes of the body that the parser found.
        """
        head, _, body = data.partition(HEAD_END)
        stated = [value for name, value in headers if name in _DECIDING]
        is_plain = stated == [b"%d" % len(body)] or not (stated or body)
        if is_plain and size == len(body) and len(head) <= MAX_BYTES:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[head] = Head(line, headers, len(body))


class KnownHeads(NamedTuple):
    """The heads of both directions."""

    requests: Heads[tuple[str, bytes]]
    """First lines are method and target."""
    answers: Heads[int]
    """First lines are the status."""

    @classmethod
    def none(cls) -> KnownHeads:
        """Return those of a relay that has carried nothing."""
        return cls(Heads(), Heads())
