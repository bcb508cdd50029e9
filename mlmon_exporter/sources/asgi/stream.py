"""An answer that is streamed as events, on its way to the client: when, and what is kept of it."""

from __future__ import annotations

from collections import deque
from time import perf_counter

from mlmon_exporter.core.counts.tokens import TokenTimes
from mlmon_exporter.formats.event_stream import GAP

_NO_TOKEN = (b":", b"data: [DONE]")
"""What carries no token begins so: comments that keep a connection open, and the end."""


class StreamedAnswer:
    """The parts of one answer, up to a size: of a longer one both ends, half of that size each.

    The end has what counts: why the answer ended, and the tokens used. Not thread-safe.
    """

    __slots__ = ("_end", "_end_bytes", "_is_packed", "_limit", "_size", "_start", "times")

    def __init__(self, began: float, limit: int, *, is_packed: bool = False) -> None:
        """Start with nothing.

        Args:
            began: When the request came in, by `perf_counter`.
            limit: How many bytes to keep at most.
            is_packed: Whether it is compressed, so that its ends alone cannot be read.
        """
        self._limit = limit
        self._is_packed = is_packed
        self._start: list[bytes] = []
        self._end: deque[bytes] = deque()
        self._size = self._end_bytes = 0
        self.times = TokenTimes(began)

    def take(self, body: bytes) -> None:
        """Take note of a part that is being sent."""
        if not body:
            return
        if not body.startswith(_NO_TOKEN):
            self.times.tick(perf_counter())
        was_within = self._size <= self._limit
        self._size += len(body)
        if self._size <= self._limit:
            self._start.append(body)
        elif self._is_packed:
            self._start = []
        else:
            if was_within:
                self._part()
            self._add_to_end(body)

    def _part(self) -> None:
        """Let go what is in neither half."""
        parts, room = self._start, self._limit // 2
        self._start = []
        for i, part in enumerate(parts):
            room -= len(part)
            if room < 0:
                for later in parts[i:]:
                    self._add_to_end(later)
                break
            self._start.append(part)

    def _add_to_end(self, part: bytes) -> None:
        half = self._limit // 2
        part = part[max(0, len(part) - half) :]
        self._end.append(part)
        self._end_bytes += len(part)
        while self._end_bytes > half:
            self._end_bytes -= len(self._end.popleft())

    def parts(self) -> list[bytes] | None:
        """Return what is kept, with a `GAP` where something is left out; None if it is no use."""
        if self._size <= self._limit:
            return self._start
        return None if self._is_packed else [*self._start, GAP, *self._end]
