"""Derived columns in words: what they mean, and the features that carry a change of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mlmon_exporter.core.derived.joint import COMPONENT, DISTANCE, LEAST_EXPLAINED, RESIDUAL

from . import formatting
from .document import name_of
from .html import Html, element, text
from .view import ColumnView

MEANINGS = {
    DISTANCE: "distance of a row from the middle of all features, in the reference's spread",
    RESIDUAL: "the part of it in which features that belong together disagree",
    COMPONENT: "the sum of features, each with its weight, that hardly varies in the reference",
    LEAST_EXPLAINED: "the feature that is farthest from what the others lead to expect",
}
"""Derived column -> its meaning in a line."""
CARRIERS = 3
LEAST_RISE, LEAST_ERRORS = 0.01, 4.0
"""A feature carries a change if its share rises by so much, and by so many standard errors."""


class Carrier(NamedTuple):
    """A feature that stands out in more rows than in the reference."""

    name: str
    before: float
    """Share of the rows in which it is the least explained one, 0 to 1."""
    now: float


def carriers(columns: Sequence[ColumnView], window: str) -> list[Carrier]:
    """Return the features that carry a change of how features go together, greatest rise first.

    Args:
        columns: Derived columns.
        window: The window.
    """
    column = next((each for each in columns if each.name == LEAST_EXPLAINED), None)
    if column is None:
        return []
    summary = column.summaries[window]
    bars, rows = summary.bars, summary.rows
    shares = (side[column.index].tolist() for side in (bars.reference, summary.current))
    each = map(Carrier, bars.intervals[column.index], *shares)
    risen = [c for c in each if c.now - c.before > max(LEAST_RISE, LEAST_ERRORS * _error(c, rows))]
    return sorted(risen, key=lambda carrier: carrier.before - carrier.now)[:CARRIERS]


def _error(carrier: Carrier, rows: int) -> float:
    return math.sqrt(max(carrier.before, 1 / max(rows, 1)) / max(rows, 1))


def carried(columns: Sequence[ColumnView], window: str) -> Html | None:
    """Return the sentence that names the features that carry a drift, None without one."""
    if not any(column.verdict(window).is_drifted for column in columns):
        return None
    found = carriers(columns, window)
    if not found:
        return None
    each = [
        text(
            ", " if i else "",
            element("b", name_of(carrier.name)),
            f" ({formatting.percent(carrier.before)} → {formatting.percent(carrier.now)} of rows)",
        )
        for i, carrier in enumerate(found)
    ]
    return element(
        "p", "Least explained by the other features, more often than before: ", each, "."
    )
