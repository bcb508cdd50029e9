"""Rolling windows made of panes, and the tallies of several windows together."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

from mlmon_exporter.core.settings import PANES

PaneKey = tuple[float, int]
"""Length of a window in seconds, and number of a pane of it."""
TOTALS: PaneKey = (0.0, 0)
"""Key of the totals since the start."""


class Mergeable(Protocol):
    """Counts of some rows."""

    def merge(self, other: Self) -> None:
        """Add the counts of `other`, which stays as it is."""

    def pack(self) -> None:
        """Shrink in memory: it is seldom added to."""


T = TypeVar("T", bound=Mergeable)
T_co = TypeVar("T_co", covariant=True)
V = TypeVar("V")


class TallyLayout(Protocol[T_co]):
    """Positions of counts in a tally."""

    @property
    def fingerprint(self) -> str:
        """Text that differs between layouts whose tallies do not add up."""

    def new(self) -> T_co:
        """Return a tally of no rows."""

    def check(self, tally: Any) -> None:
        """Raise ValueError unless a tally has this layout."""


class Window(Generic[T]):
    """The tallies of the last `pane_count` panes, each `pane_seconds` of traffic, dropped whole.

    The newest pane is the one of `now`, so a window of an hour covers between 55 and 60 minutes.
    Late rows go to the pane of their time. Not thread-safe.
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
        # Even if nothing reads the window, panes that are over are packed, and at most
        # `pane_count` of them kept; twice as many while the clock is behind earlier panes.
        for pane in self._panes.values():
            pane.pack()
        oldest = min(self._panes, default=number)
        is_over = oldest <= number - self.pane_count
        if len(self._panes) > (self.pane_count if is_over else 2 * self.pane_count):
            del self._panes[oldest]
        pane = self._panes[number] = self._new()
        return pane

    def panes(self) -> dict[int, T]:
        """Return the panes by number; they are not copied."""
        return dict(self._panes)

    def held(self, now: float, rows: Callable[[T], int] = lambda tally: 1) -> dict[float, int]:
        """Return the panes in the window at `now` that have rows: start -> rows.

        Args:
            now: Unix seconds, as starts are.
            rows: Rows of a tally; panes of none are left out.
        """
        newest = self.pane_number(now)
        inside = (n for n in self._panes if newest - self.pane_count < n <= newest)
        each = ((n * self.pane_seconds, rows(self._panes[n])) for n in inside)
        return {start: count for start, count in each if count}

    def take(self) -> dict[int, T]:
        """Remove and return all panes."""
        taken, self._panes, self._closed = self._panes, {}, None
        return taken

    def load(self, number: int, tally: T) -> None:
        """Replace a pane."""
        self._panes[number] = tally
        self._reopen(number)

    def _reopen(self, number: int) -> None:
        """Drop the cached sum of older panes unless the newest pane has changed."""
        if self._closed is not None and number != self._closed[0]:
            self._closed = None

    def merged(self, now: float) -> T:
        """Return one new tally of all panes in the window at `now`."""
        newest = self.pane_number(now)
        self.expire(now)
        if self._closed is None or self._closed[0] != newest:
            self._closed = (newest, self._sum_before(newest))
        merged = self._new()
        merged.merge(self._closed[1])
        if newest in self._panes:
            merged.merge(self._panes[newest])
        return merged

    def expire(self, now: float) -> None:
        """Drop the panes that have left the window at `now`."""
        # On reading, too: when traffic stops the window must empty, not go on reporting its
        # last score.
        oldest = self.pane_number(now) - self.pane_count
        for number in [n for n in self._panes if n <= oldest]:
            del self._panes[number]

    def _sum_before(self, newest: int) -> T:
        # Panes later than `newest` are kept but not read: the clock was set back.
        total = self._new()
        for number in sorted(n for n in self._panes if n < newest):
            total.merge(self._panes[number])
        total.pack()
        return total


