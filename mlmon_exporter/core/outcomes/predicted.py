"""Predicted rows that wait to be counted by segment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from mlmon_exporter.core.settings import BUFFER_ROWS
from mlmon_exporter.core.windows.window import WindowedTallies

from .scorer import OutcomeScorer, Rows
from .tallies import SegmentTally, segment_indexes, tally_predicted


class PredictedRows:
    """A buffer of predicted rows, which say how often each segment is selected.

    Thread-safe: one lock.
    """

    def __init__(self, scorer: OutcomeScorer, tallies: WindowedTallies[SegmentTally]) -> None:
        self._scorer = scorer
        self._tallies = tallies
        self._lock = threading.Lock()
        self._rows: Rows = []
        self._now = 0.0
        self._pane_seconds = min(window.pane_seconds for window in tallies.windows)

    def add(self, rows: Rows, now: float) -> None:
        """Add the outputs and segments of rows seen at `now`, Unix seconds."""
        with self._lock:
            is_other_pane = now // self._pane_seconds != self._now // self._pane_seconds
            if is_other_pane or len(self._rows) >= BUFFER_ROWS:
                self._tally()
            self._now = now
            self._rows.extend(rows)
            if len(rows) >= BUFFER_ROWS:
                self._tally()

    def add_many(self, rows: Rows, moments: Sequence[float]) -> None:
        """Add the outputs and segments of rows that were seen at these moments."""
        if len({moment // self._pane_seconds for moment in moments}) == 1:
            self.add(rows, moments[-1])
        else:
            for row, moment in zip(rows, moments, strict=True):
                self.add([row], moment)

    def drain(self, pause: Callable[[], None]) -> None:
        """Tally all rows that were added before; `pause` is called once they are."""
        with self._lock:
            self._tally()
        pause()

    def _tally(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            layout = self._scorer.layout
            predicted, _ = self._scorer.reader.predictions([values for values, _ in rows])
            which = segment_indexes(layout, [labels for _, labels in rows])
            self._tallies.add(tally_predicted(layout, predicted, which), self._now)
