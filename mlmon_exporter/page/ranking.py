"""Columns as a table, most drifted first: scores, lines over time, bars of shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mlmon_exporter.core.drift.tests import TESTS

from . import figures
from .document import cut_name, mark
from .drawings import bars, sparkline
from .html import Html, element
from .links import Links
from .view import ColumnView
from .words import TITLES


class Place(NamedTuple):
    """How a page is looked at."""

    links: Links
    window: str
    windows: tuple[str, ...] = ()
    """All that could be looked at, shortest first."""
    rest: Callable[[], None] = lambda: None
    """Called now and then in long work."""


def ranked_table(title: str, columns: Sequence[ColumnView], place: Place) -> Html:
    """Return ranked columns as a table; the title is in the plural, such as Features."""
    rows = []
    for column in columns:
        rows.append(_ranked_row(column, place))
        place.rest()
    widths = ["", "score", "number", "number", "number", "picture", "picture"]
    head = table_head(
        "Name",
        "Score",
        "n:Value",
        "n:Threshold",
        "n:Rows",
        f"Last {place.window}",
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


def _ranked_row(column: ColumnView, place: Place) -> Html:
    window = place.window
    found = column.verdict(window)
    picture = column.summaries[window]
    name = cut_name(column.name, place.links.column(column, window))
    test = TESTS.get(found.test)
    score = test.score if test else ""
    values = [figures.of_score(score, value) for value in (found.value, found.threshold)]
    label = f"{TITLES[score]} over the last {window}" if test else ""
    drawn = sparkline(column.history(found.test, window), label) if test else None
    shares = picture.bars.reference[column.index], picture.current[column.index]
    return element(
        "tr",
        element("th", name, scope="row"),
        element("td", TITLES[score] if test else "too few rows", class_="score soft"),
        element("td", mark(found.is_drifted), values[0], class_="n value"),
        element("td", values[1], class_="n limit"),
        element("td", figures.count(picture.rows), class_="n wide"),
        element("td", drawn, class_="drawn"),
        element("td", bars(*shares, "Shares per bin, reference and now"), class_="drawn"),
        class_="over" if found.is_drifted else None,
    )


def table_head(*titles: str) -> Html:
    """Return a table's head.

    Before a title, `n:` says that the column has numbers, `wide:` that small screens go without,
    `wide n:` both.
    """
    cells = []
    for title in titles:
        kind, _, name = title.rpartition(":")
        cells.append(element("th", name, scope="col", class_=kind or None))
    return element("thead", element("tr", cells))
