"""Rows of the quality board: ground truth as it arrives, and business numbers."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Panel

from .board import Line, Row
from .panels import Axis, Style, fixed, series
from .promql import (
    BY_PLACE,
    MODEL,
    RECORDED_MODEL,
    SERVERS,
    either,
    greatest,
    least,
    quantile,
    quotient,
    rate,
    total,
)
from .quality_rows import ALL_ROWS, NO_CLASSES, NO_OUTCOMES
from .queries import Query

KPI = "version, kpi"
ROWS = f"{BY_PLACE}, model, version"
OUTCOMES = {
    "matched": "green",
    "duplicate": "blue",
    "late": "yellow",
    "unknown": "orange",
    "invalid": "red",
}
NAMED = "{{kpi}} {{version}}"
NO_KPI = "Needs business numbers with the id of a prediction"


def ground_truth(here: str) -> Row:
    """Return what came back, and what is waited for."""
    return Row("Ground truth", [Line(8, list(_ground_truth(here)))])


def _ground_truth(here: str) -> Iterator[Panel]:
    arrived = "mlmon_ground_truth_total"
    nobodys = f'{SERVERS}, model="", outcome=~"unknown|invalid"'
    yield series(
        "Ground truth that came",
        "Ground truths a second by what became of them: late ones are older than the longest "
        "window and are not scored; unknown ones name no prediction that waits, and so no model.",
        "cps",
        Query(rate(arrived, MODEL, "outcome"), "{{outcome}}"),
        Query(f"{rate(arrived, nobodys, 'outcome')} > 0", "{{outcome}}, of no model"),
        axis=Axis(least_top=1),
        styles=[Style(f"/^{outcome}/", fixed(color)) for outcome, color in OUTCOMES.items()],
    )
    delay = "mlmon_ground_truth_delay_seconds"
    yield series(
        "Delay of ground truth",
        "How long after its prediction a ground truth became known.",
        "s",
        *(
            Query(quantile(share, delay, MODEL, "version"), f"{name} {{{{version}}}}")
            for share, name in ((0.5, "median"), (0.9, "90th percentile"))
        ),
        none=NO_OUTCOMES,
    )
    yield series(
        "Predictions that wait",
        "Predictions whose ground truth has not come, and outcomes in the window.",
        "short",
        Query(greatest("mlmon_pending_predictions", MODEL, "version"), "waiting {{version}}"),
        Query(total("mlmon_quality_rows", f"{here}, {ALL_ROWS}", "version"), "joined {{version}}"),
    )


def coverage(here: str) -> Row:
    """Return the share of predictions whose ground truth came, by predicted class."""
    panel = series(
        "Coverage of ground truth",
        "Share of the window's predictions whose ground truth came, by predicted class. Where "
        "classes differ, quality is that of the outcomes that came.",
        "percentunit",
        Query(
            greatest("mlmon_ground_truth_coverage_ratio", here, "version, predicted_class"),
            "{{predicted_class}} {{version}}",
        ),
        Query(
            least("mlmon_ground_truth_parity_ratio", here, "version"),
            "least over greatest {{version}}",
        ),
        axis=Axis(most=1),
        none=NO_CLASSES,
    )
    return Row("Ground truth by predicted class", [Line(8, [panel])], is_collapsed=True)


def business() -> Row:
    """Return events, their values, and how many a predicted row brings."""
    return Row("Business numbers", [Line(8, list(_business()))], is_collapsed=True)


def _business() -> Iterator[Panel]:
    by = f"{BY_PLACE}, model, {KPI}"
    recorded = greatest("kpi:mlmon_kpi_events_per_row:ratio1h", RECORDED_MODEL, by)
    events, rows = (
        f"sum by ({labels}) (increase({metric}{{{MODEL}}}[$window]))"
        for labels, metric in (
            (by, "mlmon_kpi_events_total"),
            (ROWS, "mlmon_prediction_rows_total"),
        )
    )
    live = quotient(events, rows).replace("\n/\n", f"\n/ on ({ROWS}) group_left ()\n")
    yield series(
        "Events per predicted row",
        "Events of each business number for each row that its version predicted in the last hour, "
        "by the recording rules: conversion, where an event is a purchase. Without the rules, in "
        "the window.",
        "percentunit",
        Query(either(recorded, live), NAMED),
        none=NO_KPI,
    )
    yield series(
        "Events",
        "Events a second of each business number.",
        "cps",
        Query(rate("mlmon_kpi_events_total", MODEL, KPI), NAMED),
        none=NO_KPI,
    )
    yield series(
        "Values",
        "Values of events, added up, a second; of numbers that are also negative, the sum so far.",
        "short",
        Query(rate("mlmon_kpi_value_total", MODEL, KPI), f"{NAMED} a second"),
        Query(total("mlmon_kpi_value_sum", MODEL, KPI), f"{NAMED} sum"),
        axis=Axis(least=None),
        none=NO_KPI,
    )
