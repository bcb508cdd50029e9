"""The operations board: requests, sizes, saturation, and the monitor itself."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from mlmon_exporter.assets.rules.settings import DEFAULTS

from . import monitor_itself, traffic_rows
from .board import Board, Line, Row, dashboard
from .panels import Axis, Style, fixed, heat, quantity, series
from .promql import MODELS, SERVERS, or_zero, over_all, quantile, rate, total
from .queries import Query
from .traffic_rows import BY, DURATION, MOST_ERRORS, NAMED, SECONDS, errors

UID = "mlmon-operations"
BOARD = Board(
    uid=UID,
    title="Model operations",
    about="Requests, latency, sizes and saturation of model servers, and the monitor itself.",
)
ROUTE = f"{BY}, route"
ROUTED = "{{namespace}} {{job}} {{model}} {{route}}"
INSTANCE = "{{instance}}"
FAULT = [(1e-9, "orange")]
OUTCOMES = {
    "ok": "green",
    "client_error": "yellow",
    "server_error": "red",
    "interrupted": "purple",
    "disconnected": "blue",
}


def board() -> Dashboard:
    """Return the board."""
    return dashboard(
        BOARD,
        [
            Row("Now", [Line(4, list(_numbers()))]),
            Row("Requests", [Line(8, list(_rates())), Line(9, list(_latencies()))]),
            Row("Sizes", [Line(8, list(_sizes()))]),
            Row("Saturation", [Line(8, list(_saturation()))]),
            Row("Streamed answers", [Line(8, list(_tokens()))], is_collapsed=True),
            *monitor_itself.rows(),
        ],
    )


def _numbers() -> Iterator[Panel]:
    yield from traffic_rows.numbers()
    yield quantity(
        "In progress",
        "Requests that are being served now.",
        "none",
        Query(or_zero(total("mlmon_requests_in_progress", MODELS))),
    )
    yield quantity(
        "Observations dropped",
        "Observations a second that the monitor gave up. Requests are counted all the same.",
        "cps",
        Query(rate("mlmon_dropped_total", SERVERS)),
        steps=FAULT,
    )
    yield quantity(
        "Faults of the monitor",
        "Faults a second of the monitor's own; the served model never sees them.",
        "cps",
        Query(rate("mlmon_internal_errors_total", SERVERS)),
        steps=FAULT,
    )


def _rates() -> Iterator[Panel]:
    requests = "mlmon_requests_total"
    yield series(
        "Requests by route",
        "Requests a second.",
        "reqps",
        Query(rate(requests, MODELS, f"{ROUTE}, method"), f"{{{{method}}}} {ROUTED}"),
    )
    yield series(
        "Requests by outcome and status",
        "Requests a second: ok, client error, server error, disconnected by the client, or "
        "interrupted within the answer.",
        "reqps",
        Query(over_all(requests, MODELS, "outcome, status"), "{{outcome}} {{status}}"),
        axis=Axis(is_stacked=True),
        styles=[Style(f"/^{outcome}/", fixed(color)) for outcome, color in OUTCOMES.items()],
    )
    yield traffic_rows.errors_by_model("Server errors by model")
    yield series(
        "Server errors by instance and version",
        "The same share by server: one that is broken, or a version that is, stands out.",
        "percentunit",
        Query(errors(MODELS, f"instance, {BY}"), f"{INSTANCE} {NAMED}"),
        axis=Axis(limit=MOST_ERRORS),
    )


def _latencies() -> Iterator[Panel]:
    yield heat(
        "Latency",
        "Requests a second that took so long, from the first byte in to the last byte out.",
        "s",
        rate(f"{DURATION}_bucket", MODELS, "le"),
    )
    yield series(
        "Latency by route",
        f"Quantiles of the same. {DEFAULTS.latency_objective:.0%} of requests should be under the "
        "dashed line. Dots are requests whose trace can be opened.",
        "s",
        Query(quantile(0.99, DURATION, MODELS, ROUTE), f"p99 {ROUTED}", exemplars=True),
        Query(quantile(0.5, DURATION, MODELS, ROUTE), f"p50 {ROUTED}"),
        axis=Axis(limit=SECONDS, bend=0.01),
    )
    first = "mlmon_request_first_byte_seconds"
    yield series(
        "Time to the first byte",
        "From the first byte in to the first byte out: with streamed answers much less than the "
        "latency.",
        "s",
        Query(quantile(0.99, first, MODELS, ROUTE), f"p99 {ROUTED}", exemplars=True),
        Query(quantile(0.5, first, MODELS, ROUTE), f"p50 {ROUTED}"),
        axis=Axis(bend=0.01),
    )


def _tokens() -> Iterator[Panel]:
    for title, about, metric in (
        (
            "Time to the first token",
            "From the first byte in to the first event out, of answers streamed as events.",
            "mlmon_request_first_token_seconds",
        ),
        (
            "Time between tokens",
            "From one event of a streamed answer to the next: a token, where each is sent at once.",
            "mlmon_output_token_seconds",
        ),
    ):
        yield series(
            title,
            about,
            "s",
            Query(quantile(0.99, metric, MODELS, ROUTE), f"p99 {ROUTED}"),
            Query(quantile(0.5, metric, MODELS, ROUTE), f"p50 {ROUTED}"),
            axis=Axis(bend=0.01),
            none="Needs streamed answers",
        )


def _sizes() -> Iterator[Panel]:
    for word, metric in (
        ("Request", "mlmon_request_size_bytes"),
        ("Response", "mlmon_response_size_bytes"),
    ):
        yield series(
            f"{word} size",
            f"Bytes of {word.lower()} bodies, counted, not read from a header.",
            "bytes",
            Query(quantile(0.99, metric, MODELS, BY), f"p99 {NAMED}"),
            Query(quantile(0.5, metric, MODELS, BY), f"p50 {NAMED}"),
        )
    yield series(
        "Rows of a request",
        "Rows that a request asks to be predicted.",
        "short",
        Query(quantile(0.99, "mlmon_request_rows", MODELS, BY), f"p99 {NAMED}"),
        Query(quantile(0.5, "mlmon_request_rows", MODELS, BY), f"p50 {NAMED}"),
    )
    yield series(
        "Rows predicted",
        "Rows a second.",
        "rowsps",
        Query(rate("mlmon_prediction_rows_total", MODELS, BY), NAMED),
    )


def _saturation() -> Iterator[Panel]:
    yield series(
        "Requests in progress",
        "Requests that are being served. A number that only grows says that the server is stuck.",
        "none",
        Query(total("mlmon_requests_in_progress", MODELS, ROUTE), ROUTED),
        none="None in progress",
    )
    yield series(
        "CPU",
        "Cores that all workers of a server use.",
        "none",
        Query(rate("process_cpu_seconds_total", SERVERS, "instance"), INSTANCE),
    )
    yield series(
        "Memory",
        "Resident memory of all workers of a server.",
        "bytes",
        Query(total("process_resident_memory_bytes", SERVERS, "instance"), INSTANCE),
    )
    yield series(
        "Open files",
        "Open file descriptors of all workers of a server, sockets among them.",
        "none",
        Query(total("process_open_fds", SERVERS, "instance"), INSTANCE),
    )
