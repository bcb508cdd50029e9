"""A board: its variables, links and annotations, and where its panels are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardDashboardTemplating,
    DashboardDashboardTime,
    DashboardLink,
    DashboardLinkType,
    GridPos,
    Panel,
    RowPanel,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
    VariableType,
)

from .promql import FIRING, MODEL, MODELS, PLACE, ROLLOUT, SERVERS
from .queries import SOURCE

COLUMNS = 24
"""Grafana's grid."""
TAG = "mlmon"
Shown = TypeVar("Shown", DashboardLink, AnnotationQuery)


class Line(NamedTuple):
    """Panels side by side."""

    height: int
    """In Grafana's units of 38 pixels."""
    panels: Sequence[Panel]
    widths: Sequence[int] = ()
    """In columns; by default all have the same."""


class Row(NamedTuple):
    """A titled part of a board."""

    title: str
    lines: Sequence[Line]
    is_collapsed: bool = False
    """Whether its panels are hidden, and not asked for, until somebody opens it."""


class Choice(NamedTuple):
    """A choice of one value."""

    name: str
    label: str
    metric: str
    """The metric whose label has the values, such as `mlmon_feature_psi{{{where}}}`."""


class Board(NamedTuple):
    """What a board is told beside its rows."""

    uid: str
    title: str
    about: str
    hours: int = 6
    """How far it looks back when it is opened."""
    is_of_one_model: bool = False
    choices: Sequence[Choice] = ()


def dashboard(board: Board, rows: Sequence[Row]) -> Dashboard:
    """Return Grafana's board."""
    return Dashboard(
        uid=board.uid,
        title=board.title,
        description=board.about,
        tags=[TAG],
        editable=False,
        graph_tooltip=DashboardCursorSync.CROSSHAIR,
        time=DashboardDashboardTime(f"now-{board.hours}h", "now"),
        refresh="1m",
        timezone="browser",
        links=[_link()],
        annotations=AnnotationContainer(_annotations()),
        templating=DashboardDashboardTemplating(_variables(board)),
        panels=_placed(rows),
    )


def text_of(board: Dashboard) -> str:
    """Return a board as the JSON that Grafana reads, the same bytes every time."""
    return json.dumps(board, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _placed(rows: Sequence[Row]) -> list[Panel | RowPanel]:
    """Return rows and their panels, one below the other, with ids from 1."""
    found: list[Panel | RowPanel] = []
    top = 0
    next_id = 1
    for row in rows:
        place = GridPos(h=1, w=COLUMNS, x=0, y=top)
        title = RowPanel(title=row.title, grid_pos=place, id_val=next_id, panels=[])
        title.collapsed = row.is_collapsed
        found.append(title)
        top, next_id, below = top + 1, next_id + 1, top + 1
        panels: list[Panel] = []
        for line in row.lines:
            panels += _side_by_side(line, below, next_id)
            below, next_id = below + line.height, next_id + len(line.panels)
        if row.is_collapsed:
            title.panels = panels
        else:
            found += panels
            top = below
    return found


def _side_by_side(line: Line, top: int, first_id: int) -> Sequence[Panel]:
    widths = line.widths or [COLUMNS // len(line.panels)] * len(line.panels)
    left = 0
    for i, (panel, width) in enumerate(zip(line.panels, widths, strict=True)):
        panel.id_val = first_id + i
        panel.grid_pos = GridPos(h=line.height, w=width, x=left, y=top)
        left += width
    return line.panels


def _link() -> DashboardLink:
    link = DashboardLink(
        title="Model boards",
        type_val=DashboardLinkType.DASHBOARDS,
        icon="external link",
        tags=[TAG],
        as_dropdown=True,
        include_vars=True,
        keep_time=True,
    )
    return _in_sight(link)


def _annotations() -> list[AnnotationQuery]:
    rollout = AnnotationQuery(
        name="Rollouts",
        datasource=SOURCE,
        icon_color="blue",
        expr=ROLLOUT,
        step="1m",
        title_format="{{model}} {{version}}",
        text_format="New version or reference: {{reference}}",
        tag_keys="model,version",
    )
    firing = AnnotationQuery(
        name="Firing alerts",
        datasource=SOURCE,
        icon_color="red",
        expr=FIRING,
        step="1m",
        title_format="{{alertname}}",
        text_format="{{severity}} {{model}} {{feature}}",
        tag_keys="severity,model",
    )
    return [_in_sight(rollout), _in_sight(firing)]


def _in_sight(shown: Shown) -> Shown:
    # The builder's default would put it into a menu.
    shown.placement = None  # type: ignore[assignment]
    return shown


def _variables(board: Board) -> list[VariableModel]:
    source = VariableModel(
        type_val=VariableType.DATASOURCE,
        name="datasource",
        label="Data source",
        query="prometheus",
        refresh=VariableRefresh.ON_DASHBOARD_LOAD,
    )
    where = MODEL if board.is_of_one_model else MODELS
    one = board.is_of_one_model
    info = "mlmon_model_info"
    return [
        source,
        # Where scrapes set no cluster or namespace, these are empty, which `.+` does not match.
        _choice("cluster", "Cluster", "mlmon_build_info", is_one=False, everything=".*"),
        _choice("namespace", "Namespace", "mlmon_build_info", is_one=False, everything=".*"),
        _choice("job", "Job", "mlmon_build_info", is_one=False),
        _choice("instance", "Instance", f"mlmon_build_info{{{PLACE}}}", is_one=False),
        _choice("model", "Model", f"{info}{{{SERVERS}}}", is_one=one),
        # A model without a version has an empty one, which `.+` does not match.
        _choice("version", "Version", _until_model(info, where), is_one=False, everything=".*"),
        *(
            _choice(choice.name, choice.label, choice.metric.format(where=where), is_one=True)
            for choice in board.choices
        ),
    ]


def _until_model(metric: str, where: str) -> str:
    return f"{metric}{{{where.rpartition(',')[0]}}}"


def _choice(
    name: str, label: str, series: str, *, is_one: bool, everything: str = ".+"
) -> VariableModel:
    query = f"label_values({series}, {name})"
    found = VariableModel(
        type_val=VariableType.QUERY,
        name=name,
        label=label,
        query=query,
        definition=query,
        datasource=SOURCE,
        refresh=VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=VariableSort.NATURAL_ASC,
    )
    if not is_one:
        found.multi, found.include_all, found.all_value = True, True, everything
        found.current = VariableOption(True, ["All"], ["$__all"])
    return found
