"""The page of one feature or output: scores, bins, panes, quantiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from mlmon_exporter.core.drift.history import ScoreHistory
from mlmon_exporter.core.drift.power import least_shift, share_until_seen
from mlmon_exporter.core.drift.tests import SCORES, TESTS
from mlmon_exporter.core.settings import QUANTILES

from . import formatting, labels
from .derived import meaning_of
from .document import cut_name, legend, name_of, tiles, warning_mark, window_choice
from .drawings import chart, pair
from .html import Child, Html, element, text
from .links import Context
from .view import ColumnView, View, worst_window

SHIFT = 0.5
"""Standard deviations of a mean of which the page says after how long it is seen."""
SINCE_START = ("missing", "invalid", "unseen", "out_of_range")
COUNTED = {
    "missing": "Missing",
    "invalid": "Invalid",
    "unseen": "Unseen categories",
    "out_of_range": "Out of range",
}
"""End of a counter's name -> its title."""


def of_column(view: View, column: ColumnView, context: Context) -> list[Child]:
    """Return the body of one column's page."""
    addresses = [context.links.column(column, window) for window in view.windows]
    return [
        element(
            "div",
            element(
                "div",
                element("h1", name_of(column.name)),
                window_choice(view.windows, context.window, addresses),
                class_="bar",
            ),
            element("p", _verdict(column, context.window)),
            class_="verdict",
        ),
        *column_parts(column, context),
    ]


def column_section(column: ColumnView, context: Context, anchor: str) -> Html:
    """Return a column's section in the report."""
    return element(
        "section",
        element("h2", name_of(column.name)),
        element("p", _verdict(column, context.window), class_="soft"),
        [part for part in _parts(column, context) if part is not None],
        id=anchor,
        class_="column",
    )


def column_parts(column: ColumnView, context: Context) -> list[Html]:
    """Return the parts of a column, a section each."""
    return [element("section", part) for part in _parts(column, context) if part is not None]


def _parts(column: ColumnView, context: Context) -> Iterator[Html | None]:
    yield _bins(column, context.window)
    yield text(_scores(column), _counts(column))
    yield _history(column, context.window)
    yield _quantiles(column)


def _verdict(column: ColumnView, window: str) -> Html:
    about = f"{column.kind.capitalize()} {column.side} of "
    if column.is_derived:
        about = f"{meaning_of(column.name)}. Of "
    version = text(" · version ", name_of(column.version)) if column.version else ""
    windows = column.drifted_windows()
    moved: Child = None
    if windows:
        shown = window if window in windows else worst_window(column)
        moved = text(str(column.moved(shown)), f" in {shown}. ")
        state: Child = element(
            "span", warning_mark(True), f"Drifted in {' and '.join(windows)}", class_="over-text"
        )
    elif any(column.verdict(window).test for window in column.summaries):
        state = "Not drifted"
    else:
        state = "Too few rows to tell"
    share = "" if math.isnan(column.importance) else formatting.percent(column.importance)
    weight = f" It has {share} of the importance." if share else None
    return text(state, ". ", moved, about, name_of(column.model), version, ".", weight)


def _scores(column: ColumnView) -> Html:
    windows = list(column.summaries)
    by_score = {test.score: name for name, test in TESTS.items()}
    rows = []
    for score in dict.fromkeys((*labels.SCORES, *SCORES)):
        values = [column.number(score, window) for window in windows]
        if all(math.isnan(value) for value in values):
            continue
        limits = [
            column.number(by_score[score], window) if score in by_score else math.nan
            for window in windows
        ]
        cells = [_score_cell(score, *pair) for pair in zip(values, limits, strict=True)]
        label = labels.score_label(score)
        meaning = element("small", label.meaning, class_="wide")
        title = element("th", element("div", label.title), meaning, scope="row")
        rows.append(element("tr", title, cells))
    heads = [element("th", w, class_="n", scope="col") for w in windows]
    shown = [
        element("td", formatting.count(column.number("window_rows", w)), class_="n")
        for w in windows
    ]
    rows.append(element("tr", element("th", "Rows", scope="row"), shown))
    if column.kind == "numeric":
        rows += (_least_shift(column, windows), _until_seen(column, windows))
    return text(
        element("h2", "Scores and thresholds"),
        element(
            "table",
            element("thead", element("tr", element("th", "Score", scope="col"), heads)),
            element("tbody", rows),
            class_="scores",
        ),
    )


def _least_shift(column: ColumnView, windows: Sequence[str]) -> Html:
    """Return what so many rows can see, as a row of the table."""
    found = [least_shift(column.number("ks_threshold", window)) for window in windows]
    meaning = element("small", "of the mean, in standard deviations", class_="wide")
    title = element("th", element("div", "Smallest shift seen"), meaning, scope="row")
    said = ["" if math.isnan(each) else f"{each:.2g} sd" for each in found]
    cells = [element("td", each.replace("inf sd", "none"), class_="n") for each in said]
    return element("tr", title, cells)


