"""Rows of the quality board: segments, how good predictions are for each, and how alike."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Panel

from mlmon_exporter.assets.rules.settings import DEFAULTS

from .board import Line, Row
from .panels import Axis, quantity, series, states
from .promql import greatest, least, total
from .quality_rows import over_threshold, worst
from .queries import Query
from .tables import OVER, Column, Key, table

EACH = 'segment_feature!=""'
SEGMENT = "version, segment_feature, segment"
FEATURE = "version, segment_feature"
NAMED = "{{segment_feature}} {{segment}} {{version}}"
NO_SEGMENTS = "Needs segments and ground truth"
NO_RATES = "Needs segments and a positive class"
PARITY = DEFAULTS.parity_objective


def number(here: str) -> Panel:
    """Return what is to be seen first."""
    return quantity(
        "Least parity ratio",
        "How often the least selected segment is selected, as a share of the most selected one, "
        f"of the feature where that is least. The rule of thumb asks for {PARITY:.0%}.",
        "percentunit",
        Query(least("mlmon_demographic_parity_ratio", here, "version"), "{{version}}"),
        steps=[(0, "orange"), (PARITY, "green")],
        none=NO_RATES,
    )


def rows(here: str) -> list[Row]:
    """Return the rows of a model in a window."""
    return [
        Row("Segments", [Line(9, [_segments(here), _over_time(here)], (16, 8))], is_collapsed=True),
        Row(
            "Fairness",
            [Line(8, list(_rates(here))), Line(8, [number(here), *_parities(here)], (4, 10, 10))],
            is_collapsed=True,
        ),
    ]


def _segments(here: str) -> Panel:
    where = f"{here}, {EACH}"

    def of(name: str) -> str:
        return worst("quality", name, where, SEGMENT)

    return table(
        "Segments, the worst first",
        "Quality is the worst one of the segment: its errors divided by those that its threshold "
        "allows, over 1 is worse than chance explains. Segments with few outcomes have none.",
        [
            Key("segment_feature", "Feature", width=110),
            Key("segment", "Segment"),
            Key("namespace", "Namespace", width=100),
            Key("job", "Job", width=80),
            Key("version", "Version", width=80),
        ],
        [
            Column("Quality", over_threshold(where, SEGMENT), "none", 2, OVER, is_bar=True),
            Column("Accuracy", of("accuracy"), "percentunit", 1, width=85),
            Column("Area", of("roc_auc"), "none", 3, width=65),
            Column("Log loss", of("log_loss"), "none", 3, width=75),
            Column("RMSE", of("rmse"), "short", 2, width=75),
            Column("MAE", of("mae"), "short", 2, width=75),
            Column("Outcomes", total("mlmon_quality_rows", where, SEGMENT), width=95),
        ],
        NO_SEGMENTS,
    )


def _over_time(here: str) -> Panel:
    return states(
        "Quality of each segment over time",
        "The worst quality of each segment: green is as in the reference, orange is over its "
        "threshold, red over twice.",
        "none",
        Query(over_threshold(f"{here}, {EACH}", SEGMENT), NAMED),
        ((0.9, "yellow"), *OVER),
        NO_SEGMENTS,
    )


def _rates(here: str) -> Iterator[Panel]:
    share = Axis(most=1)
    yield series(
        "Selected",
        "Share of each segment's rows that are predicted positive. No ground truth needed.",
        "percentunit",
        Query(greatest("mlmon_segment_selection_ratio", here, SEGMENT), NAMED),
        axis=share,
        none=NO_RATES,
    )
    for title, metric, of in (
        ("True positives found", "true_positive", "true positives that were predicted positive"),
        ("False alarms", "false_positive", "true negatives that were predicted positive"),
    ):
        yield series(
            title,
            f"Share of each segment's {of}.",
            "percentunit",
            Query(greatest(f"mlmon_segment_{metric}_ratio", here, SEGMENT), NAMED),
            axis=share,
            none=NO_RATES,
        )
    yield series(
        "Rows of each segment",
        "Rows predicted in the window, and those that turned out positive, over all replicas. "
        "Small segments are in no parity.",
        "short",
        Query(total("mlmon_segment_rows", here, SEGMENT), NAMED),
        Query(total("mlmon_segment_positive_rows", here, SEGMENT), f"positive {NAMED}"),
        none=NO_RATES,
    )


def _parities(here: str) -> Iterator[Panel]:
    named = "{{segment_feature}} {{version}}"
    yield series(
        "Demographic parity ratio",
        "Least over greatest share of selected rows of a feature's segments. The four-fifths rule "
        f"of thumb asks for {PARITY:.0%}, the dashed line, or more. Beyond chance: of the segments "
        "that differ by more than chance.",
        "percentunit",
        Query(least("mlmon_demographic_parity_ratio", here, FEATURE), named),
        Query(
            least("mlmon_demographic_parity_significant_ratio", here, FEATURE),
            f"beyond chance {named}",
        ),
        axis=Axis(most=1, limit=PARITY),
        none=NO_RATES,
    )
    kinds = {
        "demographic parity": "mlmon_demographic_parity_difference",
        "equal opportunity": "mlmon_equal_opportunity_difference",
        "equalized odds": "mlmon_equalized_odds_difference",
        "equalized odds beyond chance": "mlmon_equalized_odds_significant_difference",
    }
    yield series(
        "Gaps between segments",
        "Greatest less least share: of selected rows (demographic parity), of true positives found "
        "(equal opportunity), and the greater of that and of false alarms (equalized odds). 0 is "
        "alike.",
        "percentunit",
        *(Query(greatest(m, here, FEATURE), f"{kind} {named}") for kind, m in kinds.items()),
        none=NO_RATES,
    )
