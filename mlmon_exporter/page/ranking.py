"""The table of columns, most drifted first: score, line over time, bars of shares."""

from __future__ import annotations

from collections.abc import Sequence

from mlmon_exporter.core.drift.tests import TESTS

from . import formatting
from .document import cut_name, table_head, warning_mark
from .drawings import bars, sparkline
from .html import Html, element
from .labels import score_label
from .links import Context
from .view import ColumnView


def ranked_table(title: str, columns: Sequence[ColumnView], context: Context) -> Html:
    """Return the table of ranked columns under a title such as `Features`."""
    rows = []
    for column in columns:
        rows.append(_ranked_row(column, context))
        context.pause()
    widths = ["", "score", "number", "number", "number", "picture", "picture"]
    head = table_head(
        "Name",
        "Score",
        "n:Value",
        "n:Threshold",
        "n:Rows",
        f"Last {context.window}",
        "Reference and now",
    )
    return element(
        "table",
        element("caption", element("b", title), "most drifted first"),
        element("colgroup", [element("col", class_=width or None) for width in widths]),
        head,
        element("tbody", rows),
        class_="ranked",
    )


def _ranked_row(column: ColumnView, context: Context) -> Html:
    window = context.window
    found = column.verdict(window)
    summary = column.summaries[window]
    name = cut_name(column.name, context.links.column(column, window))
    test = TESTS.get(found.test)
    score = test.score if test else ""
    values = [formatting.score(score, value) for value in (found.value, found.threshold)]
    label = f"{score_label(score).title} over the last {window}" if test else ""
    drawn = sparkline(column.history(found.test, window), label) if test else None
    shares = summary.bars.reference[column.index], summary.current[column.index]
    return element(
        "tr",
        element("th", name, scope="row"),
        element("td", score_label(score).title if test else "too few rows", class_="score soft"),
        element("td", warning_mark(found.is_drifted), values[0], class_="n value"),
        element("td", values[1], class_="n limit"),
        element("td", formatting.count(summary.rows), class_="n wide"),
        element("td", drawn, class_="drawn"),
        element("td", bars(*shares, "Shares per bin, reference and now"), class_="drawn"),
        class_="over" if found.is_drifted else None,
    )
