"""Facts about the page of one column."""

from __future__ import annotations

import math

import pytest

from mlmon_exporter.page.view import View

from .outcomes_served import CREDIT
from .shown import page, tables


def test_only_a_score_that_decides_has_a_threshold(shown: View) -> None:
    found = tables(page(shown, model=CREDIT, version="1", feature="age"), "scores")[0]
    with_threshold = {row[0].split("  ")[0] for row in found if " of " in row[1]}
    assert with_threshold == {"PSI", "KS statistic", "Missing", "Tails"}
    assert {"Jensen-Shannon", "Wasserstein"} < {row[0].split("  ")[0] for row in found}


def test_a_column_says_after_how_many_of_its_rows_a_shift_is_seen(shown: View) -> None:
    found = tables(page(shown, model=CREDIT, version="1", feature="age"), "scores")[0]
    rows = {row[0].split("  ")[0].strip(): row[1:] for row in found}
    (said,) = (cells for title, cells in rows.items() if title.startswith("A shift of 0.5 sd"))
    limit = float(rows["KS statistic"][0].split(" of ")[1])
    total = int(rows["Rows"][0].replace("\u202f", ""))
    share = limit / (1.05 * math.erf(0.5 / math.sqrt(8)))
    assert share <= 1
    assert int(said[0].split(" row")[0].replace("\u202f", "")) == pytest.approx(
        share * total, rel=0.02
    )
