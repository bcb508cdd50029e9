"""Cases of requests: budgets, latency, traffic."""

from __future__ import annotations

from functools import partial

from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.records import Histograms

from .alert_cases import ANY, Case, CaseFile, series

BIKE = {"job": "models", "model": "bike"}
RULES = ("recording/mlmon-serving.yml", "alerting/mlmon-serving.yml")

requests = partial(series, "mlmon_requests_total", model="bike")
OK = requests(outcome="ok", status="200")
FAILED = requests(outcome="server_error", status="500")
CUT = requests(outcome="interrupted", status="200")
REFUSED = requests(outcome="client_error", status="422")
OTHER_OK = requests(instance="b", outcome="ok", status="200", version="2")
OTHER_FAILED = requests(instance="b", outcome="server_error", status="500", version="2")
NO_MODEL = series("mlmon_requests_total", model="", outcome="server_error")


def first(status: int, outcome: str, minutes: int = 20) -> dict[str, str]:
    """What an exporter shows of a model that fails for the first time after ten minutes."""
    traffic = RequestCounts()
    shown: dict[str, list[str]] = {}
    labels = ("bike", "1", "/predict", "POST")
    for minute in range(minutes):
        for _ in range(50):
            traffic.record((*labels, 200, "ok"), (0.01,) * 4)
        for _ in range(100 if minute == 10 else 0):
            traffic.record((*labels, status, outcome), (0.01,) * 4)
        for block in traffic.readings():
            if block.name == "mlmon_requests_total" and not isinstance(block, Histograms):
                for row, count in zip(block.labels, block.values, strict=True):
                    name = series(block.name, **dict(zip(block.label_names, row, strict=True)))
                    shown.setdefault(name, ["_"] * minute).append(str(count))
    return {name: " ".join(values) for name, values in shown.items()}


ERRORS = [
    Case(
        "MlmonErrorBurnFast",
        "fires: the first 503 ever, all within a minute",
        first(503, "server_error"),
        at=14,
        labels=BIKE,
        value=ANY,
    ),
    Case(
        "MlmonErrorBurnFast",
        "fires: the first answers that are cut off, all within a minute",
        first(200, "interrupted"),
        at=14,
        labels=BIKE,
        value=ANY,
    ),
    Case(
        "MlmonErrorBurnFast",
        "fires: one replica of two fails always, 2 % of all requests",
        {OK: "0+980x60", OTHER_OK: "0x60", OTHER_FAILED: "0+20x60"},
        at=20,
        labels=BIKE,
        value="2%",
    ),
    Case(
        "MlmonErrorBurnFast",
        "fires: answers are cut off",
        {OK: "0+980x60", CUT: "0+20x60"},
        at=20,
        labels=BIKE,
        value="2%",
    ),
    Case(
        "MlmonErrorBurnFast",
        "fires: by the half hour, when the five minutes are over",
        {OK: "0+100x60", FAILED: "0+50x20 1000+0x40"},
        at=34,
        labels=BIKE,
        value=ANY,
    ),
    Case(
        "MlmonErrorBurnFast",
        "fires: the sixth part of the page's rate, for long",
        {OK: "0+992x60", FAILED: "0+8x60"},
        labels=BIKE,
        value="0.8%",
    ),
    Case(
        "MlmonErrorBurnFast",
        "fires: much in the last hour, after calm ones",
        {OK: "0+1000x300", FAILED: "0x250 40+40x40"},
        at=290,
        labels=BIKE,
        value=ANY,
    ),
    Case("MlmonErrorBurnFast", "silent: half a percent", {OK: "0+995x60", FAILED: "0+5x60"}),
    Case(
        "MlmonErrorBurnFast",
        "silent: errors ended over half an hour ago",
        {OK: "0+100x70", FAILED: "0+50x20 1000+0x50"},
        at=68,
    ),
    Case(
        "MlmonErrorBurnFast",
        "silent: much that was long ago, and a little now",
        {OK: "0+1000x150", FAILED: "0+100x20 2000+0x80 2005+5x50"},
        at=150,
    ),
    Case(
        "MlmonErrorBurnFast",
        "fires: over since a few minutes",
        {OK: "0+100x70", FAILED: "0+50x20 1000+0x50"},
        at=56,
        labels=BIKE,
        value=ANY,
    ),
    Case("MlmonErrorBurnFast", "silent: clients' mistakes", {OK: "0+50x60", REFUSED: "0+50x60"}),
    Case("MlmonErrorBurnFast", "silent: routes of no model", {NO_MODEL: "0+50x60"}),
    Case(
        "MlmonErrorBurnFast",
        "silent: counters restart",
        {OK: "0+100x20 0+100x20 0+100x20", FAILED: "900+0x20 0+0x40"},
    ),
    Case(
        "MlmonErrorBurnFast",
        "silent: less than ten errors, though half of the requests",
        {OK: "0+1x7 7+0x30", FAILED: "0+1x7 7+0x30"},
        at=12,
    ),
    Case("MlmonErrorBurnFast", "silent: a minute old", {OK: "0+50x60", FAILED: "0+50x60"}, at=2),
    Case("MlmonErrorBurnFast", "silent: no request at night", {OK: "900x60", FAILED: "90x60"}),
    Case(
        "MlmonErrorBurnSlow",
        "fires: four times what the objective allows",
        {OK: "0+996x60", FAILED: "0+4x60"},
        labels=BIKE,
        value="0.4%",
    ),
    Case(
        "MlmonErrorBurnSlow",
        "fires: twice what the objective allows",
        {OK: "0+998x60", FAILED: "0+2x60"},
        labels=BIKE,
        value="0.2%",
    ),
    Case("MlmonErrorBurnSlow", "silent: half of it", {OK: "0+1999x60", FAILED: "0+1x60"}),
    Case(
        "MlmonErrorBurnSlow",
        "silent: errors ended two hours ago, and are few in six",
        {OK: "0+996x180", FAILED: "0+4x20 80+0x160"},
        at=180,
    ),
    Case(
        "MlmonErrorBurnSlow",
        "silent: less than ten errors",
        {OK: "0+10x60", FAILED: "0+1x7 7+0x60"},
        at=30,
    ),
    Case("MlmonErrorBurnSlow", "silent: ten minutes old", {OK: "0+996x9", FAILED: "0+4x9"}, at=10),
]

