"""Alerts on the monitor itself, and on Prometheus's evaluation of its rules."""

from __future__ import annotations

from collections.abc import Iterator

from .alert import Alert
from .settings import PLACE, TARGET, Settings
from .targets import KNOWN

BY_PLACE = ", ".join(PLACE)
SLOW_SCRAPE_SECONDS = 5
"""Half of Prometheus's default time-out."""
MANY_EXCHANGES = 1000
LEAST_DROPPED = 50
"""Requests of a target in a quarter of an hour, under which their share means nothing."""
SKEW_SECONDS = 60
OF_OURS = 'rule_group=~".*mlmon-.*"'


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [
        *_intake_alerts(settings),
        *_unread_alerts(settings),
        *_fault_alerts(settings),
        *_scrape_alerts(settings),
        _rules_failing(settings),
    ]


def _intake_alerts(settings: Settings) -> Iterator[Alert]:
    queue = settings.select("mlmon_queue_exchanges")
    flushed = settings.select("mlmon_last_flush_timestamp_seconds")
    some, stale = settings.span("10m"), settings.span_seconds("10m")
    least = f"min by ({TARGET}) (min_over_time({queue}[{some}]))"
    yield Alert(
        name="MlmonIntakeBehind",
        severity="warning",
        expr=f"""\
{least} > {MANY_EXCHANGES}
or
({least} > 0 and time() - min by ({TARGET}) ({flushed}) > {stale:g})""",
        labels=("job", "instance"),
        hold="5m",
        summary="{{ $labels.instance }} does not keep up with what it is sent",
        description=(
            "{{ $value | humanize }} exchanges or more have waited in {{ $labels.instance }} "
            "({{ $labels.job }}) for ten minutes: scores are as old, and when the queue is full, "
            "observations are dropped."
        ),
        board="operations",
    )
    # The time of the last empty queue is old with an empty queue, or yet to come: clocks differ.
    yield Alert(
        name="MlmonClockSkew",
        severity="warning",
        expr=f"""\
(time() - min by ({TARGET}) ({flushed}) > {stale:g} and {least} == 0)
or
time() - max by ({TARGET}) ({flushed}) < -{SKEW_SECONDS}""",
        labels=("job", "instance"),
        hold="5m",
        summary="The clocks of {{ $labels.instance }} and Prometheus differ",
        description=(
            "The clock of {{ $labels.instance }} ({{ $labels.job }}) and that of Prometheus are "
            "{{ $value | humanizeDuration }} apart (negative: the target is ahead): windows and "
            "times of outcomes are off by as much."
        ),
        board="operations",
    )


def _unread_alerts(settings: Settings) -> Iterator[Alert]:
    # Of predictions that do not wait the bodies were read, and have an alert; an answer to a body
    # that nobody read, such as a 401, is no prediction.
    dropped = settings.select("mlmon_dropped_total", 'reason!~"pending_.*|request_unread"')
    requests = settings.select("mlmon_requests_total", 'model!=""')
    errors = settings.select("mlmon_parse_errors_total")
    quarter = settings.span("15m")

    def count(metric: str, by: str = TARGET) -> str:
        return f"sum by ({by}) (increase({metric}[{quarter}]))"

    by = f"{TARGET}, reason"
    yield Alert(
        name="MlmonObservationsDropped",
        severity="warning",
        # Where no route is known to be a model's, the drops are all there is.
        expr=f"""\
(
  {count(dropped, by)}
  / on ({TARGET}) group_left ()
  ({count(requests)} > 0 or {count(dropped)})
) > 0.01
and {count(dropped, by)} >= {LEAST_DROPPED}""",
        labels=("job", "instance", "reason"),
        hold="5m",
        keep="15m",
        summary="{{ $labels.instance }} drops observations: {{ $labels.reason }}",
        description=(
            "{{ $value | humanizePercentage }} of the requests of {{ $labels.instance }} "
            "({{ $labels.job }}) are counted but not read ({{ $labels.reason }}); their values are "
            "in no distribution."
        ),
        board="operations",
    )
    by = f"{TARGET}, format, reason"
    yield Alert(
        name="MlmonParseErrors",
        severity="warning",
        expr=f"""\
(
  {count(errors, by)}
  / on ({TARGET}) group_left ()
  {count(requests)}
) > 0.01
and {count(errors, by)} >= {LEAST_DROPPED}""",
        labels=("job", "instance", "format", "reason"),
        hold="5m",
        keep="15m",
        summary="{{ $labels.instance }} cannot read bodies: {{ $labels.reason }}",
        description=(
            "{{ $value | humanizePercentage }} of the requests of {{ $labels.instance }} "
            "({{ $labels.job }}) could not be read as {{ $labels.format }} ({{ $labels.reason }})."
        ),
        board="operations",
    )


