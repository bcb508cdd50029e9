"""Alerts on the monitor itself."""

from __future__ import annotations

from collections.abc import Iterator

from .alert import Alert
from .settings import Settings

TARGET = "job, instance"
MEGABYTES = 256
"""Growth of memory that is worth a ticket, beside its share."""
SLOW_SCRAPE_SECONDS = 5
"""Half of Prometheus's default time-out."""
MANY_SAMPLES = 100_000
MANY_EXCHANGES = 1000


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [
        *_intake_alerts(settings),
        *_fault_alerts(settings),
        *_resource_alerts(settings),
        *_setup_alerts(settings),
    ]


def _intake_alerts(settings: Settings) -> Iterator[Alert]:
    queue = settings.select("mlmon_queue_exchanges")
    # Of predictions that do not wait the bodies were read; for `pending_full` there is an alert.
    # Where no request is a model's, since no route is known, the drops are all there is.
    dropped = settings.select("mlmon_dropped_total", 'reason!~"pending_.*"')
    requests = settings.select("mlmon_requests_total", 'model!=""')
    errors = settings.select("mlmon_parse_errors_total")
    some, quarter = settings.span("10m"), settings.span("15m")
    yield Alert(
        name="MlmonQueueSaturated",
        severity="warning",
        expr=f"min by ({TARGET}) (min_over_time({queue}[{some}])) > {MANY_EXCHANGES}",
        labels=("job", "instance"),
        hold="5m",
        summary="Exchanges wait in {{ $labels.instance }}",
        description=(
            "{{ $value | humanize }} exchanges or more have waited in {{ $labels.instance }} "
            "({{ $labels.job }}) for ten minutes; when the queue is full, observations are dropped."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonObservationsDropped",
        severity="warning",
        expr=f"""\
(
  sum by (job, reason) (increase({dropped}[{quarter}]))
  / on (job) group_left ()
  (
    sum by (job) (increase({requests}[{quarter}])) > 0
    or sum by (job) (increase({dropped}[{quarter}]))
  )
) > 0.01
and sum by (job, reason) (increase({dropped}[{quarter}])) >= 50""",
        labels=("job", "reason"),
        hold="5m",
        keep="15m",
        summary="Observations of {{ $labels.job }} are dropped: {{ $labels.reason }}",
        description=(
            "{{ $value | humanizePercentage }} of the requests of {{ $labels.job }} are counted "
            "but not looked into ({{ $labels.reason }}); their values are in no distribution."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonParseErrors",
        severity="warning",
        expr=f"""\
(
  sum by (job, format, reason) (increase({errors}[{quarter}]))
  / on (job) group_left ()
  sum by (job) (increase({requests}[{quarter}]))
) > 0.01
and sum by (job, format, reason) (increase({errors}[{quarter}])) >= 50""",
        labels=("job", "format", "reason"),
        hold="5m",
        keep="15m",
        summary="Bodies of {{ $labels.job }} cannot be read: {{ $labels.reason }}",
        description=(
            "{{ $value | humanizePercentage }} of the requests of {{ $labels.job }} could not be "
            "read as {{ $labels.format }} ({{ $labels.reason }})."
        ),
        board="operations",
    )


def _fault_alerts(settings: Settings) -> Iterator[Alert]:
    internal = settings.select("mlmon_internal_errors_total")
    # Methods that HTTP does not know come from scanners, and are as well in `other`; which segments
    # a feature has is settled when its reference is built.
    overflow = settings.select("mlmon_label_overflow_total", 'label!~"method|segment"')
    flushed = settings.select("mlmon_last_flush_timestamp_seconds")
    hour = settings.span("1h")
    yield Alert(
        name="MlmonInternalErrors",
        severity="warning",
        expr=f"sum by (job, where) (increase({internal}[{hour}])) > 0.5",
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
        name="MlmonLabelOverflow",
        severity="warning",
        expr=f"sum by (job, label) (increase({overflow}[{hour}])) > 10",
        labels=("job", "label"),
        hold="15m",
        summary="Too many values of {{ $labels.label }} in {{ $labels.job }}",
        description=(
            "{{ $value | humanize }} times in the last hour a new {{ $labels.label }} in "
            "{{ $labels.job }} was counted as `other`, since the cap is reached."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonFlushStale",
        severity="warning",
        expr=f"time() - min by ({TARGET}) ({flushed}) > {settings.span_seconds('10m'):g}",
        labels=("job", "instance"),
        hold="5m",
        summary="{{ $labels.instance }} does not keep up with what it is sent",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}) last had an empty queue "
            "{{ $value | humanizeDuration }} ago: its drift scores are as old."
        ),
        board="operations",
    )


def _resource_alerts(settings: Settings) -> Iterator[Alert]:
    memory = settings.select("process_resident_memory_bytes")
    started = settings.select("process_start_time_seconds")
    cpu = settings.select("process_cpu_seconds_total")
    ours = f"and on ({TARGET}) {settings.select('mlmon_build_info')}"
    hour, before, quarter = settings.span("1h"), settings.span("6h"), settings.span("15m")
    yield Alert(
        name="MlmonMemoryGrowth",
        severity="warning",
        expr=f"""\
(
  min_over_time({memory}[{hour}])
  - max_over_time({memory}[{hour}] offset {before}) > {MEGABYTES * 1_000_000}
)
and min_over_time({memory}[{hour}]) > 1.5 * max_over_time({memory}[{hour}] offset {before})
and time() - {started} > {settings.span_seconds("8h"):g}
{ours}""",
        labels=("job", "instance"),
        hold="15m",
        summary="{{ $labels.instance }} uses ever more memory",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}) uses {{ $value | humanize1024 }}B more "
            "than six hours ago, more than half as much again, without a restart."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonCpuSaturated",
        severity="info",
        expr=f"""\
rate({cpu}[{quarter}]) / {settings.cpu_cores:g} > 0.9
{ours}""",
        labels=("job", "instance"),
        hold="15m",
        keep="15m",
        summary="{{ $labels.instance }} has no CPU time left",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}) uses {{ $value | humanizePercentage }} of "
            f"the {settings.cpu_cores:g} core(s) that it may use."
        ),
        board="operations",
    )
    yield Alert(
        name="MlmonScrapeSlow",
        severity="warning",
        expr=f"""\
avg_over_time({settings.select("scrape_duration_seconds")}[{quarter}]) > {SLOW_SCRAPE_SECONDS}
{ours}""",
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
        name="MlmonTooManySeries",
        severity="warning",
        expr=f"""\
{settings.select("scrape_samples_scraped")} > {MANY_SAMPLES}
{ours}""",
        labels=("job", "instance"),
        hold="15m",
        summary="{{ $labels.instance }} exposes very many series",
        description=(
            "A scrape of {{ $labels.instance }} ({{ $labels.job }}) has {{ $value | humanize }} "
            "samples."
        ),
        board="operations",
    )


def _setup_alerts(settings: Settings) -> Iterator[Alert]:
    unshared = settings.select("mlmon_build_info", 'state="unshared"')
    yield Alert(
        name="MlmonWorkersUnshared",
        severity="warning",
        expr=f"max by ({TARGET}) (max_over_time({unshared}[{settings.span('15m')}])) == 1",
        labels=("job", "instance"),
        hold="30m",
        summary="Workers of {{ $labels.instance }} count each for itself",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}) has several workers and no state_dir: "
            "each scrape shows one of them, so that no number is that of the whole."
        ),
        board="operations",
    )
