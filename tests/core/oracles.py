"""Exact scores of raw rows, in the plainest NumPy."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np


def exact_ks(reference: Any, current: Any) -> float:
    """Greatest gap between the two sides' distribution functions."""
    points = np.concatenate((reference, current))
    below = [
        np.searchsorted(np.sort(side), points, side="right") / len(side)
        for side in (reference, current)
    ]
    return float(np.abs(below[0] - below[1]).max())


def rows_per_bin(values: Any, bin_edges: Any) -> list[int]:
    """Rows in each bin `(edge before, edge]`, missing ones last."""
    edges = [-math.inf, *bin_edges, math.inf]
    finite = values[np.isfinite(values)]
    rows = [
        int(np.count_nonzero((finite > low) & (finite <= high))) for low, high in pairwise(edges)
    ]
    return [*rows, len(values) - len(finite)]


def exact_psi(reference_rows: list[int], current_rows: list[int]) -> float:
    """PSI with half a row added to each bin."""
    shares = []
    for rows in (reference_rows, current_rows):
        padded = np.array(rows) + 0.5
        shares.append(padded / padded.sum())
    r, c = shares
    return float(((c - r) * np.log(c / r)).sum())
