"""The reference of a column of which there is only a digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlmon_exporter.core.stats.centroids import atoms_of, cdf_of
from mlmon_exporter.core.stats.digests import REFERENCE_CENTROIDS, FastDigest, centroids_of

from .column import ColumnReference, numeric_column
from .edges import Cells, choose_edges, edge_ranks, with_own_cell


def reference_from_digest(name: str, form: Mapping[str, Any]) -> ColumnReference:
    """Read it off the digest's dictionary form; raises ValueError as `digests.from_dict` does."""
    means, weights = centroids_of(form)
    if not len(means):
        return numeric_column(name, Cells(np.empty(0)), np.zeros(2, dtype=np.int64))
    digest = FastDigest.from_centroids(means, weights, REFERENCE_CENTROIDS)
    atoms = atoms_of(means, weights, float(form.get("delta", 0.01)))
    quantiles = np.array(digest.quantiles(edge_ranks().tolist()))
    edges = choose_edges(quantiles, atoms[0], means)
    shares, rank_error = cdf_of(means, weights, edges, atoms)
    total = np.rint(weights.sum())
    counts = np.diff(np.concatenate(([0], np.rint(shares * total), [total]))).astype(np.int64)
    mean = float(np.average(means, weights=weights))
    sd = float(np.sqrt(np.average((means - mean) ** 2, weights=weights)))
    if means[0] == means[-1]:  # but for the rounding of sums
        mean, sd = float(means[0]), 0.0
    cells = Cells(edges, with_own_cell(edges, atoms[0]))
    return numeric_column(name, cells, np.append(counts, 0), digest, mean, sd, rank_error)
