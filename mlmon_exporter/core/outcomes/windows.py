"""The slices of a model's version under traffic: panes of each window."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from mlmon_exporter.core.settings import BUFFER_ROWS
from mlmon_exporter.core.windows.window import Window

from .scorer import OutcomeScorer
from .tallies import SegmentTally, new_tally, segment_indexes, tally_predicted

Parts = dict[tuple[int, int], SegmentTally]


class SliceWindows:
    """The tallies of all slices, and a short buffer of predicted rows. Thread-safe: one lock."""

    def __init__(self, outcomes: OutcomeScorer, window_seconds: Sequence[float]) -> None:
        self.outcomes = outcomes
        self.layout = outcomes.layout
        self.windows = tuple(Window(seconds, self._new) for seconds in window_seconds)
        self.generation = 0
        """Goes up whenever rows were tallied."""
        self.counts_predicted = outcomes.task.positive is not None and bool(
            outcomes.segments.features
        )
        """Whether predicted rows are worth counting: they say which segments are selected."""
        self._lock = threading.Lock()
        self._rows: list[tuple[Sequence[float | str | None], tuple[str, ...]]] = []
        self._now = 0.0
        self._pane_seconds = min(window.pane_seconds for window in self.windows)

    def _new(self) -> SegmentTally:
        return new_tally(self.layout)

    @property
    def fingerprint(self) -> str:
        """The layout's."""
        return self.layout.fingerprint

    def add(
        self, rows: Sequence[tuple[Sequence[float | str | None], tuple[str, ...]]], now: float
    ) -> None:
        """Count predicted rows, each its outputs and segments, seen at `now`, Unix seconds."""
        with self._lock:
            is_other_pane = now // self._pane_seconds != self._now // self._pane_seconds
            if is_other_pane or len(self._rows) >= BUFFER_ROWS:
                self._tally()
            self._now = now
            self._rows.extend(rows)
            if len(rows) >= BUFFER_ROWS:
                self._tally()

    def _tally(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        predicted, _ = self.outcomes.reader.predictions([values for values, _ in rows])
        which = segment_indexes(self.layout, [labels for _, labels in rows])
        tally = tally_predicted(self.layout, predicted, which)
        for window in self.windows:
            window.add(tally, self._now)
        self.generation += 1

    def drain(self, pause: Callable[[], None] = lambda: None) -> None:
        """Tally what is in the buffer; `pause` is called once it is."""
        with self._lock:
            self._tally()
        pause()

    def take(self) -> Parts:
        """Return all that was counted since the last call and start again at nothing."""
        with self._lock:
            self._tally()
            return {
                (k, number): pane
                for k, window in enumerate(self.windows)
                for number, pane in window.take().items()
            }

    def give_back(self, parts: Parts) -> None:
        """Add what was taken, since it could not be kept elsewhere."""
        with self._lock:
            for (k, number), tally in parts.items():
                self.windows[k].add_pane(number, tally)
            self.generation += 1

    def put(self, part: tuple[int, int], tally: SegmentTally) -> None:
        """Have a part as it was kept elsewhere, in place of what was here.

        Raises:
            ValueError: It is a tally of another layout, or counts what cannot be.
        """
        self.layout.check(tally)
        with self._lock:
            self.windows[part[0]].put(part[1], tally)
            self.generation += 1

    def parts(self) -> Parts:
        """Return all that is counted; it stays."""
        with self._lock:
            return {
                (k, number): pane
                for k, window in enumerate(self.windows)
                for number, pane in window.panes().items()
            }

    def merged(self, now: float) -> list[SegmentTally]:
        """Return each window's tally at `now`."""
        with self._lock:
            return [window.merged(now) for window in self.windows]