ALL = series("mlmon_request_duration_seconds_count", model="bike", route="/predict")
QUICK = series("mlmon_request_duration_seconds_bucket", model="bike", route="/predict", le="0.5")
QUICKER = series("mlmon_request_duration_seconds_bucket", model="bike", route="/predict", le="0.1")


def latency(slow: int, minutes: int = 60, of: int = 100) -> dict[str, str]:
    return {
        OK: f"0+{of}x{minutes}",
        ALL: f"0+{of}x{minutes}",
        QUICK: f"0+{of - slow}x{minutes}",
        QUICKER: f"0x{minutes}",
    }


LATENCY = [
    Case("MlmonLatencyBurnFast", "fires: a fifth is slow", latency(20), labels=BIKE, value="20%"),
    Case("MlmonLatencyBurnFast", "fires: 8 % is, for long", latency(8), labels=BIKE, value="8%"),
    Case("MlmonLatencyBurnFast", "silent: 5 % is slow", latency(5)),
    Case("MlmonLatencyBurnFast", "silent: less than ten requests", latency(6, 1, 6), at=5),
    Case("MlmonLatencyBurnSlow", "fires: 4 % is slow", latency(4), labels=BIKE, value="4%"),
    Case("MlmonLatencyBurnSlow", "fires: 2 % is slow", latency(2), labels=BIKE, value="2%"),
    Case("MlmonLatencyBurnSlow", "silent: half a percent", latency(1, of=200)),
    Case("MlmonLatencyBurnSlow", "silent: less than ten requests", latency(6, 1, 6), at=30),
]
BURNS = CaseFile(RULES, [*ERRORS, *LATENCY])

ROWS = series("mlmon_prediction_rows_total", model="bike", version="1")
INFO = series("mlmon_model_info", model="bike", version="1")
WEEK = 7 * 24 * 60
"""Minutes; samples are ten minutes apart."""
NOW = 2 * WEEK
STEPS = NOW // 10
THERE = {INFO: f"1x{STEPS + 200}"}


def rows(before: int, now: int) -> str:
    """Return a counter by rows in ten minutes: for two weeks, and after that."""
    return f"0+{before}x{STEPS} {before * STEPS + now}+{now}x50"


