"""The overview: all models at once, and which of them needs a look."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from mlmon_exporter.assets.rules.settings import DEFAULTS

from . import quality_rows, traffic_rows
from .board import Board, Choice, Line, Row, dashboard
from .column import FEATURE, OUTPUT, over_threshold
from .panels import Axis, quantity, series
from .promql import (
    BY_PLACE,
    FIRING,
    MODELS,
    RECORDED_MODELS,
    SERVERS,
    WINDOW,
    either,
    greatest,
    or_zero,
    quantile,
    rate,
)
from .queries import Query
from .tables import OVER, Column, Key, table
from .traffic_rows import BY, DURATION, MOST_ERRORS, NAMED, SECONDS, errors

UID = "mlmon-overview"
BOARD = Board(
    uid=UID,
    title="Models: overview",
    about="All model servers: traffic, errors, latency, drift, and what fires.",
    choices=(Choice("window", "Window", "mlmon_feature_window_rows{{{where}}}"),),
)
HERE = f"{MODELS}, {WINDOW}"
SEVERITIES = {"critical": "red", "warning": "orange"}


def board() -> Dashboard:
    """Return the board."""
    return dashboard(
        BOARD,
        [
            Row("Now", [Line(4, list(_numbers())), Line(8, [_models()])]),
            Row("What needs a look", [Line(9, [_worst_features(), _firing()], (13, 11))]),
            Row("Requests", [Line(8, list(_requests()))]),
            Row("Drift", [Line(8, list(_drift()))]),
            Row("Predictions", [Line(8, list(_predictions()))]),
        ],
    )


def drifted(metric: str, column: str) -> str:
    """Return how many columns of each model drifted."""
    return f"sum by ({BY}) ({greatest(metric, HERE, f'{BY}, {column}')})"


def _numbers() -> Iterator[Panel]:
    yield quantity(
        "Servers down",
        "Scrape targets of the jobs that do not answer: `up` is 0.",
        "none",
        Query(f"count(up{{{SERVERS}}} == 0) or vector(0)"),
        steps=[(1, "red")],
    )
    yield from traffic_rows.numbers()
    yield quantity(
        "Features drifted",
        "Features of all models of which some score is over its threshold.",
        "none",
        Query(f"sum({greatest('mlmon_feature_drifted', HERE, f'{BY}, feature')})"),
        steps=[(1, "orange")],
    )
    yield quantity(
        "Outputs drifted",
        "Outputs of all models of which some score is over its threshold.",
        "none",
        Query(f"sum({greatest('mlmon_prediction_drifted', HERE, f'{BY}, output')})"),
        steps=[(1, "orange")],
    )
    for title, severity, color in (("Pages", "critical", "red"), ("Tickets", "warning", "orange")):
        firing = FIRING.replace("ALERTS{", f'ALERTS{{severity="{severity}", ', 1)
        yield quantity(
            f"{title} firing",
            f"Messages that Alertmanager makes of alerts of severity {severity} that fire: one for "
            "each job and cause. Some may be held back by others.",
            "none",
            Query(or_zero(f"count(count by ({BY_PLACE}, subsystem) ({firing}))")),
            steps=[(1, color)],
        )


def _models() -> Panel:
    link = "mlmon-drift?var-model=${__value.raw}&var-window=${window}&var-job=${__data.fields.Job}"
    return table(
        "Models",
        "One row for each version of a model. Drift is the worst score of any feature divided by "
        "its threshold: over 1 the feature has drifted. Prediction drift is that of the outputs. "
        "Quality is the worst one of those with ground truth: its errors divided by those that its "
        "threshold allows. A click on a model shows its features.",
        [
            Key("namespace", "Namespace", width=100),
            Key("job", "Job", width=100),
            Key("model", "Model", link),
            Key("version", "Version", width=80),
        ],
        [
            Column("Drift", over_threshold(FEATURE, MODELS, BY), "none", 2, OVER, is_bar=True),
            Column(
                "Features drifted",
                drifted("mlmon_feature_drifted", "feature"),
                "none",
                0,
                width=135,
            ),
            Column(
                "Prediction drift", over_threshold(OUTPUT, MODELS, BY), "none", 2, OVER, width=120
            ),
            Column("Quality", _quality(), "none", 2, OVER, width=90),
            Column("Requests", rate("mlmon_requests_total", MODELS, BY), "reqps", 1, width=90),
            Column(
                "Errors", errors(MODELS, BY), "percentunit", 2, [(MOST_ERRORS, "red")], width=80
            ),
            Column(
                "p99", quantile(0.99, DURATION, MODELS, BY), "s", 1, [(SECONDS, "red")], width=85
            ),
            Column("Rows", rate("mlmon_prediction_rows_total", MODELS, BY), "rowsps", 1, width=100),
            Column(
                "Reference built",
                f"1000 * {greatest('mlmon_reference_timestamp_seconds', MODELS, BY)}",
                "dateTimeFromNow",
                width=125,
            ),
        ],
    )


def _quality() -> str:
    return quality_rows.over_threshold(f"{HERE}, {quality_rows.ALL_ROWS}", BY)


def _worst_features() -> Panel:
    columns = f"{BY}, feature"
    of = "var-model=${__data.fields.Model}&var-job=${__data.fields.Job}"
    picked = f"{of}&var-feature=${{__value.raw}}"
    link = f"mlmon-drift?{picked}&var-window=${{window}}"
    return table(
        "The ten most drifted features",
        "Drift is the worst score of a feature divided by its threshold: over 1 it has drifted. A "
        "click shows the feature.",
        [
            Key("feature", "Feature", link),
            Key("namespace", "Namespace", width=100),
            Key("job", "Job", width=95),
            Key("model", "Model", width=120),
            Key("version", "Version", width=80),
        ],
        [
            Column(
                "Drift",
                f"topk(10, {over_threshold(FEATURE, MODELS, columns)})",
                "none",
                2,
                OVER,
                is_bar=True,
            )
        ],
    )


def _firing() -> Panel:
    about = f"sum by (alertname, severity, {BY_PLACE}, model)"
    none = '"alertname", "Nothing fires", "", ""'
    return table(
        "Alerts firing",
        "Alerts about these models that fire now, pages first.",
        [
            Key("alertname", "Alert", width=200),
            Key("severity", "Severity", width=80, colors=SEVERITIES),
            Key("namespace", "Namespace", width=100),
            Key("job", "Job", width=90),
            Key("model", "Model", width=110),
        ],
        [
            Column(
                "Firing",
                f"{about} ({FIRING})\nor label_replace(vector(0), {none})",
                "none",
                width=65,
            )
        ],
        first="severity",
    )


def _requests() -> Iterator[Panel]:
    yield series(
        "Requests",
        "Requests a second.",
        "reqps",
        Query(rate("mlmon_requests_total", MODELS, BY), NAMED),
    )
    yield traffic_rows.errors_by_model("Server errors")
    yield series(
        "Latency, 99th percentile",
        f"From the first byte in to the last byte out. {DEFAULTS.latency_objective:.0%} of "
        "requests should be under the dashed line. Dots are requests whose trace can be opened.",
        "s",
        Query(quantile(0.99, DURATION, MODELS, BY), NAMED, exemplars=True),
        axis=Axis(limit=SECONDS, bend=0.01),
    )


def _drift() -> Iterator[Panel]:
    yield series(
        "Features that drifted",
        "Share of each model's features of which some score is over its threshold.",
        "percentunit",
        Query(greatest("mlmon_drifted_features_ratio", HERE, BY), NAMED),
    )
    yield series(
        "Drift, worst feature",
        "The worst score of any feature divided by its threshold: over the dashed line, 1, it has "
        "drifted.",
        "none",
        Query(over_threshold(FEATURE, MODELS, BY), NAMED),
        axis=Axis(limit=1, bend=1),
    )
    recorded = f"max by ({BY}) (feature:mlmon_feature_psi:1h{{{RECORDED_MODELS}}})"
    yield series(
        "PSI over all replicas, worst feature",
        "PSI of the rows of all replicas together in the last hour, by the recording rules; "
        "without them, of the replica that drifted most.",
        "none",
        Query(either(recorded, greatest("mlmon_feature_psi", HERE, BY)), NAMED),
    )


def _predictions() -> Iterator[Panel]:
    yield series(
        "Drift of predictions",
        "The worst score of any output divided by its threshold: over the dashed line, 1, what the "
        "model predicts has changed.",
        "none",
        Query(over_threshold(OUTPUT, MODELS, BY), NAMED),
        axis=Axis(limit=1, bend=1),
    )
    yield series(
        "Rows predicted",
        "Rows a second; a request may hold many.",
        "rowsps",
        Query(rate("mlmon_prediction_rows_total", MODELS, BY), NAMED),
    )
    yield series(
        "Missing values, worst feature",
        "Share of the window's rows without a usable value, of the feature that has most.",
        "percentunit",
        Query(greatest("mlmon_feature_missing_ratio", HERE, BY), NAMED),
    )
