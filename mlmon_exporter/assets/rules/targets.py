"""Alerts on targets: servers that do not answer, restart, or are gone with their models.

No alert depends on the health of a neighbour: each is about a model's own targets or one target,
so that it means the same where every service has a job and where hundreds share one.
"""

from __future__ import annotations

from collections.abc import Iterator

from .alert import Alert, latched
from .rule_files import Group, Rule
from .settings import MODEL, PLACE, TARGET, Settings

KNOWN = "instance:mlmon_model_info:known"
DOWN = "model:mlmon_targets_down:ratio"
LEAST_ROWS = 100
"""Rows in the last hour, under which a model that is gone pages nobody."""
RECORDED = """\
The models of each target, remembered while it does not answer, and the share of a model's targets
that do not."""


def recordings(settings: Settings) -> list[Group[Rule]]:
    """Return the rules that remember the models of targets."""
    info, up = settings.select("mlmon_model_info"), settings.select("up")
    known = settings.select(KNOWN)
    # A metric of a target that is down is stale: what it served is known from what was recorded.
    remembered = f"last_over_time({known}[{settings.span('1h')}])"
    rules = [
        Rule(
            KNOWN,
            f"""\
group by ({TARGET}, model) ({info})
or
({remembered} and on ({TARGET}) {up} == 0)""",
            "Models of each target: those that it shows, or showed before it stopped answering.",
        ),
        Rule(
            DOWN,
            f"1 - avg by ({MODEL}) "
            f"({known} * on ({TARGET}) group_left () min by ({TARGET}) ({up}))",
            "Share of a model's targets that do not answer scrapes, 0 to 1.",
        ),
    ]
    return [Group("mlmon-targets", settings.span("1m"), rules)]


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [
        Alert(
            name="MlmonWatchdog",
            severity="heartbeat",
            expr="vector(1) > 0",
            labels=(),
            hold="0s",
            summary="Alerts arrive",
            description="Always fires. When it stops arriving, no other alert would arrive either.",
            board="operations",
        ),
        _replicas_down(settings),
        _not_served(settings),
        *_target_alerts(settings),
    ]


def _replicas_down(settings: Settings) -> Alert:
    down = settings.select(DOWN)
    # Replicas that crash together are up for a while each time: no single outage lasts. They are
    # down for much of the time, which a few scrapes that failed are not.
    some = settings.span("20m")
    again = f"changes({down}[{some}]) >= 4 and avg_over_time({down}[{some}]) > 0.2"
    return Alert(
        name="MlmonReplicasDown",
        severity="critical",
        expr=f"""\
{down} > 0.5
or
(max_over_time({down}[{settings.span("5m")}]) > 0.5 and {again})""",
        labels=("job", "model"),
        hold="3m",
        keep="2m",
        summary="More than half of the replicas of {{ $labels.model }} do not answer scrapes",
        description=(
            "{{ $value | humanizePercentage }} of the targets of {{ $labels.model }} "
            "({{ $labels.job }}) do not answer scrapes, for minutes or again and again."
        ),
        board="operations",
    )


def _not_served(settings: Settings) -> Alert:
    rows = settings.select("mlmon_prediction_rows_total")
    info = settings.select("mlmon_model_info")
    hour, quarter = settings.span("1h"), settings.span("15m")
    since = settings.select("ALERTS_FOR_STATE", 'alertname="MlmonModelNotServed"')
    # A job that is renamed has its model in another at once; a namesake that was there before is
    # another service.
    moved = f"{info} unless on ({MODEL}) group by ({MODEL}) ({info} offset {hour})"
    near = ", ".join(label for label in (*PLACE, "model") if label != "job")
    # Five minutes on, a model that was scaled to zero had no rows in the last quarter of an hour;
    # of one that was retired while it was in use, the alert ends after a week.
    return Alert(
        name="MlmonModelNotServed",
        severity="critical",
        expr=f"""\
(
  (
    sum by ({MODEL}) (increase({rows}[{hour}])) >= {LEAST_ROWS}
    and sum by ({MODEL}) (increase({rows}[{quarter}])) > 0
  )
  or {latched(settings, "MlmonReplicasDown", MODEL)}
  or {latched(settings, "MlmonModelNotServed", MODEL)}
)
unless on ({MODEL}) time() - {since} > {settings.span_seconds("1w"):g}
unless on ({MODEL}) {settings.select(KNOWN)}
unless on ({near}) ({moved})""",
        labels=("job", "model"),
        hold="5m",
        summary="No target shows {{ $labels.model }}, which was in use",
        description=(
            "{{ $labels.model }} ({{ $labels.job }}) predicted rows until it vanished: no target "
            "has it any more, so either nobody is served or nobody watches."
        ),
        board="operations",
    )


def _target_alerts(settings: Settings) -> Iterator[Alert]:
    up, known = settings.select("up"), settings.select(KNOWN)
    started = settings.select("process_start_time_seconds")
    build = settings.select("mlmon_build_info", 'state!="unshared"')
    half = settings.span("30m")
    yield Alert(
        name="MlmonTargetDown",
        severity="warning",
        expr=f"count by ({TARGET}) ({known}) and on ({TARGET}) {up} == 0",
        labels=("job", "instance"),
        hold="10m",
        summary="{{ $labels.instance }} does not answer scrapes",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}), which serves {{ $value }} "
            "model{{ if gt $value 1.0 }}s{{ end }}, has not answered scrapes for "
            "ten minutes, or answers too late."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonRestarting",
        severity="warning",
        expr=f"""\
max by ({TARGET}) (
  changes({started}[{half}])
  and on ({TARGET}) last_over_time({build}[{half}])
) >= 3""",
        labels=("job", "instance"),
        hold="1m",
        keep="15m",
        summary="{{ $labels.instance }} restarts again and again",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}) has started {{ $value }} times in half an "
            "hour."
        ),
        board="operations",
    )
