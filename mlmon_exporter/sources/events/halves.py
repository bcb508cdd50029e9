"""Requests and responses that wait for each other: bounded by number, bytes and age."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from .event import Call, Event

REMEMBERED = 50_000
"""Calls that are known to be joined, at least, so that an event that is sent again is one."""
OVERHEAD = 1_000
"""Bytes of an event that waits, its data aside: attributes are short."""

Lost = str
"""Reason that an event is never joined; one of `DROP_REASONS`."""


class Bounds(NamedTuple):
    """Limits of the events that wait for the other direction of their call."""

    events: int
    bytes: int
    seconds: float


class Halves:
    """Joins the two directions of calls, in any order. Not thread-safe.

    Each event is joined, waits, or is given up for one reason.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: OrderedDict[Call, tuple[Event, float]] = OrderedDict()
        """The first event of a call, and when it came; oldest first."""
        self._bytes = 0
        self._joined: tuple[set[int], set[int]] = (set(), set())
        """Hashes of calls, the older ones second."""
        self._since = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, event: Event, now: float) -> tuple[Event, Event] | Lost | None:
        """Take an event that came at `now`, Unix seconds.

        Returns:
            The request and the response of its call; the reason that the event is given up; None
            where it waits.
        """
        call = event.call
        mark = hash(call)
        if any(mark in calls for calls in self._joined):
            return "event_duplicate"
        found = self._waiting.get(call)
        if found is None:
            self._waiting[call] = event, now
            self._bytes += _size(event)
            return None
        other = found[0]
        if other.is_request == event.is_request:
            return "event_duplicate"
        del self._waiting[call]
        self._bytes -= _size(other)
        self._remember(mark, now)
        return (event, other) if event.is_request else (other, event)

    def lost(self, now: float) -> Iterator[Lost]:
        """Give up the events that have waited for too long at `now`, and those over the bounds."""
        most, most_bytes, seconds = self._bounds
        while self._waiting:
            event, came = next(iter(self._waiting.values()))
            is_full = len(self._waiting) > most or self._bytes > most_bytes
            if not is_full and now - came < seconds:
                return
            self._waiting.popitem(last=False)
            self._bytes -= _size(event)
            yield "events_full" if is_full else _alone(event)

    def all_lost(self) -> Iterator[Lost]:
        """Give up all that wait: nobody will join them."""
        yield from [_alone(event) for event, _ in self._waiting.values()]
        self._waiting.clear()
        self._bytes = 0

    def _remember(self, call: int, now: float) -> None:
        newer, older = self._joined
        if len(newer) >= REMEMBERED or now - self._since >= self._bounds.seconds:
            newer, older = set(), newer
            self._joined, self._since = (newer, older), now
        newer.add(call)


def _size(event: Event) -> int:
    return len(event.data or b"") + OVERHEAD


def _alone(event: Event) -> Lost:
    return "event_unanswered" if event.is_request else "event_unasked"
