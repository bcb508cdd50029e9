"""The table of columns, most drifted first: score, line over time, bars of shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlmon_exporter.core.drift.tests import TESTS

from . import formatting
from .document import cut_name, table_head, warning_mark
from .drawings import bars, sparkline
from .html import Html, element
from .labels import score_label
from .links import Context
from .view import ColumnView

ON_PHONES = 2
"""Columns of a shortened table on a small screen; the verdicts name all that drifted."""
LEAST_POINTS = 3
"""A line of fewer points says less than one of a shorter window."""


def ranked_table(
    title: str, columns: Sequence[ColumnView], context: Context, *, is_short: bool = False
) -> Html:
    """Return the table of ranked columns under a title such as `Features`.

    Small screens leave most columns out of a table `is_short`: others are a link away.
    """
    drawn = _drawn_window(columns, context)
    is_weighed = not all(math.isnan(column.importance) for column in columns)
    rows = []
    for i, column in enumerate(columns):
        is_more = is_short and i >= ON_PHONES
        rows.append(_ranked_row(column, context, drawn, is_more, is_weighed))
        context.pause()
    widths = ["", "score", *["number"] * (3 + is_weighed), "picture", "picture"]
    head = table_head(
        "Name",
        "Score",
        "n:Value",
        "n:Threshold",
        "n:Rows",
        *(["n:Importance"] if is_weighed else []),
        f"Last {drawn}",
        "Reference and now",
    )
    return element(
        "table",
        element("caption", element("b", title), _order(is_weighed=is_weighed)),
        element("colgroup", [element("col", class_=width or None) for width in widths]),
        head,
        element("tbody", rows),
        class_="ranked",
    )


def _drawn_window(columns: Sequence[ColumnView], context: Context) -> str:
    """Return the window of the lines: the chosen one, unless it is as good as empty yet."""
    points = {
        window: max((column.scored_panes(window) for column in columns), default=0)
        for window in (context.window, *context.windows)
    }
    if points[context.window] >= LEAST_POINTS:
        return context.window
    return max(points, key=lambda window: points[window])


def _order(*, is_weighed: bool) -> str:
    return "most drifted, times importance, first" if is_weighed else "most drifted first"


def _ranked_row(
    column: ColumnView, context: Context, drawn_window: str, is_more: bool, is_weighed: bool
) -> Html:
    window = context.window
    found = column.verdict(window)
    summary = column.summaries[window]
    name = cut_name(column.name, context.links.column(column, window))
    test = TESTS.get(found.test)
    score = test.score if test else ""
    values = [formatting.score(score, value) for value in (found.value, found.threshold)]
    label = f"{score_label(score).title} over the last {drawn_window}" if test else ""
    drawn = sparkline(column.history(found.test, drawn_window), label) if test else None
    shares = summary.bars.reference[column.index], summary.current[column.index]
    return element(
        "tr",
        element("th", name, scope="row"),
        element("td", score_label(score).title if test else "too few rows", class_="score soft"),
        element("td", warning_mark(found.is_drifted), values[0], class_="n value"),
        element("td", values[1], class_="n limit"),
        element("td", formatting.count(summary.rows), class_="n wide"),
        element("td", formatting.percent(column.importance), class_="n wide")
        if is_weighed
        else None,
        element("td", drawn, class_="drawn"),
        element("td", bars(*shares, "Shares per bin, reference and now"), class_="drawn"),
        class_=" ".join(["over"] * bool(found.is_drifted) + ["more"] * is_more) or None,
    )
