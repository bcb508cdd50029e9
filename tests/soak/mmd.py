"""A test of maximum mean discrepancy, the usual one of two samples of many columns.

Source: Gretton et al. (2012), A Kernel Two-Sample Test.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CALM_DAYS = 30
"""One false alarm is allowed in so many days."""
MOST_ROWS = 2000
"""Of the reference, drawn at random: time grows with the square of the rows."""
PAIRS = 1000
"""Pairs of rows whose median distance is the kernel's width."""


class MMD:
    """A reference, and chunks of rows that are compared with a part of it.

    The kernel is Gaussian on standard deviations, its width the median distance of two rows. The
    level allows one false alarm in `CALM_DAYS` of so many chunks a day.
    """

    def __init__(self, reference: Floats, chunks_a_day: float, rng: np.random.Generator) -> None:
        """Learn the scale of rows, shape (rows, columns)."""
        self._rng = rng
        self._mean, self._sd = reference.mean(axis=0), reference.std(axis=0)
        self._sd[self._sd == 0] = math.inf
        self._reference = self._scaled(reference)
        left, right = self._reference[rng.integers(0, len(reference), (2, PAIRS))]
        self._width = float(np.median(np.square(left - right).sum(axis=1)))
        self._chance = 1 / (CALM_DAYS * chunks_a_day)

    def _scaled(self, rows: Floats) -> Floats:
        return np.asarray((rows - self._mean) / self._sd, dtype=np.float32)

    def has_drifted(self, chunk: Floats) -> bool:
        """Test a chunk by permutations, as few as the level needs."""
        count = min(len(chunk), MOST_ROWS)
        drawn = self._rng.choice(len(self._reference), count, replace=False)
        rows = np.concatenate((self._reference[drawn], self._scaled(chunk)[:count]))
        sizes = np.square(rows).sum(axis=1)
        kernel = np.exp((2 * rows @ rows.T - sizes[:, None] - sizes) / self._width)
        signs = np.repeat(np.array([1, -1], dtype=np.float32), count)
        permutations = math.ceil(2 / self._chance)
        each = np.array([signs, *(self._rng.permutation(signs) for _ in range(permutations))])
        found = ((each @ kernel) * each).sum(axis=1)
        return bool((found >= found[0]).sum() <= self._chance * (permutations + 1))


def alarms(reference: Floats, rows: Floats, size: int, rows_a_day: float) -> list[int]:
    """Return the rows so far at each chunk of `size` rows that has drifted where the last had not.

    Args:
        reference: Shape (rows, columns).
        rows: Those that are judged, in order.
        size: Rows of a chunk.
        rows_a_day: How many chunks there are in a day.
    """
    test, found, was = MMD(reference, rows_a_day / size, np.random.default_rng(0)), [], False
    for end in range(size, len(rows) + 1, size):
        is_drifted = test.has_drifted(rows[end - size : end])
        if is_drifted and not was:
            found.append(end)
        was = is_drifted
    return found
