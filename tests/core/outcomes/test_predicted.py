"""Facts about predicted rows that are counted by segment."""

from __future__ import annotations

from tests.core.outcome_rows import HOUR, NOW, predicted, told
from tests.core.outcomes.people import (
    FEATURES,
    parts,
    people,
    people_model,
)


def test_predicted_rows_count_for_their_own_time() -> None:
    model, rows = people_model(), people(200, 22)
    for at in (NOW - 2 * HOUR, NOW):
        predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"), at=at)
    for window, times in (("1h", 1), ("24h", 2)):
        found = told(model, window=window)
        men = found["segment_rows", "v1", "sex", "m"]
        assert men == times * (rows["sex"] == "m").sum()
