"""Panels on requests that several boards share."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Panel

from mlmon_exporter.assets.rules.settings import DEFAULTS

from .panels import Axis, quantity, series
from .promql import BY_PLACE, MODELS, quotient, rate, within
from .queries import Query

BY = f"{BY_PLACE}, model, version"
NAMED = "{{namespace}} {{job}} {{model}} {{version}}"
SECONDS = DEFAULTS.slow_seconds
MOST_ERRORS = round(1 - DEFAULTS.availability_objective, 9)
DURATION = "mlmon_request_duration_seconds"


def errors(where: str, by: str = "") -> str:
    """Return the share of requests that page: those that fail, or are cut off."""
    failed = f'{where}, outcome=~"server_error|interrupted"'
    return quotient(
        rate("mlmon_requests_total", failed, by), rate("mlmon_requests_total", where, by)
    )


def numbers() -> Iterator[Panel]:
    """Give the numbers of now: requests, errors, and how many were answered in time."""
    yield quantity(
        "Requests",
        "Requests a second to all models.",
        "reqps",
        Query(rate("mlmon_requests_total", MODELS)),
    )
    yield quantity(
        "Server errors",
        "Share of requests that end in a server error or are cut off, which page. Red is more than "
        "the objective allows.",
        "percentunit",
        Query(errors(MODELS)),
        steps=[(MOST_ERRORS, "red")],
    )
    yield quantity(
        f"Within {SECONDS:g} s",
        "Share of requests answered in time. Red is less than the objective asks for.",
        "percentunit",
        Query(within(SECONDS, DURATION, MODELS)),
        steps=[(0, "red"), (DEFAULTS.latency_objective, "green")],
    )


def errors_by_model(title: str) -> Panel:
    """Return the share of errors over time, by model and version."""
    return series(
        title,
        "Share of requests that end in a server error or are cut off; the dashed line is the "
        "objective.",
        "percentunit",
        Query(errors(MODELS, BY), NAMED),
        axis=Axis(limit=MOST_ERRORS),
    )
