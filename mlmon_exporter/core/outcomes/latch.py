"""Thresholds of quality that do not flap: an alarm ends when rows say that all is well again.

A quality near its threshold crosses it again and again, and by night the threshold moves away. So
once a quality has become worse, its threshold is the one of recovery, until that is reached. With
too few rows nothing is said, and what was the case before holds for a while, as for features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.drift.readings import HELD_SECONDS

Floats = NDArray[np.float64]


class Latch:
    """State of one quality in one window: the segments that are worse than their threshold."""

    def __init__(self, segments: int) -> None:
        """Start with none."""
        self._is_worse = np.zeros(segments, dtype=bool)
        self._judged = np.full(segments, -np.inf)

    @property
    def is_any(self) -> bool:
        """Some segment is worse, so that the threshold of recovery matters."""
        return bool(self._is_worse.any())

    def threshold(
        self, sign: int, values: Floats, bars: Floats, calm: Floats, now: float
    ) -> Floats:
        """Return the threshold of each segment that counts now.

        Args:
            sign: 1 if greater is better, -1 if less is.
            values: The quality of each segment; NaN where rows are too few.
            bars: A quality that is beyond these has become worse.
            calm: One that was worse has recovered when it is not beyond these.
            now: Unix seconds.
        """
        self._is_worse &= now - self._judged <= HELD_SECONDS
        shown = np.where(self._is_worse & ~np.isnan(calm), calm, bars)
        is_judged = ~np.isnan(values) & ~np.isnan(shown)
        with np.errstate(invalid="ignore"):
            self._is_worse = np.where(is_judged, sign * (values - shown) < 0, self._is_worse)
        self._judged = np.where(is_judged, now, self._judged)
        return shown