def nightly(moved: int) -> str:
    """Return a counter of a batch that runs from 3 to 5 each night, in the last hours later."""
    hours = [(day, 3, 5) for day in range(14)] + [(14, 3 + moved, 5 + moved)]
    text, done, step = [], 0, 0
    for day, first, last in hours:
        start, end = 6 * (24 * day + first), 6 * (24 * day + last)
        text.append(f"{done}x{start - step - 1} {done}+600x{end - start - 1}")
        done, step = done + 600 * (end - start - 1), end
    return f"{' '.join(text)} {done}x60"


def daily(days: int) -> str:
    """Return a counter of a model that is asked from 8 to 21 each day, in ten minutes a sample."""
    text = []
    for day in range(days):
        done = day * 7800
        text.append(f"{done}x47 {done}+100x77 {done + 7800}x17")
    return " ".join(text)


BACKFILL = "0x999 600+600x39 24000x1100"
"""Six hours, a week ago."""

TRAFFIC_CASES = [
    Case(
        "MlmonNoPredictions",
        "fires: none for an hour, many in other weeks",
        {ROWS: rows(600, 0), **THERE},
        at=NOW + 240,
        labels=BIKE,
    ),
    Case(
        "MlmonNoPredictions",
        "fires: the counter is gone after a restart",
        {ROWS: f"0+600x{STEPS} stale", **THERE},
        at=NOW + 240,
        labels=BIKE,
    ),
    Case("MlmonNoPredictions", "silent: few", {ROWS: rows(600, 1), **THERE}, at=NOW + 240),
    Case(
        "MlmonNoPredictions",
        "silent: nor were there any a week ago at this time of night",
        {ROWS: f"0+600x{STEPS - 1010} 600000x30 600600+600x978 1188000+0x50", **THERE},
        at=NOW + 240,
    ),
    Case(
        "MlmonNoPredictions",
        "silent: a backfill, a week ago and never before",
        {ROWS: BACKFILL, **THERE},
        at=NOW + 240,
    ),
    Case("MlmonNoPredictions", "silent: seldom any", {ROWS: rows(30, 0), **THERE}, at=NOW + 240),
    Case("MlmonNoPredictions", "silent: the model is gone", {ROWS: rows(600, 0)}, at=NOW + 240),
    Case("MlmonNoPredictions", "silent: a fresh start", {ROWS: "0x6", **THERE}),
    Case(
        "MlmonTrafficDrop",
        "fires: a third of other weeks' rows",
        {ROWS: rows(600, 200), **THERE},
        at=NOW + 360,
        labels=BIKE,
        value="33.33%",
    ),
    Case("MlmonTrafficDrop", "silent: 60 %", {ROWS: rows(600, 360), **THERE}, at=NOW + 360),
    Case("MlmonTrafficDrop", "silent: less than 1000 rows", {ROWS: rows(150, 20)}, at=NOW + 360),
    Case("MlmonTrafficDrop", "silent: since an hour", {ROWS: rows(600, 0)}, at=NOW + 120),
    Case("MlmonTrafficDrop", "silent: the first weeks", {ROWS: "0+600x50 30000+0x50"}, at=900),
    Case("MlmonTrafficDrop", "silent: after a backfill", {ROWS: BACKFILL}, at=NOW + 240),
]
TRAFFIC = CaseFile(["alerting/mlmon-serving.yml"], TRAFFIC_CASES, every="10m", evaluated="2h")
CLOCKS = CaseFile(
    ["alerting/mlmon-serving.yml"],
    [
        Case(
            "MlmonNoPredictions",
            "silent: the nightly batch came an hour early",
            {ROWS: nightly(-1), **THERE},
            at=NOW + 5 * 60,
        ),
        Case(
            "MlmonNoPredictions",
            "silent: the nightly batch comes an hour late",
            {ROWS: nightly(1), **THERE},
            at=NOW + 4 * 60,
        ),
    ],
    every="10m",
    evaluated="30m",
)
LASTING = CaseFile(
    ["alerting/mlmon-serving.yml"],
    [
        Case(
            "MlmonNoPredictions",
            "fires: still at night, when there never are any",
            {ROWS: f"{daily(14)} {100 * 14 * 78}x300", **THERE},
            at=NOW + 22 * 60,
            labels=BIKE,
        ),
        Case(
            "MlmonNoPredictions",
            "silent: rows come again",
            {ROWS: f"{daily(14)} {100 * 14 * 78}x80 {100 * 14 * 78}+100x300", **THERE},
            at=NOW + 22 * 60,
        ),
    ],
    every="10m",
)
