"""An answer streamed as events: the times of its tokens, and the parts that are kept."""

from __future__ import annotations

from collections import deque
from time import perf_counter

from mlmon_exporter.core.counts.tokens import TokenTimes
from mlmon_exporter.formats.event_stream import GAP

_NO_TOKEN = (b":", b"data: [DONE]")
"""Starts of parts without a token: comments that keep a connection open, and the end."""


class StreamedAnswer:
    """The parts of one answer up to a size limit; of a longer answer both ends, half of it each.

    The end holds the finish reason and the tokens used. Not thread-safe.
    """

    __slots__ = ("_end", "_end_bytes", "_is_packed", "_limit", "_size", "_start", "times")

    def __init__(self, began: float, limit: int, *, is_packed: bool = False) -> None:
        """Start an empty answer.

        Args:
            began: Arrival of the request, by `perf_counter`.
            limit: Bytes to keep at most.
            is_packed: The answer is compressed, so that its ends alone cannot be read.
        """
        self._limit = limit
        self._is_packed = is_packed
        self._start: list[bytes] = []
        self._end: deque[bytes] = deque()
        self._size = self._end_bytes = 0
        self.times = TokenTimes(began)

    def take(self, body: bytes) -> None:
        """Note a part that is being sent."""
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
        """Drop the middle."""
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
        """Return the kept parts, with a `GAP` for the middle; None if they cannot be read."""
        if self._size <= self._limit:
            return self._start
        return None if self._is_packed else [*self._start, GAP, *self._end]
