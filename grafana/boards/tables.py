"""Tables: one row for each set of labels, one column for each expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from grafana_foundation_sdk.builders import table as build
from grafana_foundation_sdk.models.common import TableCellHeight
from grafana_foundation_sdk.models.dashboard import Panel

from .panels import NO_VALUE, Steps, Words, finished, properties
from .queries import NEWEST, Query, letter
from .transformations import merged, organized, sorted_by

OVER = ((1.0, "orange"), (2.0, "red"))
"""Of a score divided by its threshold: over it, and far over it."""
NO_CELL = "-"


class Key(NamedTuple):
    """A column of a label."""

    label: str
    name: str
    link: str = ""
    """A board's uid and what it is told, such as `mlmon-drift?var-model=${__value.raw}`."""
    width: int = 0
    """In pixels; 0 shares what is left, at least 150: more would have to be scrolled to."""
    colors: Mapping[str, str] = MappingProxyType({})
    """Of its values."""


class Column(NamedTuple):
    """A column of numbers."""

    name: str
    expr: str
    unit: str = "short"
    decimals: int | None = None
    steps: Steps = ()
    """Values from which the cell is colored."""
    is_bar: bool = False
    width: int = 0


def table(
    title: str,
    about: str,
    keys: Sequence[Key],
    columns: Sequence[Column],
    none: str = NO_VALUE,
    first: str = "",
) -> Panel:
    """Return a table.

    Args:
        title: The panel's.
        about: What it means.
        keys: Labels that the expressions of all columns have.
        columns: The numbers, in order; the row on top has the greatest of the first.
        none: What is said when there is no row.
        first: The label by which rows are in order instead.
    """
    values = {
        column.name: f"Value #{letter(i)}" if len(columns) > 1 else "Value"
        for i, column in enumerate(columns)
    }
    names = {key.label: key.name for key in keys} | {field: name for name, field in values.items()}
    panel = (
        build.Panel()
        .cell_height(TableCellHeight.SM)
        .with_transformation(merged())
        .with_transformation(sorted_by(first or values[columns[0].name], descending=not first))
        .with_transformation(organized(names, ["Time", "cluster"]))
    )
    for key in keys:
        panel.override_by_name(key.name, properties(_of_key(key)))
    for column in columns:
        panel.override_by_name(column.name, properties(_of_column(column)))
    asked = [Query(column.expr) for column in columns]
    return finished(panel, Words(title, about, "short", none), asked, form=NEWEST)


def _of_key(key: Key) -> dict[str, object]:
    found: dict[str, object] = {"custom.filterable": True}
    if key.width:
        found["custom.width"] = key.width
    if key.colors:
        options = {value: {"color": color} for value, color in key.colors.items()}
        found["mappings"] = [{"type": "value", "options": options}]
        found["custom.cellOptions"] = {"type": "color-text"}
    if key.link:
        job = "" if "var-job=" in key.link else "&${job:queryparam}"
        place = "&${cluster:queryparam}&${namespace:queryparam}"
        keep = f"var-datasource=${{datasource}}{place}{job}&${{instance:queryparam}}"
        url = f"/d/{key.link}&{keep}&${{__url_time_range}}"
        found["links"] = [{"title": "Show ${__value.text}", "url": url, "targetBlank": False}]
    return found


def _of_column(column: Column) -> dict[str, object]:
    found: dict[str, object] = {"unit": column.unit, "noValue": NO_CELL}
    if column.width:
        found["custom.width"] = column.width
    if column.decimals is not None:
        found["decimals"] = column.decimals
    if column.steps:
        base = "green" if column.is_bar else "transparent"
        steps = [{"color": color, "value": value} for value, color in [(None, base), *column.steps]]
        found["thresholds"] = {"mode": "absolute", "steps": steps}
        kind = "gauge" if column.is_bar else "color-background"
        found["custom.cellOptions"] = {"type": kind, "mode": "basic"}
        found["color"] = {"mode": "thresholds"}
    if column.is_bar:
        found |= {"min": 0, "max": 2}
    return found
