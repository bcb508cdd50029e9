"""Derived columns in words: what they mean, and the features that carry a change of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlmon_exporter.core.derived.joint import COMPONENT, DISTANCE, LEAST_EXPLAINED, RESIDUAL
from mlmon_exporter.core.drift.risen import Risen, risen

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
VECTOR_MEANINGS = {
    "norm": "its length",
    "distance": "its distance from the middle of the reference's vectors, in their spread",
    "residual": "the part of that distance that the greatest components do not explain",
    "component": "one of the directions in which the reference's vectors vary most",
    "mean": "the mean of its numbers",
    "spread": "the standard deviation of its numbers",
}
"""The end of a name that is derived from a vector -> its meaning in a line."""


def meaning_of(name: str) -> str:
    """Return what a derived column means, and what it is derived from."""
    if name in MEANINGS:
        return f"Derived from features: {MEANINGS[name]}"
    stem, _, ending = re.sub(r"_\d+$", "", name).rpartition("_")
    return f"Derived from the vector {stem}: {VECTOR_MEANINGS.get(ending, ending)}"


def carriers(columns: Sequence[ColumnView], window: str) -> list[Risen]:
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
    before, now = (side[column.index].tolist() for side in (bars.reference, summary.current))
    return risen(bars.intervals[column.index], before, now, rows)


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
