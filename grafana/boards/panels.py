"""Panels as we draw them: one function for each way to see, with what all panels need.

Each panel says in its description which metrics it is made of; they are read off its expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self

from grafana_foundation_sdk.builders import (
    barchart,
    common,
    heatmap,
    stat,
    statushistory,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    MatcherConfig,
    Panel,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .promql import BY_PLACE
from .queries import BUCKETS, NEWEST, OVER_TIME, SOURCE, Query, letter, metrics_of, target
from .transformations import merged, organized, sorted_by

NO_VALUE = "No traffic"
GOOD, BAD, WORST, PLAIN = "green", "orange", "red", "text"
REFERENCE = "#8e8e8e"
Steps = Sequence[tuple[float, str]]
"""Values from which a color holds, in order."""


class Style(NamedTuple):
    """How the series of one name differ from the others of their panel."""

    name: str
    """A regular expression of the name."""
    properties: Mapping[str, object]


class Axis(NamedTuple):
    """What the axis of values shows, beside the values."""

    least: float | None = 0
    """Where the axis begins; None at the least value."""
    limit: float | None = None
    """What the value should stay under: a dashed line that is always in sight."""
    most: float | None = None
    """Where the axis ends, if not at the greatest value."""
    least_top: float | None = None
    """Where it ends when all values are less, so that nothing looks like nothing."""
    bend: float | None = None
    """The value from which it is logarithmic."""
    is_stacked: bool = False
    """Whether areas add up."""


class Words(NamedTuple):
    """What a panel says."""

    title: str
    about: str
    """What it means, in a sentence or two."""
    unit: str
    """Of Grafana's list."""
    none: str = NO_VALUE
    """What is said when there is nothing to show."""


