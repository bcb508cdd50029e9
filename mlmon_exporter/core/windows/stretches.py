"""Stretches of live traffic: rows per bin of spans of the last weeks, to measure dependence by.

A reference without a time column does not say how much nights, days and neighbours differ. Live
traffic does: stretches of each window's length, and of a day, are kept for four weeks as counts of
bins, which is a few kilobytes a column. Of short ones a few a day are kept, at other hours each
day. They are of the model, not of a version: a deploy does not change the traffic.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .matrix import bin_order_of
from .tally import Layout, Tally
from .window import PaneKey, WindowedTallies

Counts = NDArray[np.int64]

DAY_SECONDS = 86400.0
STRETCH_DAYS = 28
"""Days for which stretches are kept: a feature's weeks are alike, its seasons are not."""
STRETCHES_A_DAY = 5
"""So many of the stretches of a day are kept, as nearly as can be: of a few hours, all."""


class BinLayout(Layout):
    """Layout of tallies that count the bins of columns in place of their cells."""

    @cached_property
    def cell_starts(self) -> NDArray[np.intp]:
        """First bin of each column, and the number of all bins at the end."""
        return self.bin_starts

    @cached_property
    def fingerprint(self) -> str:
        """Text that differs between layouts whose tallies do not add up."""
        bins = repr((super().fingerprint, [b.intervals for b in self.bins]))
        return hashlib.sha256(bins.encode("utf-8", "replace")).hexdigest()[:16]


class Counted(NamedTuple):
    """Stretches of one length that are over, oldest first."""

    starts: NDArray[np.float64]
    """Unix seconds."""
    rows: Counts
    bins: Counts
    """Rows per bin of all columns, shape (stretches, bins)."""


class Stretches:
    """Stretches of one side of a model. Thread-safe."""

    def __init__(
        self, layout: Layout, window_seconds: Iterable[float], *, is_shared: bool = False
    ) -> None:
        """Start empty; `is_shared` counts are loaded from a store of several processes."""
        self.lengths = tuple(sorted({min(s, DAY_SECONDS) for s in window_seconds} | {DAY_SECONDS}))
        self._order, self._first = bin_order_of(layout)
        self.layout = BinLayout(layout.names, layout.bins)
        self.counted, loaded = (
            WindowedTallies(self.layout, self.lengths, STRETCH_DAYS * DAY_SECONDS) for _ in range(2)
        )
        self.loaded = loaded if is_shared else self.counted
        self._strides = {seconds: stride(seconds) for seconds in self.lengths}

    def add(self, tally: Tally, now: float) -> None:
        """Count the rows of a tally of all cells, seen at `now`, Unix seconds."""
        bins: Tally | None = None
        for key in self.places(now):
            bins = bins or self.binned(tally)
            self.counted.restore(key, bins)

    def places(self, at: float) -> list[PaneKey]:
        """Return the stretches that rows seen at a time, Unix seconds, count for."""
        numbers = ((seconds, int(at // seconds)) for seconds in self.lengths)
        return [(s, number) for s, number in numbers if number % self._strides[s] == 0]

    def binned(self, tally: Tally) -> Tally:
        """Return a tally of all cells as one of bins."""
        bins = self.layout.new()
        bins.rows, bins.counts = (
            tally.rows,
            np.add.reduceat(tally.counts[self._order].astype(np.int64), self._first),
        )
        return bins

    def numbers(self, now: float) -> dict[float, tuple[int, ...]]:
        """Return the stretches that are over at `now`, by length: their numbers, ascending.

        The newest is left out, as a change that it has should be seen before it counts as what
        time brings; and so is the first, which began before the traffic did or the process.
        """
        self.loaded.expire(now)
        found: dict[float, list[int]] = {seconds: [] for seconds in self.lengths}
        for seconds, number in self.loaded.pane_sums():
            if seconds:
                found[seconds].append(number)
        return {
            seconds: tuple(n for n in sorted(each)[1:] if (n + 2) * seconds <= now)
            for seconds, each in found.items()
        }

    def of(self, seconds: float, numbers: Iterable[int]) -> Counted:
        """Return the stretches of a length with these numbers, as far as they have rows."""
        panes = self.loaded.pane_sums()
        known = [n for n in numbers if (seconds, n) in panes]
        bins = [np.asarray(panes[seconds, n].counts, dtype=np.int64) for n in known]
        return Counted(
            np.array(known, dtype=np.float64) * seconds,
            np.array([panes[seconds, n].rows for n in known], dtype=np.int64),
            np.array(bins).reshape(len(known), int(self.layout.bin_starts[-1])),
        )


def stride(seconds: float) -> int:
    """Return the step from one kept stretch of a length to the next, in stretches.

    It shares no factor with the stretches of a day, so that all hours have their turn.
    """
    a_day = max(round(DAY_SECONDS / seconds), 1)
    steps = (step for step in range(1, a_day + 1) if math.gcd(step, a_day) == 1)
    return min(steps, key=lambda step: abs(step - a_day / STRETCHES_A_DAY))