class WindowedTallies(Generic[T]):
    """Tallies of the panes of all windows, and totals since the start. Thread-safe: one lock."""

    def __init__(
        self,
        layout: TallyLayout[T],
        window_seconds: Sequence[float],
        kept_seconds: float | None = None,
    ) -> None:
        """Start empty.

        Args:
            layout: Layout of the tallies.
            window_seconds: Lengths of the windows.
            kept_seconds: If given, all windows are so long, and these are lengths of their panes.
        """
        self.layout = layout
        self.windows = tuple(
            Window(seconds, layout.new)
            if kept_seconds is None
            else Window(kept_seconds, layout.new, round(kept_seconds / seconds))
            for seconds in window_seconds
        )
        self.generation = 0
        """Goes up with each change."""
        self._over: WindowedTallies[T] | None = None
        self._totals = Window(math.inf, layout.new, pane_count=1)
        keyed = dict(zip(window_seconds, self.windows, strict=True))
        self._by_seconds = keyed | {TOTALS[0]: self._totals}
        self._lock = threading.Lock()

    def add(self, tally: T, now: float, totals: T | None = None) -> None:
        """Add rows seen at `now`, Unix seconds, to all windows, and `totals` to the totals."""
        with self._lock:
            for window in self.windows:
                window.add(tally, now)
            if totals is not None:
                self._totals.add_pane(TOTALS[1], totals)
            self.generation += 1

    def panes(self) -> dict[PaneKey, T]:
        """Return all tallies; they are not copied."""
        with self._lock:
            return dict(self._each(Window.panes))

    def take(self) -> dict[PaneKey, T]:
        """Remove and return all tallies."""
        with self._lock:
            self.generation += 1
            return dict(self._each(Window.take))

    def _each(self, of: Callable[[Window[T]], Mapping[int, T]]) -> Iterator[tuple[PaneKey, T]]:
        for seconds, window in self._by_seconds.items():
            for number, tally in of(window).items():
                yield (seconds, number), tally

    def expire(self, now: float) -> None:
        """Drop the panes that have left their windows at `now`."""
        with self._lock:
            for window in self.windows:
                window.expire(now)

    def has_place(self, layout: str, seconds: float) -> bool:
        """Return whether tallies of a layout's fingerprint and of a window belong here."""
        return layout == self.layout.fingerprint and seconds in self._by_seconds

    def restore(self, key: PaneKey, tally: T) -> None:
        """Add a tally to a pane, such as one that was taken."""
        seconds, number = key
        with self._lock:
            self._by_seconds[seconds].add_pane(number, tally)
            self.generation += 1

    def load(self, key: PaneKey, tally: T) -> None:
        """Replace a pane's tally with the stored one.

        Raises:
            ValueError: The tally has another layout.
        """
        self.layout.check(tally)
        seconds, number = key
        with self._lock:
            self._by_seconds[seconds].load(number, tally)
            self.generation += 1

    def lay_over(self, over: WindowedTallies[T] | None) -> None:
        """Have the sums below include those of others from now on; None ends that."""
        with self._lock:
            if over is not None or self._over is not None:
                self.generation += 1
            self._over = over

    def totals(self) -> T:
        """Return a copy of the totals since the start."""
        totals = self.layout.new()
        with self._lock:
            for tally in self._totals.panes().values():
                totals.merge(tally)
        if self._over is not None:
            totals.merge(self._over.totals())
        return totals

    def merged(self, now: float) -> list[T]:
        """Return one new tally of each window at `now`."""
        with self._lock:
            merged = [window.merged(now) for window in self.windows]
        if self._over is not None:
            for tally, more in zip(merged, self._over.merged(now), strict=True):
                tally.merge(more)
        return merged

    def pane_sums(self) -> dict[PaneKey, T]:
        """Return one tally of each pane; not copied where nothing is laid over it."""
        sums = self.panes()
        for key, more in (self._over.panes() if self._over is not None else {}).items():
            tally = self.layout.new()
            for each in filter(None, (sums.get(key), more)):
                tally.merge(each)
            sums[key] = tally
        return sums

    def held(
        self, now: float, rows: Callable[[T], int] = lambda tally: 1
    ) -> list[dict[float, int]]:
        """Return for each window its panes that have rows at `now`: start -> rows.

        The arguments are those of `Window.held`.
        """
        with self._lock:
            held = [window.held(now, rows) for window in self.windows]
        others = self._over.held(now, rows) if self._over is not None else []
        for panes, more in zip(held, others, strict=False):
            for start, count in more.items():
                panes[start] = panes.get(start, 0) + count
        return held

    def held_seconds(self, now: float, rows: Callable[[T], int] = lambda tally: 1) -> list[float]:
        """Return of how much time each window has rows at `now`: of its panes that have any."""
        held = zip(self.windows, self.held(now, rows), strict=True)
        return [len(panes) * window.pane_seconds for window, panes in held]

    def revision(self, now: float) -> tuple[int, ...]:
        """Return a key that changes whenever `merged` may give something else."""
        return (self.generation, *(window.pane_number(now) for window in self.windows))


class Memo(Generic[V]):
    """A value that is computed again only when its key changes."""

    def __init__(self) -> None:
        self._kept: tuple[object, V] | None = None

    def get(self, key: object, compute: Callable[[], V]) -> V:
        """Return the value of a key."""
        kept = self._kept
        if kept is None or kept[0] != key:
            kept = self._kept = (key, compute())
        return kept[1]
