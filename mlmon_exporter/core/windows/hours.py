"""Reference rows of the hours of a day, to compare short windows with the same hours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import per_bin
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.hours import HOURS

Floats = NDArray[np.float64]
LAGS = (0, -1, 1)
"""Hours by which the clock of live traffic may be off: summer time begins and ends."""


class HourProfiles:
    """Reference rows per hour of a day and bin, of the columns whose hours differ."""

    def __init__(self, references: Sequence[ColumnReference], bin_starts: NDArray[np.intp]) -> None:
        each = [_expected(column) for column in references]
        self._bin_starts = bin_starts
        self.known = np.array([bool(len(column.hours)) for column in references], dtype=bool)
        """Columns that have a profile."""
        self.bins: Floats = np.concatenate(each, axis=1) if each else np.zeros((HOURS, 0))
        """Rows per hour and bin, shape (24, bins)."""

    def expected(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return the reference rows per bin, and per column, that a window is compared with.

        Args:
            rows: Rows of the window in each hour, shape (24,).

        Each hour counts as much as the window has of it. Rows are as many as an estimate of such
        a mixture is worth; NaN where the window has an hour that the reference lacks.
        """
        is_used = rows > 0
        weights = rows[is_used, None] / rows.sum()
        bins = self.bins[is_used]
        by_column = np.add.reduceat(bins, self._bin_starts, axis=1)
        by_column[by_column == 0] = np.nan
        sizes = np.diff(np.append(self._bin_starts, bins.shape[1]))
        worth = 1 / (weights**2 / by_column).sum(axis=0)
        shares = (weights * bins / np.repeat(by_column, sizes, axis=1)).sum(axis=0)
        return shares * np.repeat(worth, sizes), worth


def _expected(column: ColumnReference) -> Floats:
    """Return the rows of each hour and bin in which as many more are expected to fall."""
    if not len(column.hours):
        return np.zeros((HOURS, len(column.bins.bin_names)))
    new = per_bin(column.bins, column.expected_counts - column.counts) / max(column.rows, 1)
    expected = column.hours + column.hours.sum(axis=1, keepdims=True) * new
    return np.asarray(np.maximum(expected, 0.0), dtype=np.float64)
