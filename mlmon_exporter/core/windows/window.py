"""Rolling windows made of panes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, Self, TypeVar

from mlmon_exporter.core.settings import PANES


class Mergeable(Protocol):
    """What some rows amount to."""

    def merge(self, other: Self) -> None:
        """Add all that `other` counts; `other` stays as it is."""

    def pack(self) -> None:
        """Take less room; it is seldom added to."""


T = TypeVar("T", bound=Mergeable)


class Window(Generic[T]):
    """The tallies of the last `pane_count` panes, each `pane_seconds` of traffic, dropped whole.

    The newest pane is the one of `now`, so a window of an hour covers between 55 and 60 minutes.
    Late rows go to the pane of their own time. Not thread-safe: whoever holds it locks.
    """

    def __init__(self, seconds: float, new: Callable[[], T], pane_count: int = PANES) -> None:
        if seconds <= 0 or pane_count < 1:
            raise ValueError(f"window: expected over 0 s and 1 pane, got {seconds}, {pane_count}")
        self.seconds = seconds
        self.pane_seconds = seconds / pane_count
        self.pane_count = pane_count
        self._new = new
        self._panes: dict[int, T] = {}
        self._closed: tuple[int, T] | None = None  # newest pane number, sum of older panes

    def pane_number(self, now: float) -> int:
        """Return the number of the pane that holds this time, Unix seconds."""
        return int(now // self.pane_seconds)

    def add(self, tally: T, now: float) -> None:
        """Add rows seen at `now`."""
        self.add_pane(self.pane_number(now), tally)

    def add_pane(self, number: int, tally: T) -> None:
        """Add rows to a pane by its number."""
        pane = self._panes.get(number)
        if pane is None:
            pane = self._open(number)
        pane.merge(tally)
        self._reopen(number)

    def _open(self, number: int) -> T:
        # Whether or not anybody reads, panes that are over are packed, and no more of them are
        # kept than a window has; twice as many while the clock is behind panes of before.
        for pane in self._panes.values():
            pane.pack()
        oldest = min(self._panes, default=number)
        is_over = oldest <= number - self.pane_count
        if len(self._panes) > (self.pane_count if is_over else 2 * self.pane_count):
            del self._panes[oldest]
        pane = self._panes[number] = self._new()
        return pane

    def panes(self) -> dict[int, T]:
        """Return the panes by number; they stay the window's own."""
        return dict(self._panes)

    def take(self) -> dict[int, T]:
        """Return all panes and start again with none."""
        taken, self._panes, self._closed = self._panes, {}, None
        return taken

    def put(self, number: int, tally: T) -> None:
        """Have this tally as a pane, in place of the one that was there."""
        self._panes[number] = tally
        self._reopen(number)

    def _reopen(self, number: int) -> None:
        """Forget the sum of older panes, unless it is the newest that has changed."""
        if self._closed is not None and number != self._closed[0]:
            self._closed = None

    def merged(self, now: float) -> T:
        """Return one new tally of all panes in the window at `now`."""
        newest = self.pane_number(now)
        self._expire(newest)
        if self._closed is None or self._closed[0] != newest:
            self._closed = (newest, self._sum_before(newest))
        merged = self._new()
        merged.merge(self._closed[1])
        if newest in self._panes:
            merged.merge(self._panes[newest])
        return merged

    def _expire(self, newest: int) -> None:
        # Also on reading: when traffic stops the window must empty, not go on
        # reporting its last score.
        for number in [n for n in self._panes if n <= newest - self.pane_count]:
            del self._panes[number]

    def _sum_before(self, newest: int) -> T:
        # Panes later than `newest` are kept but not read: the clock was set back.
        total = self._new()
        for number in sorted(n for n in self._panes if n < newest):
            total.merge(self._panes[number])
        total.pack()
        return total
