"""Rows of a reference by hour of the day, kept of columns whose hours differ.

A window that is shorter than a day is compared with the same hours of the reference: against all
hours, a night hides most changes. So much is gained only where hours differ by more than the same
hours of different days do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.scatter import INDEPENDENT, Scatter

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

HOURS = 24
HOUR_SECONDS = 3600.0
NO_HOURS: Counts = np.zeros((0, 0), dtype=np.int64)
"""Rows by hour of a column whose hours do not differ, or are not known."""
SCORE = "hour_psi"
LEAST_DAYS = 7
"""Days of a reference from which the same hours of several are known."""
GAIN = 2.0
"""Same hours must vary less than all hours by this factor to be worth a test of their own."""


def hours_of(times: Floats) -> NDArray[np.intp]:
    """Return the hour of the day, UTC, of each time in Unix seconds."""
    return (times // HOUR_SECONDS % HOURS).astype(np.intp)


def rows_by_hour(panes: Mapping[float, int]) -> Floats:
    """Return the rows of each hour of a day.

    Args:
        panes: Rows of each pane, by its start in Unix seconds.
    """
    found = hours_of(np.array(list(panes), dtype=np.float64))
    return np.bincount(found, list(panes.values()), HOURS).astype(np.float64)


def is_worth_hours(
    variation: Mapping[float, Mapping[str, Scatter]], window_seconds: Iterable[float]
) -> bool:
    """Tell whether some window varies much less against the same hours than against all."""
    lengths = [variation[s] for s in window_seconds if s in variation]
    pairs = [(found["psi"], found.get(SCORE, INDEPENDENT)) for found in lengths if "psi" in found]
    return any(
        of_all.degrees >= LEAST_DAYS and of_all.variance > GAIN * of_same.variance
        for of_all, of_same in pairs
    )
