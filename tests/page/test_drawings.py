"""Facts about drawings: shapes are as high as shares, and what is over its threshold is a dot."""

from __future__ import annotations

import re

import numpy as np

from mlmon_exporter.core.drift.history import ScoreHistory
from mlmon_exporter.page.drawings import BARS_HEIGHT, bars, sparkline

NAN = float("nan")


def paths(drawing: object, class_: str) -> list[str]:
    return re.findall(rf'<path class="{class_}" d="([^"]*)"', str(drawing))


def history(*severity: float) -> ScoreHistory:
    values = np.array(severity)
    return ScoreHistory(values, np.ones(len(values)), values)


def test_a_pane_over_its_threshold_has_a_dot_and_the_last_one_under_it_too() -> None:
    assert paths(sparkline(history(0.2, 1.5, 0.4), "psi"), "over dot")[0].count("h0") == 1
    assert paths(sparkline(history(0.2, 1.5, 0.4), "psi"), "now dot")[0].count("h0") == 1
    assert paths(sparkline(history(0.2, 1.5), "psi"), "now dot") == []


def test_a_pane_without_a_score_breaks_the_line() -> None:
    (line,) = paths(sparkline(history(0.1, 0.2, NAN, 0.3), "psi"), "now line")
    assert (line.count("M"), line.count("L")) == (2, 1)


def test_bars_are_as_high_as_their_shares_and_none_is_drawn_of_nothing() -> None:
    drawing = bars(np.array([0.5, 0.25, 0.25]), np.array([1.0, 0.0, 0.0]), "shares")
    heights = [-float(v) for v in re.findall(r"v(-[0-9.]+)", paths(drawing, "reference")[0])]
    full = BARS_HEIGHT - 2
    assert heights == [full * 0.5, full * 0.25, full * 0.25]
    assert re.findall(r"v(-[0-9.]+)", paths(drawing, "now")[0]) == [f"-{full}"]


def test_bars_of_no_rows_are_empty() -> None:
    drawing = bars(np.array([NAN, NAN]), np.array([NAN, NAN]), "shares")
    assert paths(drawing, "reference") == [""]
