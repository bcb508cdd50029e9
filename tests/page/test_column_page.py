"""Facts about the page of one column."""

from __future__ import annotations

from mlmon_exporter.page.view import View

from .outcomes_served import CREDIT
from .shown import page, tables


def test_only_a_score_that_decides_has_a_threshold(shown: View) -> None:
    found = tables(page(shown, model=CREDIT, version="1", feature="age"), "scores")[0]
    with_threshold = {row[0].split("  ")[0] for row in found if " of " in row[1]}
    assert with_threshold == {"PSI", "KS statistic", "Missing", "Tails"}
    assert {"Jensen-Shannon", "Wasserstein"} < {row[0].split("  ")[0] for row in found}