class Drawable(Protocol):
    """What the builders of all kinds of panels have in common."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: options.DataSourceRef) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def with_target(self, target: Any) -> Self: ...
    def with_override(
        self, matcher: MatcherConfig, properties: list[DynamicConfigValue]
    ) -> Self: ...
    def build(self) -> Panel: ...


def fixed(color: str) -> dict[str, object]:
    """Return the property that gives a series its color."""
    return {"color": {"mode": "fixed", "fixedColor": color}}


THRESHOLD = Style(
    "/threshold$|^noise/",
    {
        **fixed(WORST),
        "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
    },
)
"""What is named a threshold is a dashed red line."""
BESIDE = Style(
    "/reference$/",
    {
        **fixed(REFERENCE),
        "custom.lineStyle": {"fill": "dash", "dash": [2, 6]},
    },
)
"""What is named a reference is a dotted gray line."""
PLAIN_AXIS = Axis()
MOST_LINES = 20
"""Lines of a query at a time: of 300 services, those with the greatest values."""

MOST_NUMBERS = 4
"""Numbers side by side in a panel, where services have models of one name."""


def series(
    title: str,
    about: str,
    unit: str,
    *queries: Query,
    axis: Axis = PLAIN_AXIS,
    styles: Sequence[Style] = (),
    none: str = NO_VALUE,
) -> Panel:
    """Return lines over time."""
    panel = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(0)  # of twenty lines, areas would be one
        .show_points(options.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(_tooltip())
    )
    _set_axis(panel, axis)
    if not axis.is_stacked:
        queries = tuple(
            query._replace(expr=f"topk({MOST_LINES}, {query.expr})") for query in queries
        )
    return finished(panel, Words(title, about, unit, none), queries, [THRESHOLD, BESIDE, *styles])


def _set_axis(panel: timeseries.Panel, axis: Axis) -> None:
    if axis.is_stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL))
        panel.fill_opacity(60).line_width(0)
    if axis.least is not None:
        panel.min(axis.least)
    if axis.most is not None:
        panel.max(axis.most)
    if axis.least_top is not None:
        panel.axis_soft_max(axis.least_top)
    if axis.bend is not None:
        scale = common.ScaleDistributionConfig().type(options.ScaleDistribution.SYMLOG)
        panel.scale_distribution(scale.log(10).linear_threshold(axis.bend))
    if axis.limit is not None:
        mode = options.GraphThresholdsStyleMode.DASHED
        panel.axis_soft_max(1.25 * axis.limit)
        panel.thresholds(_steps([(axis.limit, WORST)], base="transparent"))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(mode))


def quantity(
    title: str,
    about: str,
    unit: str,
    query: Query,
    *,
    steps: Steps = (),
    decimals: int | None = None,
    none: str = NO_VALUE,
) -> Panel:
    """Return a number, green below the first of its steps, with its course behind it."""
    panel = (
        stat.Panel()
        .color_mode(options.BigValueColorMode.VALUE)
        .graph_mode(options.BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_steps(steps, base=GOOD if steps else PLAIN))
        .color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    )
    if decimals is not None:
        panel.decimals(decimals)
    if BY_PLACE in query.expr:
        query = query._replace(expr=f"topk({MOST_NUMBERS}, {query.expr})")
    return finished(panel, Words(title, about, unit, none), [query])


def bars(
    title: str, about: str, unit: str, queries: Mapping[str, str], *, order: str, names: str
) -> Panel:
    """Return bars side by side.

    Args:
        title: The panel's.
        about: What it means.
        unit: Of Grafana's list.
        queries: Name -> expression; all have the two labels.
        order: The label in whose order bars are.
        names: The label that they are named by.
    """
    renamed = {f"Value #{letter(i)}": text for i, text in enumerate(queries)}
    panel = (
        barchart.Panel()
        .x_field(names)
        .min(0)
        .group_width(0.85)
        .bar_width(0.95)
        .fill_opacity(80)
        .line_width(0)
        .show_value(options.VisibilityMode.NEVER)
        .x_tick_label_rotation(-45)
        .x_tick_label_max_length(18)
        .legend(_legend())
        .tooltip(_tooltip())
        .with_transformation(merged())
        .with_transformation(sorted_by(order, descending=False))
        .with_transformation(organized(renamed, hidden=["Time", order, *BY_PLACE.split(", ")]))
    )
    colors = zip(queries, (REFERENCE, BAD), strict=True)
    styles = [Style(f"/^{text}$/", fixed(color)) for text, color in colors]
    asked = [Query(expression) for expression in queries.values()]
    return finished(panel, Words(title, about, unit), asked, styles, NEWEST)


def states(
    title: str, about: str, unit: str, query: Query, steps: Steps, none: str = NO_VALUE
) -> Panel:
    """Return a row of colored cells over time for each series."""
    panel = (
        statushistory.Panel()
        .max_data_points(60)
        .row_height(0.92)
        .col_width(0.96)
        .show_value(options.VisibilityMode.NEVER)
        .thresholds(_steps(steps, base=GOOD))
        .color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .legend(_legend())
        .tooltip(_tooltip())
    )
    query = query._replace(expr=f"topk({2 * MOST_LINES}, {query.expr})")
    return finished(panel, Words(title, about, unit, none), [query])


def heat(title: str, about: str, unit: str, expression: str, none: str = NO_VALUE) -> Panel:
    """Return a classic histogram's buckets over time: the expression is by `le`."""
    colors = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues")
    panel = (
        heatmap.Panel()
        .calculate(False)
        .cell_gap(1)
        .color(colors.steps(32).exponent(0.5).reverse(True))
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .show_legend()
        .max_data_points(60)
    )
    query = Query(expression, "{{le}}")
    return finished(panel, Words(title, about, unit, none), [query], form=BUCKETS)


def properties(values: Mapping[str, object]) -> list[DynamicConfigValue]:
    """Return field settings by their paths."""
    return [DynamicConfigValue(name, value) for name, value in values.items()]


def finished(
    panel: Drawable,
    words: Words,
    queries: Sequence[Query],
    styles: Sequence[Style] = (),
    form: PromQueryFormat = OVER_TIME,
) -> Panel:
    """Return a panel with what all have: words, source, queries, and what differs by name."""
    names = metrics_of("\n".join(query.expr for query in queries))
    sources = ", ".join(f"`{name}`" for name in names) or "alerts and scrapes"
    panel.title(words.title).description(f"{words.about}\n\nFrom {sources}.")
    panel.datasource(SOURCE).unit(words.unit).no_value(words.none)
    for i, query in enumerate(queries):
        panel.with_target(target(i, query, form))
    for style in styles:
        panel.with_override(MatcherConfig("byRegexp", style.name), properties(style.properties))
    return panel.build()


def _steps(steps: Steps, base: str) -> build.ThresholdsConfig:
    found = [Threshold(None, base), *(Threshold(value, color) for value, color in steps)]
    return build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.BOTTOM)
    )


def _tooltip() -> common.VizTooltipOptions:
    multi, descending = options.TooltipDisplayMode.MULTI, options.SortOrder.DESCENDING
    return common.VizTooltipOptions().mode(multi).sort(descending)
