"""The reference of what was served: of a window's counts in the cells of the old reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.profile.column import ColumnReference, numeric_column
from mlmon_exporter.core.profile.edges import Cells
from mlmon_exporter.core.profile.hours import NO_HOURS
from mlmon_exporter.core.stats.digests import REFERENCE_CENTROIDS, FastDigest, PureDigest

from .matrix import ReferenceMatrix
from .tally import Tally

Columns = tuple[ColumnReference, ...]


def served_columns(matrix: ReferenceMatrix, tally: Tally, *, keeps_bins: bool) -> Columns:
    """Return the references of all columns, made of a tally's rows.

    Counts are exact in each cell of the old reference, which are the only places where values
    are told apart; quantiles and standard deviations are the digests'. Names of categories that
    the old reference did not keep, and natural variation, are those of the old one. Rows by hour
    of the day are not known.

    Args:
        matrix: The old references.
        tally: Of the rows, in their layout.
        keeps_bins: Bins stay as they are, so that rows in them add up with those of others.
    """
    starts = matrix.layout.cell_starts
    each = zip(matrix.references, starts[:-1], starts[1:], tally.digests, tally.sums, strict=True)
    return tuple(
        _served(old, tally.counts[start:end].astype(np.int64), digest, float(total), keeps_bins)
        for old, start, end, digest, total in each
    )


def _served(
    old: ColumnReference,
    counts: Any,
    digest: FastDigest | PureDigest | None,
    total: float,
    keeps_bins: bool,
) -> ColumnReference:
    if not isinstance(old.bins, NumericBins):
        return replace(old, counts=counts, rare_rows={}, rank_error=0.0, hours=NO_HOURS)
    values = int(counts[:-1].sum())
    mean, sd, shape = np.nan, np.nan, None
    if values and digest is not None:
        means, weights = digest.centroids()
        mean = total / values
        sd = float(np.sqrt(np.average((np.asarray(means) - mean) ** 2, weights=weights)))
        shape = type(digest).from_centroids(means, weights, REFERENCE_CENTROIDS)
    if keeps_bins:
        shaped = replace(old, counts=counts, digest=shape, mean=mean, sd=sd, rank_error=0.0)
        return replace(shaped, hours=NO_HOURS)
    new = numeric_column(old.name, Cells(old.bins.edges, old.bins.atoms), counts, shape, mean, sd)
    return replace(new, looks=old.looks, variation=old.variation, importance=old.importance)
