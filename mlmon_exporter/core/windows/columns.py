"""One side of a model under traffic: its features, or its outputs."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import matrix, vector
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.settings import BUFFER_ROWS
from mlmon_exporter.core.stats.design_effect import RequestRows, Scale, merged, of_sizes

from .matrix import ReferenceMatrix
from .tally import Tally, tally_columns
from .window import Window

Floats = NDArray[np.float64]

BATCH = 64
"""Small requests of one row that are read together, in half of the time; fewer of long rows."""
SMALL_BYTES = 16 * 1024
"""What is larger does not wait for others: it would take memory meanwhile."""
MOST_ASIDE = 8
"""Full buffers that may wait; who fills another waits for them."""
VALUES_AT_ONCE = 8192
"""Values of several rows that are read without a pause: a fraction of a millisecond."""


Parts = dict[tuple[int, int], Tally]
"""Which window (its index) and which pane (its number) -> its tally."""
TOTALS = (-1, 0)
"""Where among the parts the totals since the start are."""


class _Aside(NamedTuple):
    """Rows that wait to be tallied."""

    columns: Floats
    """Shape (columns, rows)."""
    now: float
    """Unix seconds."""
    requests: Sequence[tuple[int, int]]
    """First row, and how many, of each request of several rows."""
    long_requests: RequestRows | None


class Columns:
    """The rows of all columns: a short buffer, panes of each window, totals since the start.

    Thread-safe, and nobody who adds rows waits for one who pauses: a full buffer is set aside, and
    tallied without the lock by who filled it, unless somebody tallies already.
    """

    def __init__(
        self, frame: ReferenceMatrix, window_seconds: Sequence[float], engine: str
    ) -> None:
        self.frame = frame
        self.windows = tuple(Window(seconds, self._new) for seconds in window_seconds)
        self.generation = 0
        """Goes up whenever rows were tallied."""
        self._totals = self._new()
        self._engine = engine
        self._lock = threading.Lock()
        self._tallying = threading.Lock()
        """Held by the one who tallies what was set aside; taken before the other lock."""
        self._awaited = 0
        """How many wait for that to be done."""
        self._aside: deque[_Aside] = deque()
        self._scale = Scale(frame.is_numeric, frame.reference.ranks)
        self._requests: list[tuple[int, int]] = []
        """First row in the buffer, and how many, of each request of several rows."""
        self._long_requests: RequestRows | None = None
        """Of those that are longer than the buffer."""
        self._names = frame.layout.names
        self._name_list = list(self._names)
        self._waiting: deque[tuple[Mapping[str, Any], float]] = deque()
        """Single rows, and when they were seen."""
        self._batch = min(BATCH, 1 + VALUES_AT_ONCE // max(1, len(self._names)))
        self._coders = [
            (j, bins.code)
            for j, bins in enumerate(frame.layout.bins)
            if isinstance(bins, CategoryBins)
        ]
        self._buffer: Floats = np.empty((BUFFER_ROWS, len(self._names)))
        self._filled = 0
        self._now = self._from = self._until = 0.0

    @property
    def fingerprint(self) -> str:
        """The layout's."""
        return self.frame.layout.fingerprint

    def _new(self) -> Tally:
        return Tally(self.frame.layout)

    def add(
        self,
        columns: Mapping[str, Any],
        rows: int,
        now: float,
        pause: Callable[[], None] = lambda: None,
        *,
        request_bytes: int | None = None,
    ) -> None:
        """Add rows.

        Args:
            columns: Name -> one value (where `rows` is 1) or a sequence of `rows` values. A
                column that is not there is missing in all rows; unknown ones are passed over.
            rows: How many rows.
            now: Unix seconds.
            pause: Called now and then in long work.
            request_bytes: Size of the request that they came in, None if in none. Its rows may be
                alike; if it is small and has but one row, `columns` must not change any more.
        """
        is_request = request_bytes is not None
        if rows == 1:
            self._waiting.append((columns, now))
            is_small = request_bytes is not None and request_bytes <= SMALL_BYTES
            if is_small and len(self._waiting) < self._batch:
                return
            with self._lock:
                self._add_waiting()
        elif rows:
            block, alike = self._block(columns, rows, is_request, pause)
            with self._lock:
                self._add_waiting()
                self._add_rows(block, now, is_request)
                self._long_requests = merged(self._long_requests, alike)
        if self._aside:
            self._tally_aside(pause)

    def _add_waiting(self) -> None:
        """Add the single rows that wait, those of one pane together."""
        waiting = [*map(deque.popleft, repeat(self._waiting, len(self._waiting)))]
        while waiting:
            rows, moments = zip(*waiting, strict=True)
            self._enter_panes(moments[0])
            count = len(rows)
            if min(moments) < self._from or max(moments) >= self._until:
                is_here = [self._from <= moment < self._until for moment in moments]
                count = is_here.index(False)
            self._add_rows(self._single_rows(rows[:count]), moments[0])
            waiting = waiting[count:]

    def _single_rows(self, rows: Sequence[Mapping[str, Any]]) -> Floats:
        """Return single rows, shape (columns, rows), as the buffer has them."""
        names, width = list(rows[0]), len(self._names)
        if names == self._name_list and all(map(names.__eq__, map(list, rows))):
            # So it is mostly: then no name is looked up.
            values = list(chain.from_iterable([row.values() for row in rows]))
        else:
            values = [row.get(name) for row in rows for name in self._names]
        for j, code in self._coders:
            values[j::width] = map(code, values[j::width])
        return vector(values).reshape(len(rows), width).T

    def _enter_panes(self, now: float) -> None:
        """Be in the panes of `now`, in every window; note for how long rows fall into them."""
        if self._from <= now < self._until:
            return
        self._set_aside()
        panes = [(window.pane_number(now), window.pane_seconds) for window in self.windows]
        self._from = max((number * seconds for number, seconds in panes), default=-math.inf)
        self._until = min(((number + 1) * seconds for number, seconds in panes), default=math.inf)

    def _add_rows(self, block: Floats, now: float, is_request: bool = False) -> None:
        self._enter_panes(now)
        self._now = now
        for start in range(0, block.shape[1], BUFFER_ROWS):
            part = block[:, start : start + BUFFER_ROWS].T
            if self._filled + len(part) > BUFFER_ROWS:
                self._set_aside()
            self._buffer[self._filled : self._filled + len(part)] = part
            if is_request and len(part) == block.shape[1]:
                self._requests.append((self._filled, len(part)))
            self._filled += len(part)

    def _set_aside(self) -> None:
        if self._filled:
            columns = self._buffer[: self._filled].T.copy()
            self._aside.append(_Aside(columns, self._now, self._requests, self._long_requests))
            self._filled, self._requests, self._long_requests = 0, [], None

    def _block(
        self,
        columns: Mapping[str, Any],
        rows: int,
        is_request: bool = False,
        pause: Callable[[], None] = lambda: None,
    ) -> tuple[Floats, RequestRows | None]:
        """Return all columns, shape (columns, rows), as the buffer has them, and how alike."""
        absent = [None] * rows
        values = [columns.get(name, absent) for name in self._names]
        lengths = list(map(len, values))
        if lengths.count(rows) != len(values):
            wrong = next(j for j, length in enumerate(lengths) if length != rows)
            raise ValueError(f"{self._names[wrong]}: expected {rows} values, got {lengths[wrong]}")
        for j, code in self._coders:
            values[j] = list(map(code, values[j]))
            pause()
        is_long = is_request and rows > BUFFER_ROWS
        block, sums = np.empty((len(values), rows)), np.empty((4, len(values)))
        step = 1 + VALUES_AT_ONCE // rows
        for j in range(0, len(values), step):
            part = block[j : j + step] = matrix(values[j : j + step], rows)
            if is_long:
                sums[:, j : j + step] = self._scale.sums(part, [rows], j)
            pause()
        return block, of_sizes([rows], sums) if is_long else None

    def take(self) -> Parts:
        """Return all that was counted since the last call and start again at nothing."""
        self.drain()
        with self._lock:
            parts: Parts = {
                (k, number): pane
                for k, window in enumerate(self.windows)
                for number, pane in window.take().items()
            }
            if self._totals.rows:
                parts[TOTALS] = self._totals
                self._totals = self._new()
        return parts

    def give_back(self, parts: Parts) -> None:
        """Add what was taken, since it could not be kept elsewhere."""
        with self._lock:
            for (k, number), tally in parts.items():
                if (k, number) == TOTALS:
                    self._totals.merge_counts(tally)
                else:
                    self.windows[k].add_pane(number, tally)
            self.generation += 1

    def put(self, part: tuple[int, int], tally: Tally) -> None:
        """Have a part as it was kept elsewhere, in place of what was here.

        Raises:
            ValueError: It is a tally of other cells or columns.
        """
        self.frame.layout.check(tally)
        with self._lock:
            if part == TOTALS:
                self._totals = tally
            elif part[0] < len(self.windows):
                self.windows[part[0]].put(part[1], tally)
            self.generation += 1

    def parts(self) -> Parts:
        """Return all that is counted; it stays."""
        with self._lock:
            parts: Parts = {
                (k, number): pane
                for k, window in enumerate(self.windows)
                for number, pane in window.panes().items()
            }
            return parts | ({TOTALS: self._totals} if self._totals.rows else {})

    def drain(self, pause: Callable[[], None] = lambda: None) -> None:
        """Tally all that was added before."""
        with self._lock:
            self._add_waiting()
            self._set_aside()
        if not self._tallying.acquire(blocking=False):
            self._await_tally()
        try:
            self._tally(pause)
        finally:
            self._tallying.release()

    def _await_tally(self) -> None:
        with self._lock:
            self._awaited += 1
        self._tallying.acquire()
        with self._lock:
            self._awaited -= 1

    def totals(self) -> Tally:
        """Return what was counted since the start, without digests."""
        totals = self._new()
        with self._lock:
            totals.merge_counts(self._totals)
        return totals

    def merged(self, now: float) -> list[Tally]:
        """Return each window's tally at `now`."""
        with self._lock:
            return [window.merged(now) for window in self.windows]

    def _tally_aside(self, pause: Callable[[], None]) -> None:
        """Tally what was set aside, or leave it to the one who tallies now."""
        if self._tallying.acquire(blocking=len(self._aside) > MOST_ASIDE):
            try:
                self._tally(pause)
            finally:
                self._tallying.release()

    def _tally(self, pause: Callable[[], None]) -> None:
        def pause_unless_awaited() -> None:
            if not self._awaited:
                pause()

        while self._aside:
            # It is gone whatever comes: rows that cannot be tallied must not come again.
            aside = self._aside.popleft()
            tally = tally_columns(
                self.frame.layout, aside.columns, self._engine, pause_unless_awaited
            )
            tally.requests = self._requests_of(aside, pause_unless_awaited)
            with self._lock:
                for window in self.windows:
                    window.add(tally, aside.now)
                self._totals.merge_counts(tally)
                self.generation += 1

    def _requests_of(self, aside: _Aside, pause: Callable[[], None]) -> RequestRows | None:
        """Return how alike the rows of requests are."""
        if not aside.requests:
            return aside.long_requests
        columns, sizes = aside.columns, [size for _, size in aside.requests]
        rows = sum(sizes)
        if rows < columns.shape[1]:
            which = np.concatenate([np.arange(at, at + size) for at, size in aside.requests])
            columns = columns[:, which]
        sums = np.empty((4, len(columns)))
        step = 1 + VALUES_AT_ONCE // rows
        for j in range(0, len(columns), step):
            sums[:, j : j + step] = self._scale.sums(columns[j : j + step], sizes, j)
            pause()
        return merged(of_sizes(sizes, sums), aside.long_requests)