def _until_seen(column: ColumnView, windows: Sequence[str]) -> Html:
    """Return after how many rows a shift is seen, and after how long with as many as now come."""
    meaning = element("small", "at the traffic that the window now has", class_="wide")
    name = f"A shift of {SHIFT:g} sd is seen after"
    cells = []
    for window in windows:
        share = share_until_seen(column.number("ks_threshold", window), SHIFT)
        said: Child = "" if math.isnan(share) else "never"
        if share <= 1:
            rows = round(share * column.number("window_rows", window))
            span = formatting.span(share * column.summaries[window].window.seconds)
            said = text(formatting.counted(rows, "row"), element("small", span))
        cells.append(element("td", said, class_="n"))
    return element("tr", element("th", element("div", name), meaning, scope="row"), cells)


def _score_cell(score: str, value: float, limit: float) -> Html:
    is_over = value > limit
    allowed = f"of {formatting.score(score, limit)}"
    is_known = not math.isnan(limit) and not math.isnan(value)
    return element(
        "td",
        element(
            "span",
            warning_mark(is_over),
            formatting.score(score, value),
            class_="over-text" if is_over else None,
        ),
        element("small", allowed, class_="limit-value") if is_known else None,
        class_="n",
    )


def _counts(column: ColumnView) -> Html:
    entries: list[tuple[str, Child]] = []
    for what in SINCE_START:
        value = column.number(f"{what}_total")
        applies = column.kind == ("categorical" if what == "unseen" else "numeric")
        if not math.isnan(value) and (applies or what in ("missing", "invalid")):
            entries.append((COUNTED[what], formatting.count(value)))
    return text(element("h3", "Rows since the start"), tiles(entries))


def _bins(column: ColumnView, window: str) -> Html:
    summary = column.summaries[window]
    reference = summary.bars.reference[column.index]
    current = summary.current[column.index]
    top = max(float(np.nanmax([*reference, *current], initial=0.0)), 1e-9)
    rows = [
        element(
            "tr",
            element("th", cut_name(name), scope="row"),
            element("td", formatting.percent(r), class_="n"),
            element("td", formatting.percent(c), class_="n"),
            element("td", pair(r, c, top)),
        )
        for name, r, c in zip(
            summary.bars.intervals[column.index], reference.tolist(), current.tolist(), strict=True
        )
    ]
    heads = [("Bin", None), ("Reference", "n"), ("Now", "n"), ("Shares", None)]
    head = [element("th", name, scope="col", class_=class_) for name, class_ in heads]
    widths = [None, "number", "number", "drawn"]
    return text(
        element("h2", f"Reference and the last {window}"),
        element(
            "table",
            element("caption", f"{formatting.counted(summary.rows, 'row')} in the window"),
            element("colgroup", [element("col", class_=width) for width in widths]),
            element("thead", element("tr", head)),
            element("tbody", rows),
            class_="bins",
        ),
        element("div", legend(), class_="below"),
    )


def _history(column: ColumnView, window: str) -> Html | None:
    summary = column.summaries[window]
    charts = []
    for test in column.severities(window):
        score = TESTS[test].score
        history = column.history(test, window)
        known = history.values[~np.isnan(history.values)]
        title = labels.score_label(score).title
        if len(known):
            low, high = (formatting.score(score, float(f(known))) for f in (np.min, np.max))
            label = f"{title} over the last {window}, from {low} to {high}"
            drawn = chart(history, summary.pane_starts, label)
            said = f"highest {high}, {_at_last(history, score)}"
            heading = element("h3", title, element("small", said))
            charts.append(element("div", heading, drawn))
    if not charts:
        return None
    each = formatting.span(summary.window.seconds / len(summary.pane_starts))
    return text(
        element("h2", f"The last {window}"),
        element("p", f"Each point scores {each} of rows.", class_="soft"),
        element("div", charts, class_="grid"),
    )


def _at_last(history: ScoreHistory, score: str) -> str:
    """Return the newest pane's score and threshold as text."""
    last = np.flatnonzero(~np.isnan(history.values))[-1]
    value, limit = (float(part[last]) for part in (history.values, history.thresholds))
    return f"last {formatting.score(score, value)} of {formatting.score(score, limit)}"


def _quantiles(column: ColumnView) -> Html | None:
    if column.kind != "numeric":
        return None
    windows = list(column.summaries)
    reference = column.summaries[windows[0]].bars.quantiles[column.index].tolist()
    rows = [
        element(
            "tr",
            element("th", f"{100 * q:g} %", scope="row"),
            element("td", formatting.number(r), class_="n"),
            [
                element("td", formatting.number(column.number("quantile", str(q), w)), class_="n")
                for w in windows
            ],
        )
        for q, r in zip(QUANTILES, reference, strict=True)
    ]
    heads = [element("th", name, class_="n", scope="col") for name in ("Reference", *windows)]
    return text(
        element("h2", "Quantiles"),
        element(
            "table",
            element("thead", element("tr", element("th", "Rows below", scope="col"), heads)),
            element("tbody", rows),
        ),
    )
