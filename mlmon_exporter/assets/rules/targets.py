"""Alerts on what is scraped: servers that are down, metrics and models that are gone."""

from __future__ import annotations

from collections.abc import Iterator

from .alert import Alert
from .settings import Settings

TARGET = "job, instance"
LEAST_ROWS = 100
"""Rows in the last minutes of a job, over which it was not idle when it vanished."""


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [*_server_alerts(settings), *_absence_alerts(settings)]


def _server_alerts(settings: Settings) -> Iterator[Alert]:
    up, info = settings.select("up"), settings.select("mlmon_model_info")
    week = settings.span("1w")
    # Which models a target has is known from when it was up; other exporters' targets have none.
    models = f"group by ({TARGET}, model) (last_over_time({info}[{week}]))"
    down = f"({models} and on ({TARGET}) {up} == 0)"
    yield Alert(
        name="MlmonWatchdog",
        severity="heartbeat",
        expr="vector(1) > 0",
        labels=(),
        hold="0s",
        summary="Alerts arrive",
        description="Fires always. When it stops arriving, no other alert would arrive either.",
        board="operations",
    )
    yield Alert(
        name="MlmonReplicasDown",
        severity="critical",
        expr=f"""\
count by (job, model) {down}
/ count by (job, model) ({models} and on ({TARGET}) {up})
> 0.5""",
        labels=("job", "model"),
        hold="3m",
        keep="2m",
        summary="More than half of the replicas of {{ $labels.model }} are down",
        description=(
            "{{ $value | humanizePercentage }} of the targets of {{ $labels.model }} "
            "({{ $labels.job }}) do not answer scrapes."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonTargetDown",
        severity="warning",
        expr=f"{down} == 1",
        labels=("job", "instance", "model"),
        hold="10m",
        summary="{{ $labels.instance }} is down",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}), which serves {{ $labels.model }}, has not "
            "answered scrapes for ten minutes."
        ),
        board="operations",
    )


def _absence_alerts(settings: Settings) -> Iterator[Alert]:
    """What was there within a day, and is no more: what never was is not missed."""
    up, info = settings.select("up"), settings.select("mlmon_model_info")
    build = settings.select("mlmon_build_info")
    rows = settings.select("mlmon_prediction_rows_total")
    day, quarter = settings.span("1d"), settings.span("15m")
    # While targets are down, other alerts say so.
    absent = f"""\
count by (job) (last_over_time({build}[{day}]))
unless on (job) {build}
unless on (job) {up} == 0"""
    # In a job that others share, targets without our metrics are nothing new.
    others = f"({up} offset {day} == 1 unless on ({TARGET}) {build} offset {day})"
    # What had them, and answers: whatever else of the job is down, that is no reason.
    stripped = f"""\
count by (job) (
  last_over_time({build}[{day}])
  and on ({TARGET}) {up} == 1
  unless on ({TARGET}) {build}
)
unless on (job) {build}"""
    # Ten minutes later, rows of the last five are seen: who scales to zero was idle by then, and
    # who renames a job has the model in another.
    yield Alert(
        name="MlmonMetricsLost",
        severity="critical",
        expr=f"""\
(
  {_indented(absent)}
  and on (job) {up} == 1
  unless on (job) {others}
)
or
(
  {_indented(stripped)}
)
or
count by (job) (
  sum by (job, model) (increase({rows}[{quarter}])) >= {LEAST_ROWS}
  unless on (job) {up}
  unless on (model) {info}
)""",
        labels=("job",),
        hold="10m",
        keep="30m",
        summary="The models of {{ $labels.job }} are served, and nothing watches them",
        description=(
            "The targets of {{ $labels.job }} answer without our metrics, or they vanished while "
            "rows were predicted: no other alert on these models can fire."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonExporterAbsent",
        severity="warning",
        expr=absent,
        labels=("job",),
        hold="10m",
        summary="No target of {{ $labels.job }} exposes metrics of its models",
        description=(
            "Prometheus has no mlmon_build_info of {{ $labels.job }}, which it had within the last "
            "day: either it has no targets any more, or they answer without our metrics."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonModelGone",
        severity="warning",
        expr=f"""\
count by (job, model) (last_over_time({info}[{day}]))
unless on (job, model) {info}
unless on (job) {up} == 0
and on (job) {build} > 0""",
        labels=("job", "model"),
        hold="10m",
        summary="{{ $labels.model }} is not there any more",
        description=(
            "{{ $labels.job }} answers scrapes, but no longer has {{ $labels.model }}, which it "
            "had within the last day."
        ),
        board="operations",
    )


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
