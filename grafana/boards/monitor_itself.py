"""Rows of the operations board: what is served by which server, and how the monitor fares."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Panel

from .board import Line, Row
from .panels import Axis, series
from .promql import BY_PLACE, MODELS, SERVERS, greatest, or_zero, rate, total
from .queries import Query
from .tables import Column, Key, table

BY = f"{BY_PLACE}, model, version"
TARGET = f"{BY_PLACE}, instance"
INSTANCE = "{{instance}}"


def rows() -> list[Row]:
    """Return the rows."""
    panels = [*_faults(), *_monitor()]
    return [
        Row("Models and references", [Line(6, [_references()]), Line(6, [_servers()])]),
        Row(
            "The monitor itself",
            [Line(8, panels[:4]), Line(8, panels[4:8]), Line(8, panels[8:])],
        ),
    ]


def _references() -> Panel:
    return table(
        "Models",
        "What is served, and the reference that it is compared with: its rows, when it was built, "
        "whether it is still being learned from the first rows, and whether thresholds know how "
        "rows depend on each other in time.",
        [
            Key("namespace", "Namespace", width=100),
            Key("job", "Job", width=100),
            Key("model", "Model", "mlmon-drift?var-model=${__value.raw}", width=130),
            Key("version", "Version", width=90),
            Key("task", "Task", width=110),
            Key("reference", "Reference"),
        ],
        [
            Column(
                "Replicas",
                f"count by ({BY}, task, reference) (mlmon_model_info{{{MODELS}}})",
                "none",
                width=80,
            ),
            Column("Rows", _of_model("mlmon_reference_rows"), width=80),
            Column(
                "Built",
                f"1000 * {_of_model('mlmon_reference_timestamp_seconds')}",
                "dateTimeFromNow",
                width=130,
            ),
            Column(
                "Dependence known",
                _of_model("mlmon_dependence_known"),
                "bool_yes_no",
                width=130,
            ),
            Column(
                "Of outcomes",
                _of_model("mlmon_outcome_dependence_known"),
                "bool_yes_no",
                width=110,
            ),
            Column(
                "Learning",
                _of_model("mlmon_reference_learning"),
                "bool_yes_no",
                steps=[(1, "yellow")],
                width=80,
            ),
        ],
    )


def _of_model(metric: str) -> str:
    info = f"group by ({BY}, task, reference) (mlmon_model_info{{{MODELS}}})"
    return f"(\n  {greatest(metric, MODELS, BY)}\n  * on ({BY}) group_right () {info}\n)"


def _servers() -> Panel:
    keys = f"{TARGET}, digest, state"
    info = f"group by ({keys}) (mlmon_build_info{{{SERVERS}}})"
    started = greatest("process_start_time_seconds", SERVERS, "instance")
    written = f"min by ({TARGET}) (mlmon_state_writable{{{SERVERS}}})"
    flushed = greatest("mlmon_last_flush_timestamp_seconds", SERVERS, "instance")
    return table(
        "Servers",
        "What runs where. State is memory, shared between workers, or unshared by mistake.",
        [
            Key("namespace", "Namespace", width=100),
            Key("job", "Job", width=80),
            Key("instance", "Instance"),
            Key("digest", "Digest", width=95),
            Key("state", "State", width=80),
        ],
        [
            Column(
                "Started",
                f"1000 * {started}\n* on ({TARGET}) group_right () {info}",
                "dateTimeFromNow",
                width=120,
            ),
            Column(
                "All taken in",
                f"1000 * {flushed}\n* on ({TARGET}) group_right () {info}",
                "dateTimeFromNow",
                width=130,
            ),
            Column(
                "State written",
                f"{written}\n* on ({TARGET}) group_right () {info}",
                "bool_yes_no",
                steps=[(0, "red"), (1, "transparent")],
                width=100,
            ),
        ],
    )


def _faults() -> Iterator[Panel]:
    yield _fault(
        "Observations dropped",
        "Observations a second that were given up, by reason: distributions are of fewer rows "
        "than were served. Requests are counted all the same.",
        "mlmon_dropped_total",
        "reason",
    )
    yield _fault(
        "Bodies that could not be read",
        "Bodies a second, by wire format and reason.",
        "mlmon_parse_errors_total",
        "format, reason",
    )
    yield _fault(
        "Bodies that are no predictions",
        "POST requests a second that were read and are no predictions, by route and reason.",
        "mlmon_not_predictions_total",
        "route, reason",
    )
    yield _fault(
        "Faults of the monitor",
        "Faults a second of the monitor's own, by place; the served model never sees them.",
        "mlmon_internal_errors_total",
        "where",
    )
    yield _fault(
        "Writes of the state that failed",
        "Failures a second to write the state on disk, by reason; counts are of one process then.",
        "mlmon_state_write_failures_total",
        "reason",
    )
    yield _fault(
        "Labels over their cap",
        "Label values a second that fell into `other`, by label.",
        "mlmon_label_overflow_total",
        "label",
    )


def _fault(title: str, about: str, metric: str, labels: str) -> Panel:
    """Return all of a counter, and beside it the kinds that there are any of."""
    legend = " ".join(f"{{{{{label}}}}}" for label in labels.split(", "))
    return series(
        title,
        about,
        "cps",
        Query(or_zero(rate(metric, SERVERS)), "all"),
        Query(f"{rate(metric, SERVERS, labels)} > 0", legend),
        axis=Axis(least_top=1),
    )


def _monitor() -> Iterator[Panel]:
    yield series(
        "Exchanges that wait",
        "Requests with their answers that wait to be taken in. When it is full, a share is read.",
        "none",
        Query(total("mlmon_queue_exchanges", SERVERS, "instance"), INSTANCE),
    )
    yield series(
        "Share of bodies that are read",
        "sample_ratio, or less since bodies came faster than they could be read.",
        "percentunit",
        Query(f"min by ({TARGET}) (mlmon_sample_ratio{{{SERVERS}}})", INSTANCE),
        axis=Axis(least_top=1),
    )
    yield series(
        "Time to compute readings",
        "Time that the last scrape took to compute scores, and that Prometheus took to scrape.",
        "s",
        Query(greatest("mlmon_readings_duration_seconds", SERVERS, "instance"), INSTANCE),
        Query(f"max by ({TARGET}) (scrape_duration_seconds{{{SERVERS}}})", f"scrape {INSTANCE}"),
    )
    yield series(
        "Series",
        "Series that each scrape brings: grows with models, features and categories.",
        "short",
        Query(f"max by ({TARGET}) (scrape_samples_scraped{{{SERVERS}}})", INSTANCE),
    )
    state = greatest("mlmon_state_size_bytes", SERVERS, "instance")
    none = f"0 * {greatest('mlmon_build_info', SERVERS, 'instance')}"
    yield series(
        "State on disk",
        "Size of the state that workers share; 0 where `state_dir` is not set.",
        "bytes",
        Query(f"{state}\nor\n{none}", INSTANCE),
    )
