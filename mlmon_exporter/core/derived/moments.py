"""Running covariances of rows, and what principal components are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRINCIPAL_SHARE = 0.65
"""Share of the variance that the components hold which are no residual."""
LEAST_VARIANCE = 1e-3
"""Lesser variances count as this: columns that are copies of each other, but for rounding."""
SINGLE_THREAD = 2**18
"""Products of matrices that BLAS leaves to one thread: its others would take the app's cores."""


class Moments:
    """Mean and sums of products of rows, in one pass. Source: Chan et al. (1983)."""

    def __init__(self, width: int) -> None:
        self.rows = 0
        self.mean: Floats = np.zeros(width)
        self.products: Floats = np.zeros((width, width))

    def add(self, block: Floats) -> None:
        """Add rows, shape (width, rows); those with NaN are left out."""
        block = block[:, ~np.isnan(block).any(axis=0)]
        n, m = self.rows, block.shape[1]
        if not m:
            return
        mean = block.mean(axis=1)
        rest, gap = block - mean[:, None], mean - self.mean
        self.products += rest @ rest.T + np.outer(gap, gap) * (n * m / (n + m))
        self.mean = self.mean + gap * (m / (n + m))
        self.rows = n + m


def principal_of(variances: Floats) -> int:
    """Return how many components, of descending variances, are no residual."""
    share = np.cumsum(variances) / variances.sum()
    return int(np.searchsorted(share, PRINCIPAL_SHARE)) + 1


def product(matrix: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return matrix @ rows, in products that are small enough for one thread."""
    step = 1 + SINGLE_THREAD // matrix.size
    found = np.empty((len(matrix), rows.shape[1]), rows.dtype)
    for start in range(0, rows.shape[1], step):
        found[:, start : start + step] = matrix @ rows[:, start : start + step]
    return found
