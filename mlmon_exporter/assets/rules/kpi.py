"""Business numbers: events for each predicted row, and an alert when events stay away."""

from __future__ import annotations

from .alert import Alert
from .rule_files import Group, Rule
from .settings import MODEL, VERSION, Settings

KPI = f"{MODEL}, kpi"
LEAST_EVENTS = 100
"""Events in an hour a week ago, and two, under which their absence today means nothing."""
WINDOWS = ("1h", "1d")
RECORDED = """\
Events of each business number for each row that its model predicted: conversion, where an event
is a purchase. Events have a version where they were sent with the id of their prediction."""


def recordings(settings: Settings) -> list[Group[Rule]]:
    """Return the rules that record events per row."""
    return [Group("mlmon-kpi", settings.span("1m"), [_ratio(settings, w) for w in WINDOWS])]


def _ratio(settings: Settings, window: str) -> Rule:
    events = settings.select("mlmon_kpi_events_total")
    rows = settings.select("mlmon_prediction_rows_total")
    span = settings.span(window)
    return Rule(
        f"kpi:mlmon_kpi_events_per_row:ratio{window}",
        f"""\
sum by ({VERSION}, kpi) (increase({events}[{span}]))
/ on ({VERSION}) group_left ()
(sum by ({VERSION}) (increase({rows}[{span}])) > 0)""",
        f"Events of {window} for each row predicted in it; over 1 where a row brings several.",
    )


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    events = settings.select("mlmon_kpi_events_total")
    info = settings.select("mlmon_model_info")
    hour, week, two = settings.span("1h"), settings.span("1w"), settings.span("2w")
    now, a_week_ago, two_weeks_ago = (
        f"sum by ({KPI}) (increase({events}[{hour}]{offset}))"
        for offset in ("", f" offset {week}", f" offset {two}")
    )
    # After a restart, a counter without events may have no series.
    drop = Alert(
        name="MlmonKpiDrop",
        severity="warning",
        expr=f"""\
(
  {a_week_ago} >= {LEAST_EVENTS}
  and {two_weeks_ago} >= {LEAST_EVENTS}
  unless {now} >= 0.5 * {a_week_ago}
  unless {now} >= 0.5 * {two_weeks_ago}
)
and on ({MODEL}) group by ({MODEL}) ({info})""",
        labels=("job", "model", "kpi"),
        hold="30m",
        keep="30m",
        summary="Less than half as many events of {{ $labels.kpi }} as a week ago",
        description=(
            "{{ $labels.kpi }} ({{ $labels.job }} {{ $labels.model }}) had less than half of the "
            "events of the same hour a week ago, {{ $value | humanize }}, and of that two weeks "
            "ago."
        ),
        board="quality",
    )
    return [drop]
