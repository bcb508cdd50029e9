"""The shape of one numeric column's reference, and how far a window's is from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.settings import QUANTILES
from mlmon_exporter.core.stats.curves import Curve, Grid, area, curve_of, quantiles_of, wasserstein

from .tally import AnyDigest

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


_SHARES = np.array(QUANTILES)
PLAIN_SHARE = 0.0015
"""Of a standard deviation: cells alone tell the shape of a column that is so near to them."""


class Shape:
    """Quantiles and distances: from cells where these are of one value, else from digests."""

    def __init__(self, column: ColumnReference) -> None:
        """Take a numeric column."""
        bins = column.bins
        if not isinstance(bins, NumericBins):
            raise TypeError(f"{column.name}: expected a numeric column, got a {column.kind} one")
        self._grid = Grid.of(bins.edges, bins.atoms)
        self._curve: Curve | None = None
        self.own_quantiles: Floats = np.full(len(QUANTILES), np.nan)
        """The reference's values at `QUANTILES`; NaN where it is empty."""
        if column.digest is not None and column.values:
            counts = column.counts[:-1]
            self._curve = curve_of(self._grid, counts, *column.digest.centroids())
            self.own_quantiles = self.quantiles(counts, column.digest)
        self._shares = np.cumsum(column.counts[:-1])[:-1] / max(column.values, 1)
        self._is_plain = self._is_told_by_cells(column.sd)

    def _is_told_by_cells(self, sd: float) -> bool:
        """Tell whether the reference's rows lie evenly in its cells, tails included."""
        if self._curve is None:
            return False
        by_cells = Curve(self._grid.edges, self._shares)
        return wasserstein(self._curve, by_cells) <= PLAIN_SHARE * sd

    def quantiles(self, counts: Counts, digest: AnyDigest) -> Floats:
        """Return values at `QUANTILES`.

        Args:
            counts: Rows per cell, without missing, at least one row.
            digest: Of the same rows.
        """
        return quantiles_of(self._grid, counts, _SHARES, np.array(digest.quantiles(QUANTILES)))

    def distance(self, counts: Counts, digest: AnyDigest) -> float:
        """Return the Wasserstein distance to the reference; NaN where that has no rows.

        Args: as for `quantiles`.
        """
        if self._curve is None:
            return np.nan
        if self._is_plain and not counts[0] and not counts[-1]:
            # A fifth of the time, and nothing is beyond the cells.
            shares = np.cumsum(counts)[:-1] / counts.sum()
            with np.errstate(over="ignore"):
                widths = np.diff(self._grid.edges)  # cheaper to make than to keep for each column
            return area(widths, shares - self._shares)
        return wasserstein(self._curve, curve_of(self._grid, counts, *digest.centroids()))
