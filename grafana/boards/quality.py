"""The quality board: what one model predicts, and whether that is as good as it was.

A part of it is a function that returns a `Row`; the board is the list of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from . import column_panels, outcomes, quality_rows, segments
from .board import Board, Choice, Line, Row, dashboard
from .column import OUTPUT, over_threshold
from .panels import Axis, quantity, series
from .promql import MODEL, VERSION, WINDOW, greatest, rate
from .queries import Query

UID = "mlmon-quality"
BOARD = Board(
    uid=UID,
    title="Model quality and fairness",
    about="How good a model's predictions are, for whom, and what they bring.",
    hours=24,
    is_of_one_model=True,
    choices=(
        Choice("window", "Window", "mlmon_prediction_window_rows{{{where}}}"),
        Choice("output", "Output", "mlmon_prediction_window_rows{{{where}}}"),
    ),
)
HERE = f"{MODEL}, {WINDOW}"


def board() -> Dashboard:
    """Return the board."""
    # Rows that some models leave empty are collapsed.
    rows = (
        _now(),
        *quality_rows.rows(HERE),
        outcomes.ground_truth(HERE),
        _predictions(),
        outcomes.coverage(HERE),
        quality_rows.concept(HERE),
        quality_rows.expected(HERE),
        *segments.rows(HERE),
        quality_rows.versions(HERE),
        outcomes.business(),
        _one_output(),
    )
    return dashboard(BOARD, rows)


def _now() -> Row:
    return Row("Now: $model", [Line(4, list(quality_rows.numbers(HERE)))])


def _predictions() -> Row:
    return Row("Predictions", [Line(7, list(_outputs()), (6, 9, 9))])


def _one_output() -> Row:
    lines = [*column_panels.lines(OUTPUT), column_panels.other_scores(OUTPUT)]
    return Row("One output: $output", lines, is_collapsed=True)


def _outputs() -> Iterator[Panel]:
    drifted = greatest("mlmon_prediction_drifted", HERE, "version, output")
    yield quantity(
        "Outputs drifted",
        "Outputs of which some score is over its threshold, in some replica.",
        "none",
        Query(f"sum by ({VERSION}) ({drifted})", "{{version}}"),
        steps=[(1, "orange")],
    )
    yield series(
        "Drift of each output",
        "The worst score of each output divided by its threshold: over the dashed line, 1, what "
        "the model predicts has changed.",
        "none",
        Query(over_threshold(OUTPUT, MODEL, "version, output"), "{{output}} {{version}}"),
        axis=Axis(limit=1, bend=1),
    )
    yield series(
        "Rows predicted",
        "Rows a second; a request may hold many.",
        "rowsps",
        Query(rate("mlmon_prediction_rows_total", MODEL, "version"), "rows {{version}}"),
    )
