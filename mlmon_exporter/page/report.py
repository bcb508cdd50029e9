"""The report: the page as one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Iterator

from mlmon_exporter.core.drift.history import Snapshot

from . import alerts, formatting, overview
from .column_page import column_section
from .document import document, header
from .html import element
from .links import AnchorLinks, Context
from .view import ColumnView, View, ranked, view_of

CALM_SHOWN = 5
"""Columns of a side that have a section without drift; a thousand would load slowly."""


def report(snapshot: Snapshot, window: str | None = None) -> str:
    """Return the report of a snapshot, HTML.

    Args:
        snapshot: Readings and summaries of the monitor.
        window: The window to draw, the longest by default. Scores cover all windows.

    Raises:
        ValueError: There is no such window.
    """
    return report_of(view_of(snapshot, {}), window).decode()


def report_of(view: View, window: str | None = None) -> bytes:
    """Return the report of a view, HTML; raises ValueError where there is no such window."""
    if window is not None and window not in view.windows:
        known = ", ".join(view.windows) or "none yet: no model has a reference"
        raise ValueError(f"window: expected one of {known}, got {window!r}")
    window = window or (view.windows[-1] if view.windows else "")
    columns = list(_with_section(view, window))
    links = AnchorLinks(view.models, columns)
    context = Context(links, window, view.windows)
    sections = [
        column_section(column, context, links.column(column).removeprefix("#"))
        for column in columns
    ]
    over = f", {context.window} window" if context.window else ""
    title = f"Drift report, {formatting.moment(view.now)}{over}"
    body = [
        overview.verdict(view, view.models, context),
        alerts.alerts_section(view, context),
        [overview.model_section(m, context, f"model-{i}") for i, m in enumerate(view.models)],
        overview.feedback_section(view),
        overview.monitor_section(view),
        sections,
        overview.footer(view, context),
    ]
    top = header(view, links, [("", title)], is_paused=True)
    return document(title, top, element("main", body, id="top"), is_file=True)


def _with_section(view: View, window: str) -> Iterator[ColumnView]:
    """Give the columns that have a section: those that drifted, and the next `CALM_SHOWN`."""
    for model in view.models:
        for version in model.versions:
            for side in (version.outputs, version.features, version.derived):
                calm = 0
                for column in ranked(side, window):
                    is_drifted = bool(column.drifted_windows())
                    calm += not is_drifted
                    if is_drifted or calm <= CALM_SHOWN:
                        yield column
