"""Tallies full buffers of rows, and hands on what is derived from them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.design_effect import RequestRows, Scale, merged, of_sizes

from .matrix import ReferenceMatrix
from .stretches import Stretches
from .tally import Tally, tally_columns
from .window import WindowedTallies

Floats = NDArray[np.float64]
Pause = Callable[[], None]
Row = Mapping[str, Any]

MOST_FULL = 8
"""Full buffers that may wait; a thread that fills another waits for them."""
VALUES_AT_ONCE = 8192
"""Values that are read or summed without a pause: a fraction of a millisecond."""
Alike = tuple[RequestRows | None, ...]
"""Likeness of rows within long requests: of a side, then of the one derived from it; or empty."""


def merged_alike(ours: Alike, theirs: Alike) -> Alike:
    """Return the sums of both; none stand for no requests."""
    if not ours or not theirs:
        return ours or theirs
    return tuple(merged(a, b) for a, b in zip(ours, theirs, strict=True))


class FullBuffer(NamedTuple):
    """Rows of one pane that wait to be tallied."""

    columns: Floats
    """Shape (columns, rows)."""
    now: float
    """Unix seconds."""
    requests: Sequence[tuple[int, int]]
    """First row, and number of rows, of each request of several rows."""
    long_requests: Alike
    """Of requests longer than a buffer."""


class Derivation(NamedTuple):
    """Columns that are derived from those of a buffer, and tallied as another side."""

    derive: Callable[[Floats], Floats]
    """Shape (columns, rows) to (derived columns, rows)."""
    tallier: Tallier
    measured: tuple[str, ...] = ()
    """Columns of the buffer, after its others, that only they are derived from."""
    measure: Callable[[Sequence[Row]], Sequence[Row]] | None = None
    """Adds these columns to single rows that wait, which have numbers in their place."""
    numbers: int = 0
    """Such numbers of a row."""


class Tallier:
    """Tallies full buffers into windows, one thread at a time. Thread-safe."""

    def __init__(
        self,
        matrix: ReferenceMatrix,
        engine: str,
        tallies: WindowedTallies[Tally],
        stretches: Stretches | None,
        derived: Derivation | None = None,
    ) -> None:
        self._layout = matrix.layout
        self._width = len(matrix.references)
        self._engine = engine
        self._tallies = tallies
        self._stretches = stretches
        self._derived = derived
        self._scale = Scale(matrix.is_numeric, matrix.ranks)
        self._full: deque[FullBuffer] = deque()
        self._tallying = threading.Lock()
        self._waiters = 0
        self._counting = threading.Lock()
        """Guards the number of waiters."""

    def put(self, full: FullBuffer) -> None:
        """Have a buffer tallied later."""
        self._full.append(full)

    def tally_if_idle(self, pause: Pause) -> None:
        """Tally what waits, unless another thread is at it and not too much waits."""
        if self._full and self._tallying.acquire(blocking=len(self._full) > MOST_FULL):
            try:
                self._tally(pause)
            finally:
                self._tallying.release()

    def drain(self, pause: Pause) -> None:
        """Tally all that waits; another thread that tallies pauses no more until it is done."""
        if not self._tallying.acquire(blocking=False):
            with self._counting:
                self._waiters += 1
            self._tallying.acquire()
            with self._counting:
                self._waiters -= 1
        try:
            self._tally(pause)
        finally:
            self._tallying.release()

    def _tally(self, pause: Pause) -> None:
        def pause_unless_awaited() -> None:
            if not self._waiters:
                pause()

        while self._full:
            # Removed first: rows that cannot be tallied must not come again.
            full = self._full.popleft()
            own = full.columns[: self._width]
            tally = tally_columns(self._layout, own, self._engine, pause_unless_awaited)
            tally.requests = self._requests(full, pause_unless_awaited)
            self._tallies.add(tally, full.now, totals=tally.without_digests())
            if self._stretches is not None:
                self._stretches.add(tally, full.now)
            if self._derived is not None:
                derive, tallier = self._derived[:2]
                rows = derive(full.columns)
                tallier.put(full._replace(columns=rows, long_requests=full.long_requests[1:]))
                tallier.drain(pause_unless_awaited)

    def _requests(self, full: FullBuffer, pause: Pause) -> RequestRows | None:
        """Return how alike the rows of each request are."""
        long_requests = next(iter(full.long_requests), None)
        if not full.requests:
            return long_requests
        columns, sizes = full.columns[: self._width], [size for _, size in full.requests]
        if sum(sizes) < columns.shape[1]:
            which = np.concatenate([np.arange(at, at + size) for at, size in full.requests])
            columns = columns[:, which]
        return merged(self._requests_of(columns, sizes, pause), long_requests)

    def alike(self, columns: Floats, sizes: Sequence[int], pause: Pause) -> Alike:
        """Return how alike the rows of requests of these sizes are, whose rows stand in order."""
        own = self._requests_of(columns[: self._width], sizes, pause)
        if self._derived is None:
            return (own,)
        derive, tallier = self._derived[:2]
        step = 1 + VALUES_AT_ONCE // len(columns)
        parts = []
        for start in range(0, columns.shape[1], step):
            parts.append(derive(columns[:, start : start + step]))
            pause()
        return (own, *tallier.alike(np.concatenate(parts, axis=1), sizes, pause))

    def _requests_of(self, columns: Floats, sizes: Sequence[int], pause: Pause) -> RequestRows:
        sums = np.empty((4, len(columns)))
        step = 1 + VALUES_AT_ONCE // columns.shape[1]
        for j in range(0, len(columns), step):
            sums[:, j : j + step] = self._scale.sums(columns[j : j + step], sizes, j)
            pause()
        return of_sizes(sizes, sums)
