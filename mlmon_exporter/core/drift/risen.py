"""Categories whose share rose by more than chance; of a derived column they name features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

MOST = 3
LEAST_RISE, LEAST_ERRORS = 0.01, 4.0
"""A category has risen by so much at least, and by so many standard errors."""


class Risen(NamedTuple):
    """A category that has more of the rows than in the reference."""

    name: str
    before: float
    """Share of the reference's rows, 0 to 1."""
    now: float
    """Share of the window's rows, 0 to 1."""


def risen(
    names: Sequence[str], before: Sequence[float], now: Sequence[float], rows: int
) -> list[Risen]:
    """Return the categories that rose most, three at most, greatest rise first.

    Args:
        names: Of all categories.
        before: Share of each in the reference, 0 to 1.
        now: Share of each in the window, 0 to 1; NaN: not risen.
        rows: Rows of the window.
    """
    found = [each for each in map(Risen, names, before, now) if _has_risen(each, max(rows, 1))]
    return sorted(found, key=lambda each: each.before - each.now)[:MOST]


def _has_risen(each: Risen, rows: int) -> bool:
    error = math.sqrt(max(each.before, 1 / rows) / rows)
    return each.now - each.before > max(LEAST_RISE, LEAST_ERRORS * error)
