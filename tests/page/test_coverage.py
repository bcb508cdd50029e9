"""Facts about the coverage of ground truth on the page."""

from __future__ import annotations

import math

import pytest

from mlmon_exporter.page.alerts import coverage_note
from mlmon_exporter.page.outcome_view import Coverage
from mlmon_exporter.page.view import View

from .outcomes_served import CREDIT
from .shown import champion, page, tables, text_of


def test_uneven_coverage_is_the_likely_cause_of_worse_quality() -> None:
    note = coverage_note(Coverage(0.35, {"good": 0.2, "bad": 0.9}, 0.22))
    assert note is not None
    shown = " ".join(text_of(str(note)).split())
    assert shown == (
        "Likely cause: ground truth has come for 35.0 % of predictions: 90.0 % of bad , "
        "20.0 % of good ."
    )


def test_low_coverage_is_named_and_much_is_not() -> None:
    note = coverage_note(Coverage(0.35, {"good": 0.35}, math.nan))
    assert note is not None
    assert "Ground truth has come for 35.0 % of predictions." in text_of(str(note))
    assert coverage_note(Coverage(0.95, {"good": 0.94, "bad": 0.97}, 1.0)) is None
    assert coverage_note(Coverage(math.nan, {}, math.nan)) is None


def test_the_page_has_the_share_of_predictions_with_ground_truth(shown: View) -> None:
    coverage = champion(shown).coverage("24h")
    assert coverage.all_rows == pytest.approx(0.7)
    assert coverage.by_class.keys() == {"yes", "no"}
    rows = [row for table in tables(page(shown, model=CREDIT), "quality") for row in table]
    share = next(row for row in rows if row[0] == "Share of predictions with ground truth")
    assert "70.0 %" in share
