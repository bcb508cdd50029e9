"""A reference's columns in pictures, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.drift.history import reference_bars
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.windows.matrix import ReferenceMatrix

from . import figures
from .document import cut_name, document
from .drawings import bars
from .html import Html, element, text
from .report import framed

Floats = NDArray[np.float64]

SPANS = 22
SHOWN = 200
"""Columns of a side; a notebook keeps what it shows in its file."""


def framed_reference(
    model: str,
    created: float,
    features: Sequence[ColumnReference],
    outputs: Sequence[ColumnReference],
) -> Html:
    """Return a reference's columns as a part of a notebook."""
    title = f"Reference of {model}" if model else "Reference"
    rows = max((column.rows for column in (*features, *outputs)), default=0)
    about = f"{figures.counted(rows, 'row')}, built {figures.moment(created)}"
    sides = [_table("Outputs", outputs), _table("Features", features)]
    page = document(
        title,
        element("h2", title),
        element("p", about, class_="soft"),
        sides,
        is_file=True,
    )
    height = 160 + 46 * (len(features) + len(outputs))
    return framed(page.decode(), min(height, 600))


def _shape(column: ColumnReference, shares: Floats) -> Floats:
    """Return what to draw of a column: shares of categories, or of equal spans of its values.

    A numeric column's own bins have much the same share each.
    """
    values = column.quantiles[np.isfinite(column.quantiles)]
    if column.kind == "categorical" or not len(values):
        return shares
    low, high = values[[0, -1]] / 2  # halves, since their span may not be a finite number
    if not high > low:
        return np.ones(1)
    spans = np.minimum((values / 2 - low) / (high - low) * SPANS, SPANS - 1)
    return np.bincount(spans.astype(np.intp), minlength=SPANS) / len(values)


def _table(title: str, columns: Sequence[ColumnReference]) -> Html | None:
    if not columns:
        return None
    drawn = reference_bars(ReferenceMatrix(columns))
    rows = [
        element(
            "tr",
            element("th", cut_name(name), scope="row"),
            element("td", column.kind, class_="soft"),
            element("td", figures.count(column.rows), class_="n"),
            element("td", figures.percent(column.missing / max(column.rows, 1)), class_="n"),
            [element("td", figures.figure(q), class_="n") for q in quantiles[[0, 2, 4]].tolist()],
            element("td", bars(_shape(column, shares), np.zeros(0), "Shape")),
        )
        for column, name, shares, quantiles in list(
            zip(columns, drawn.names, drawn.reference, drawn.quantiles, strict=True)
        )[:SHOWN]
    ]
    heads = ["n:Rows", "n:Missing", "n:5 %", "n:Median", "n:95 %", "Shape"]
    cells = [
        element("th", head.removeprefix("n:"), scope="col", class_="n" if "n:" in head else None)
        for head in heads
    ]
    more = len(columns) - len(rows)
    return text(
        element(
            "table",
            element(
                "thead",
                element(
                    "tr",
                    element("th", title, scope="col"),
                    element("th", "Kind", scope="col"),
                    cells,
                ),
            ),
            element("tbody", rows),
            class_="side",
        ),
        element("p", f"and {figures.count(more)} more", class_="soft") if more else None,
    )
