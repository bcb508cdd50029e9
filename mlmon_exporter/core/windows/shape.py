"""The shape of one numeric column's reference, and how far a window's is from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.settings import QUANTILES
from mlmon_exporter.core.stats.curves import Curve, Grid, curve_of, quantiles_of, wasserstein

from .tally import AnyDigest

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Shape:
    """Quantiles and distances: from cells where these are of one value, else from digests."""

    def __init__(self, column: ColumnReference) -> None:
        """Take a numeric column."""
        bins = column.bins
        if not isinstance(bins, NumericBins):
            raise TypeError(f"{column.name}: expected a numeric column, got a {column.kind} one")
        is_atom = np.zeros(len(bins.edges) + 1, dtype=bool)
        is_atom[bins.edges.searchsorted(bins.atoms)] = True
        self._grid, self._atoms = Grid(bins.edges, is_atom), bins.atoms
        self._curve: Curve | None = None
        self.own_quantiles: Floats = np.full(len(QUANTILES), np.nan)
        """The reference's values at `QUANTILES`; NaN where it is empty."""
        if column.digest is not None and column.values:
            counts = column.counts[:-1]
            self._curve = curve_of(self._grid, counts, *column.digest.centroids())
            self.own_quantiles = self.quantiles(counts, column.digest)

    def quantiles(self, counts: Counts, digest: AnyDigest) -> Floats:
        """Return values at `QUANTILES`.

        Args:
            counts: Rows per cell, without missing, at least one row.
            digest: Of the same rows.
        """
        smooth = np.array(digest.quantiles(QUANTILES))
        return quantiles_of(self._grid, counts, self._atoms, QUANTILES, smooth)

    def distance(self, counts: Counts, digest: AnyDigest) -> float:
        """Return the Wasserstein distance to the reference; NaN where that has no rows.

        Args: as for `quantiles`.
        """
        if self._curve is None:
            return np.nan
        return wasserstein(self._curve, curve_of(self._grid, counts, *digest.centroids()))
