"""The drift board: which features of one model changed, and then how one of them did."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from . import column_panels
from .board import Board, Choice, Line, Row, dashboard
from .column import FEATURE, TOGETHER, over_threshold, where_of
from .panels import quantity, series, states
from .promql import MODEL, VERSION, WINDOW, by_place, greatest, total
from .queries import Query
from .tables import OVER, Column, Key, table

UID = "mlmon-drift"
BOARD = Board(
    uid=UID,
    title="Model drift",
    about="Which features of a model changed against its reference, and how one of them did.",
    hours=24,
    is_of_one_model=True,
    choices=(
        Choice("window", "Window", "mlmon_feature_window_rows{{{where}}}"),
        Choice("feature", "Feature", "mlmon_feature_window_rows{{{where}}}"),
        Choice("derived", "Derived column", "mlmon_derived_window_rows{{{where}}}"),
    ),
)
HERE = f"{MODEL}, {WINDOW}"
BY = "version, feature"
STEPS_OF_TIME = ((0.5, "yellow"), *OVER)


def board() -> Dashboard:
    """Return the board."""
    features = Row(
        "Which features drifted: $model",
        [Line(4, list(_numbers())), Line(13, [_ranked(), _heat()], (16, 8))],
    )
    one = Row("One feature: $feature", column_panels.lines(FEATURE))
    earlier = Row("Against earlier periods: $feature", [Line(8, [_earlier()])], is_collapsed=True)
    other = Row("Other scores: $feature", [column_panels.other_scores(FEATURE)], is_collapsed=True)
    together = Row(
        "Features together: $model", [Line(8, [_heat_together(), _carriers()], (14, 10))]
    )
    derived = Row(
        "One column derived from features: $derived",
        [*column_panels.of_derived(TOGETHER), column_panels.other_scores(TOGETHER)],
        is_collapsed=True,
    )
    return dashboard(BOARD, [features, together, one, earlier, other, derived])


def _numbers() -> Iterator[Panel]:
    yield quantity(
        "Features drifted",
        "Features of which some score is over its threshold, in some replica.",
        "none",
        Query(f"sum by ({VERSION}) ({greatest('mlmon_feature_drifted', HERE, BY)})", "{{version}}"),
        steps=[(1, "orange")],
    )
    yield quantity(
        "Share of features drifted",
        "The same as a share. Many at once point to the data source rather than to the world.",
        "percentunit",
        Query(greatest("mlmon_drifted_features_ratio", HERE, "version"), "{{version}}"),
        steps=[(1e-9, "orange"), (0.3, "red")],
    )
    yield quantity(
        "Rows in the window",
        "Rows that the scores are made of, over all replicas.",
        "short",
        Query(
            f"max by ({VERSION}) ({total('mlmon_feature_window_rows', HERE, BY)})", "{{version}}"
        ),
    )
    yield quantity(
        "Rows of the reference",
        "Rows that the reference was built from, or has learned from so far.",
        "short",
        Query(greatest("mlmon_reference_rows", MODEL, "version"), "{{version}}"),
    )
    yield quantity(
        "Reference built",
        "When the reference was built. An old one makes drift of what has long been normal.",
        "dateTimeFromNow",
        Query(
            f"1000 * {greatest('mlmon_reference_timestamp_seconds', MODEL, 'version')}",
            "{{version}}",
        ),
    )
    yield quantity(
        "Learning a reference",
        "Whether the reference is still learned from the first rows; no scores until then.",
        "bool_yes_no",
        Query(greatest("mlmon_reference_learning", MODEL, "version"), "{{version}}"),
        steps=[(1, "yellow")],
    )


def _ranked() -> Panel:
    def worst(metric: str) -> str:
        return greatest(f"mlmon_feature_{metric}", HERE, BY)

    drift, share = over_threshold(FEATURE, MODEL, BY), _importance()
    mean_one = f"{share} * on ({VERSION}) group_left () count by ({VERSION}) ({share})"
    impact = f"{drift}\n* on ({by_place(BY)}) ({mean_one})\nor\n{drift}"
    link = "mlmon-drift?var-model=${model}&var-feature=${__value.raw}&var-window=${window}"
    return table(
        "Features, those first that drifted and matter",
        "Drift is the worst score of a feature divided by its threshold: over 1 it has drifted. "
        "Impact is drift times the feature's importance for the predictions, over the mean "
        "importance; drift itself where the reference knows none. A click on a feature shows it "
        "below.",
        [
            Key("feature", "Feature", link, width=170),
            Key("namespace", "Namespace", width=100),
            Key("job", "Job", width=80),
            Key("version", "Version", width=80),
        ],
        [
            Column("Impact", impact, "none", 2, width=70),
            Column("Drift", drift, "none", 2, OVER, is_bar=True),
            Column("Importance", share, "percentunit", 0, width=95),
            Column("PSI", worst("psi"), "none", 3, width=60),
            Column("PSI threshold", worst("psi_threshold"), "none", 3, width=110),
            Column("KS", worst("ks_statistic"), "none", 3, width=60),
            Column("KS threshold", worst("ks_threshold"), "none", 3, width=105),
            Column("Missing", worst("missing_ratio"), "percentunit", 1, width=75),
            Column("Unseen", worst("unseen_ratio"), "percentunit", 1, width=75),
            Column("Rows", total("mlmon_feature_window_rows", HERE, BY), width=70),
        ],
    )


def _earlier() -> Panel:
    queries = [
        Query(_psi_to(offset), f"{name} {{{{version}}}}")
        for name, offset in {"a week ago": "1w", "the day before": "1d"}.items()
    ]
    reference = f"{MODEL}, {FEATURE.picked}, {WINDOW}"
    return series(
        "PSI of a day against earlier days, and of the window against the reference",
        "What rises against the day before and last week changed suddenly; what rises against the "
        "reference alone changed slowly, or long ago. Of all replicas, from the counters of bins.",
        "none",
        *queries,
        Query(greatest("mlmon_feature_psi", reference, "version"), "reference {{version}}"),
    )


def _psi_to(offset: str) -> str:
    """Return PSI of the last day's rows against those of a day that ended earlier."""
    where, version = where_of(FEATURE), by_place("version")

    def share(before: str = "") -> str:
        counted = f"increase(mlmon_feature_bin_rows_total{{{where}}}[1d]{before})"
        rows = f"(sum by ({version}, bin) ({counted}) + 0.5)"
        return f"({rows} / on ({version}) group_left () sum by ({version}) {rows})"

    now, then = share(), share(f" offset {offset}")
    return f"sum by ({version}) (({now} - {then}) * ln({now} / {then}))"