def _fault_alerts(settings: Settings) -> Iterator[Alert]:
    internal = settings.select("mlmon_internal_errors_total")
    # Scanners send methods that HTTP does not know; segments are settled when a reference is built.
    writable = settings.select("mlmon_state_writable")
    hour = settings.span("1h")
    yield Alert(
        name="MlmonInternalErrors",
        severity="warning",
        expr=f"sum by ({BY_PLACE}, where) (increase({internal}[{hour}])) > 0.5",
        labels=("job", "where"),
        hold="5m",
        summary="The monitor of {{ $labels.job }} fails in its {{ $labels.where }}",
        description=(
            "mlmon-exporter itself failed {{ $value | humanize }} times in the last hour in "
            "{{ $labels.job }} ({{ $labels.where }}). The served model is not affected."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonStateNotWritten",
        severity="warning",
        expr=f"min by ({TARGET}) ({writable}) == 0",
        labels=("job", "instance"),
        hold="5m",
        summary="{{ $labels.instance }} cannot write its state",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}) cannot write to its state_dir or its "
            "ground_truth_store: what it has counted since is in memory, and a restart would "
            "lose it."
        ),
        board="operations",
    )


def _scrape_alerts(settings: Settings) -> Iterator[Alert]:
    unshared = settings.select("mlmon_build_info", 'state="unshared"')
    quarter = settings.span("15m")
    duration = settings.select("scrape_duration_seconds")
    yield Alert(
        name="MlmonScrapeSlow",
        severity="warning",
        # A target that times out shows nothing; what it served is remembered.
        expr=f"""\
avg_over_time({duration}[{quarter}]) > {SLOW_SCRAPE_SECONDS}
and on ({TARGET}) {settings.select(KNOWN)}""",
        labels=("job", "instance"),
        hold="15m",
        summary="Scrapes of {{ $labels.instance }} take long",
        description=(
            "A scrape of {{ $labels.instance }} ({{ $labels.job }}) takes "
            "{{ $value | humanizeDuration }}; Prometheus gives up after 10s by default."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonWorkersUnshared",
        severity="warning",
        expr=f"max by ({TARGET}) (max_over_time({unshared}[{quarter}])) == 1",
        labels=("job", "instance"),
        hold="30m",
        summary="Workers of {{ $labels.instance }} count separately",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}) has several workers and no state_dir: "
            "each scrape shows one of them, so that no number is that of the whole."
        ),
        board="operations",
    )


def _rules_failing(settings: Settings) -> Alert:
    quarter = settings.span("15m")
    failed, missed = (
        f"sum by (rule_group) (increase(prometheus_rule_{what}_total{{{OF_OURS}}}[{quarter}])) > 0"
        for what in ("evaluation_failures", "group_iterations_missed")
    )
    # A Prometheus that does not scrape itself shows neither; rules that record nothing show here.
    idle = (
        f"count({settings.select('mlmon_model_info')}) unless on () count({settings.select(KNOWN)})"
    )
    return Alert(
        name="MlmonRulesFailing",
        severity="warning",
        expr=f"{failed}\nor\n{missed}\nor\n({idle}) > 0",
        labels=("rule_group",),
        hold="15m",
        summary="Prometheus does not keep up with the rules of mlmon-exporter",
        description=(
            "Rules fail, miss their interval, or are not loaded (group: "
            "{{ $labels.rule_group }}): alerts that read what they record stay silent."
        ),
        board="operations",
    )
