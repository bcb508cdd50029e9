"""Buffered rows of one side of a model: gathered, turned into numbers, and tallied together."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import matrix as as_matrix
from mlmon_exporter.core.coerce import vector
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.settings import BUFFER_ROWS

from .matrix import ReferenceMatrix
from .stretches import Stretches
from .tallier import VALUES_AT_ONCE, Alike, Derivation, FullBuffer, Pause, Tallier, merged_alike
from .tally import Layout, Tally
from .window import WindowedTallies

Floats = NDArray[np.float64]

BATCH = 64
"""Small requests of one row that are read together, in half of the time; fewer of long rows."""
SMALL_BYTES = 16 * 1024
"""Larger requests are read at once: waiting for others, they would take memory."""


def _go_on() -> None:
    """Pause for nothing."""


class RowEncoder:
    """Turns rows into numbers: values of numeric columns, cell numbers of categorical ones."""

    def __init__(self, layout: Layout, measured: Sequence[str] = ()) -> None:
        self.names = [*layout.names, *measured]
        self._coders = [
            (j, bins.code) for j, bins in enumerate(layout.bins) if isinstance(bins, CategoryBins)
        ]

    def single_rows(self, rows: Sequence[Mapping[str, Any]]) -> Floats:
        """Return rows that have one value a column, shape (columns, rows)."""
        names = list(rows[0])
        if all(map(names.__eq__, map(list, rows))):
            # The usual case: no name is looked up.
            values = [*chain.from_iterable([row.values() for row in rows])]
            return self.values(names, values, len(rows))
        values = [row.get(name) for row in rows for name in self.names]
        return self.values(self.names, values, len(rows))

    def values(self, names: Sequence[str], values: Sequence[Any], rows: int) -> Floats:
        """Return rows whose values stand one row after another, shape (columns, rows)."""
        width = len(self.names)
        ordered = [*values] if names == self.names else [None] * (rows * width)
        if names != self.names:
            places = dict(zip(names, range(len(names)), strict=True))
            for j, name in enumerate(self.names):
                if name in places:
                    ordered[j::width] = values[places[name] :: len(names)]
        for j, code in self._coders:
            ordered[j::width] = map(code, ordered[j::width])
        return vector(ordered).reshape(rows, width).T

    def columns(self, columns: Mapping[str, Any], rows: int, pause: Pause) -> Floats:
        """Return columns of `rows` values each, shape (columns, rows).

        Raises:
            ValueError: A column has another number of values.
        """
        absent = [None] * rows
        values = [columns.get(name, absent) for name in self.names]
        lengths = list(map(len, values))
        if lengths.count(rows) != len(values):
            wrong = next(j for j, length in enumerate(lengths) if length != rows)
            raise ValueError(f"{self.names[wrong]}: expected {rows} values, got {lengths[wrong]}")
        for j, code in self._coders:
            values[j] = list(map(code, values[j]))
            pause()
        block = np.empty((len(values), rows))
        step = 1 + VALUES_AT_ONCE // rows
        for j in range(0, len(values), step):
            block[j : j + step] = as_matrix(values[j : j + step], rows)
            pause()
        return block


class RowBuffer:
    """Rows of all columns that wait to be tallied together: one sort and one digest update.

    Thread-safe. A full buffer is swapped out and tallied outside the lock by the thread that
    filled it, unless another is tallying already, so that writers never wait for a slow tally.
    """

    def __init__(
        self,
        matrix: ReferenceMatrix,
        engine: str,
        tallies: WindowedTallies[Tally],
        stretches: Stretches | None = None,
        derived: Derivation | None = None,
    ) -> None:
        """Tally into windows, and what is derived from the rows into those of another side.

        Stretches are tallied where dependence in time is measured.
        """
        self.tallies = tallies
        self._encoder = RowEncoder(matrix.layout, derived.measured if derived else ())
        self._tallier = Tallier(matrix, engine, tallies, stretches, derived)
        self._lock = threading.Lock()
        self._single: deque[tuple[Mapping[str, Any], float]] = deque()
        """Single rows that are not read yet, and when they were seen."""
        self._measure = derived.measure if derived else None
        width = len(self.names)
        waiting = max(1, width + (derived.numbers if derived else 0))
        self._batch = min(BATCH, 1 + VALUES_AT_ONCE // waiting)
        self._rows: Floats = np.empty((BUFFER_ROWS, width))
        self._filled = 0
        self._now = self._from = self._until = 0.0
        self._requests: list[tuple[int, int]] = []
        """First row in the buffer, and number of rows, of each request of several rows."""
        self._long_requests: Alike = ()
        """Of requests longer than the buffer."""

    @property
    def names(self) -> Sequence[str]:
        """The columns."""
        return self._encoder.names

    def add(
        self,
        columns: Mapping[str, Any],
        rows: int,
        now: float,
        pause: Pause = _go_on,
        *,
        request_bytes: int | None = None,
    ) -> None:
        """Add rows.

        Args:
            columns: Name -> one value (where `rows` is 1) or a sequence of `rows` values. An
                absent column is missing in all rows; unknown ones are ignored.
            rows: Number of rows.
            now: Unix seconds.
            pause: Called now and then in long work.
            request_bytes: Size of the request that they came in, None if in none. Its rows may be
                alike; if it is small and has but one row, `columns` must not change any more.
        """
        is_request = request_bytes is not None
        if rows == 1:
            self._single.append((columns, now))
            is_small = request_bytes is not None and request_bytes <= SMALL_BYTES
            if is_small and len(self._single) < self._batch:
                return
            with self._lock:
                self._add_single_rows()
        elif rows:
            block = self._encoder.columns(columns, rows, pause)
            is_long = is_request and rows > BUFFER_ROWS
            alike = self._tallier.alike(block, [rows], pause) if is_long else ()
            with self._lock:
                self._add_single_rows()
                self._add_block(block, now, is_request)
                self._long_requests = merged_alike(self._long_requests, alike)
        self._tallier.tally_if_idle(pause)

    def add_many(
        self,
        names: Sequence[str],
        values: Sequence[Any],
        moments: Sequence[float],
        pause: Pause = _go_on,
    ) -> None:
        """Add rows of small requests that have one each.

        Args:
            names: The columns of all rows; see `add`.
            values: Row after row.
            moments: Unix seconds when each row was seen.
            pause: Called now and then in long work.
        """
        block = self._encoder.values(names, values, len(moments))
        with self._lock:
            self._add_single_rows()
            self._add_rows(block, moments)
        self._tallier.tally_if_idle(pause)

    def drain(self, pause: Pause = _go_on) -> None:
        """Tally all rows that were added before."""
        with self._lock:
            self._add_single_rows()
            self._swap_out()
        self._tallier.drain(pause)

    def _add_single_rows(self) -> None:
        """Add the single rows that wait."""
        waiting = [*map(deque.popleft, repeat(self._single, len(self._single)))]
        if waiting:
            rows, moments = zip(*waiting, strict=True)
            rows = self._measure(rows) if self._measure is not None else rows
            self._add_rows(self._encoder.single_rows(rows), moments)

    def _add_rows(self, block: Floats, moments: Sequence[float]) -> None:
        """Add rows that were seen at these moments, those of one pane together."""
        while len(moments):
            self._enter_panes(moments[0])
            count = len(moments)
            if min(moments) < self._from or max(moments) >= self._until:
                is_here = [self._from <= moment < self._until for moment in moments]
                count = is_here.index(False)
            self._add_block(block[:, :count], moments[0])
            block, moments = block[:, count:], moments[count:]

    def _enter_panes(self, now: float) -> None:
        """Move on to the panes of `now` in all windows; note how long rows fall into them."""
        if self._from <= now < self._until:
            return
        self._swap_out()
        panes = [(w.pane_number(now), w.pane_seconds) for w in self.tallies.windows]
        self._from = max((number * seconds for number, seconds in panes), default=-math.inf)
        self._until = min(((number + 1) * seconds for number, seconds in panes), default=math.inf)

    def _add_block(self, block: Floats, now: float, is_request: bool = False) -> None:
        self._enter_panes(now)
        self._now = now
        for start in range(0, block.shape[1], BUFFER_ROWS):
            rows = block[:, start : start + BUFFER_ROWS].T
            if self._filled + len(rows) > BUFFER_ROWS:
                self._swap_out()
            self._rows[self._filled : self._filled + len(rows)] = rows
            if is_request and len(rows) == block.shape[1]:
                self._requests.append((self._filled, len(rows)))
            self._filled += len(rows)

    def _swap_out(self) -> None:
        if self._filled:
            columns = self._rows[: self._filled].T.copy()
            full = FullBuffer(columns, self._now, self._requests, self._long_requests)
            self._tallier.put(full)
            self._filled, self._requests, self._long_requests = 0, [], ()