def _importance() -> str:
    return greatest("mlmon_feature_importance_ratio", MODEL, BY)


def _heat() -> Panel:
    return states(
        "Drift of each feature over time",
        "Each feature's worst score divided by its threshold: green is unchanged, yellow is near, "
        "orange is over it, red is over twice.",
        "none",
        Query(over_threshold(FEATURE, MODEL, BY), "{{feature}} {{version}}"),
        STEPS_OF_TIME,
    )


def _heat_together() -> Panel:
    return states(
        "Drift of columns derived from features over time",
        "They tell how features go together, which no single one shows: a correlation that flips, "
        "two that are swapped. Worst score divided by its threshold: orange is over it.",
        "none",
        Query(over_threshold(TOGETHER, MODEL, "version, derived"), "{{derived}} {{version}}"),
        STEPS_OF_TIME,
    )


def _carriers() -> Panel:
    now, before = (
        greatest(f"mlmon_derived_risen_{what}", HERE, "version, bin")
        for what in ("ratio", "reference_ratio")
    )
    return table(
        "Features that carry it",
        "Share of the window's rows in which a feature is farthest from what the others lead to "
        "expect, of the features that rise while features no longer go together.",
        [
            Key("bin", "Feature"),
            Key("namespace", "Namespace", width=100),
            Key("job", "Job", width=80),
            Key("version", "Version", width=80),
        ],
        [
            Column("Change", f"{now}\n- {before}", "percentunit", 1, is_bar=True),
            Column("Now", now, "percentunit", 1, width=80),
            Column("Reference", before, "percentunit", 1, width=90),
        ],
        none="No feature does",
    )
