"""Design effects: alike rows of one request tell less than as many independent rows.

A basket, a patient, a store: where each request has the rows of one, a window of 2 000 rows in 40
requests scatters as one of 40 rows does. How much alike they are is measured, column by column,
and the noise that thresholds allow for is multiplied by the design effect. Source: Kish (1965),
Survey Sampling, chapters 5 and 8: the variance of a mean of clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MISSING_PLACE = 1.5
"""Place of a missing value on the scale on which other values are from -1 to 1."""
_TURN = 2.4
"""Radians from one category to the next, so that any two are apart."""


class Scale:
    """Puts values of all columns between -1 and 1, so that no outlier outweighs the others."""

    def __init__(self, is_numeric: NDArray[np.bool_], ranks: Floats) -> None:
        """Scale the middle of each column to -1 to 1.

        Args:
            is_numeric: Of each column; categories have no middle.
            ranks: Shape (numeric columns, ranks): the reference's values in ascending order.
        """
        ends = np.zeros((2, len(is_numeric), 1))
        if ranks.size:
            tenth = ranks.shape[1] // 10
            middle, all_values = ranks[:, [tenth, -1 - tenth]], ranks[:, [0, -1]]
            is_wide = middle[:, :1] < middle[:, 1:]
            ends[:, is_numeric, 0] = np.where(is_wide, middle, all_values).T
        low, high = ends
        with np.errstate(over="ignore", invalid="ignore"):
            half = (high - low) / 2
            center = low + half
        self._half = np.where((half > 0) & np.isfinite(half), half, 1.0)
        self._center = np.where(np.isfinite(center), center, 0.0)
        self._is_categorical = ~is_numeric

    def sums(self, block: Floats, sizes: Sequence[int], first: int = 0) -> Floats:
        """Return `RequestRows.sums` of some columns, shape (4, columns).

        Args:
            block: Shape (columns, rows): numbers, and cell numbers of categorical columns; the
                rows of one request after those of another.
            sizes: Rows of each request.
            first: Number of the first of these columns.
        """
        columns = slice(first, first + len(block))
        with np.errstate(over="ignore", invalid="ignore"):
            places = (block - self._center[columns]) / self._half[columns]
        np.clip(places, -1.0, 1.0, out=places)
        categorical = self._is_categorical[columns]
        if categorical.any():
            places[categorical] = np.cos(_TURN * block[categorical])
        places[np.isnan(places)] = MISSING_PLACE
        rows = np.asarray(sizes)
        totals = np.add.reduceat(places, np.cumsum(rows) - rows, axis=1)
        return np.array(
            (
                np.einsum("ij,ij->i", totals, totals),
                totals @ rows,
                totals.sum(axis=1),
                np.einsum("ij,ij->i", places, places),
            )
        )


class RequestRows(NamedTuple):
    """Sums over the requests of several rows."""

    rows: float
    """Rows of these requests."""
    squares: float
    """Squares of the rows of each, added up."""
    sums: Floats
    """Shape (4, columns). Of each request's sum of places (see `Scale`): its square, its product
    with the request's rows, itself; and the squares of all places."""


def of_sizes(sizes: Sequence[int], sums: Floats) -> RequestRows:
    """Return the sums of requests of so many rows each."""
    return RequestRows(float(sum(sizes)), float(sum(size**2 for size in sizes)), sums)


def merged(ours: RequestRows | None, theirs: RequestRows | None) -> RequestRows | None:
    """Return the sums of both; None stands for no requests."""
    if ours is None or theirs is None:
        return ours or theirs
    return RequestRows(
        ours.rows + theirs.rows, ours.squares + theirs.squares, ours.sums + theirs.sums
    )


def design_effects(requests: RequestRows | None, rows: int, columns: int) -> Floats:
    """Return the factor by which each column's noise exceeds that of independent rows.

    Args:
        requests: Of the window's requests of several rows; None where there were none.
        rows: All rows of the window.
        columns: Number of columns.

    Returns:
        1 where rows are independent, up to the rows of a request where they are all the same.
        With few requests it is what it may well be rather than what was seen, up to all the same.
    """
    if requests is None or not requests.rows:
        return np.ones(columns)
    of_sums, with_rows, total, squares = requests.sums
    mean = total / requests.rows
    between = of_sums - 2 * mean * with_rows + mean**2 * requests.squares
    within = squares - mean**2 * requests.rows
    most = requests.squares / requests.rows
    count = requests.rows**2 / requests.squares
    is_apart = within > 1e-9 * squares
    seen = np.divide(between, within, out=np.full(columns, most), where=is_apart)
    effect = np.clip(np.maximum(seen, 1e-9) * _doubt(count), 1.0, most)
    alone = max(rows - requests.rows, 0.0)
    return np.asarray((effect * requests.rows + alone) / (requests.rows + alone))


def _doubt(requests: float) -> float:
    """Return the factor by which the true variance may exceed one seen over so many requests.

    More with a probability of one in a thousand. Source: the chi-square law of a variance, its
    quantile by Wilson and Hilferty (1931); infinite for few requests.
    """
    degrees = requests - 1
    if degrees <= 0:
        return np.inf
    step = 2 / (9 * degrees)
    root = 1 - step - 3.09 * np.sqrt(step)
    return float(requests / (degrees * root**3)) if root > 0 else np.inf


def effective_rows(reference_rows: NDArray[Any], rows: int, effects: Floats) -> Floats:
    """Return the number of independent rows that scatter as a window does, 1 or more.

    The reference's rows came in the same requests, as far as is known, so their noise
    counts here as well. Laws that take the reference as it is then have the right noise of both.
    """
    n, m = np.maximum(reference_rows, 1.0), float(max(rows, 1))
    fewer = 1 / (effects * (1 / n + 1 / m) - 1 / n)
    return np.where(effects > 1.0, np.maximum(fewer, 1.0), m)
