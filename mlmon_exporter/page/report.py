"""The page as one file: all models and all their columns, with nothing to load."""

from __future__ import annotations

from collections.abc import Iterator

from mlmon_exporter.core.drift.history import Snapshot

from . import figures, firing, overview
from .column_page import column_section
from .document import document, header
from .html import element
from .links import AnchorLinks
from .ranking import Place
from .traffic import since_the_start
from .view import ColumnView, View, ranked, view_of

CALM_SHOWN = 5
"""Columns of a side that did not drift and yet have a section; a thousand would take long to load.
"""


def report(snapshot: Snapshot, window: str | None = None) -> str:
    """Return the report of a snapshot, HTML.

    Args:
        snapshot: What the monitor says.
        window: Which window is drawn; the longest by default. Scores are given of all.

    Raises:
        ValueError: There is no such window.
    """
    view = view_of(snapshot, since_the_start(snapshot.blocks))
    if window is not None and window not in view.windows:
        known = ", ".join(view.windows) or "none yet: no model has a reference"
        raise ValueError(f"window: expected one of {known}, got {window!r}")
    window = window or (view.windows[-1] if view.windows else "")
    columns = list(_told_of(view, window))
    links = AnchorLinks(view.models, columns)
    place = Place(links, window, view.windows)
    sections = [
        column_section(column, place, links.column(column).removeprefix("#")) for column in columns
    ]
    over = f", {place.window} window" if place.window else ""
    title = f"Drift report, {figures.moment(view.now)}{over}"
    body = [
        overview.verdict(view, view.models, place),
        firing.firing(view, place),
        [overview.model_section(m, place, f"model-{i}") for i, m in enumerate(view.models)],
        overview.feedback_section(view),
        overview.monitor_section(view),
        sections,
        overview.footer(view),
    ]
    top = header(view, links, [("", title)], is_paused=True)
    page = document(title, top, element("main", body, id="top"), is_file=True)
    return page.decode()


def _told_of(view: View, window: str) -> Iterator[ColumnView]:
    """Give the columns that have a section: those that drifted, and the next `CALM_SHOWN`."""
    for model in view.models:
        for version in model.versions:
            for side in (version.outputs, version.features):
                calm = 0
                for column in ranked(side, window):
                    is_drifted = bool(column.drifted_windows())
                    calm += not is_drifted
                    if is_drifted or calm <= CALM_SHOWN:
                        yield column
