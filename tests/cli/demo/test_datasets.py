"""Facts about the demo's data."""

from __future__ import annotations

from mlmon_exporter.cli.demo.datasets import SEASONS, bike_splits, income_splits
from tests.cli.demo.replayed import Prepared


def test_training_and_reference_know_winter_only(prepared: Prepared) -> None:
    for part in (prepared.bike.training, prepared.bike.reference):
        assert {row["season"] for row in part.rows} == {1}
    for number, season in enumerate(SEASONS, 1):
        assert {row["season"] for row in prepared.bike.traffic[season].rows} == {number}


def test_every_row_is_in_one_part() -> None:
    parts = income_splits()
    sizes = [len(part.rows) for part in (parts.training, parts.reference, parts.traffic["all"])]
    assert sum(sizes) == 48_842
    assert abs(sizes[0] - 2 * sizes[1]) <= 2
    winter = bike_splits()
    held = (winter.training, winter.reference, winter.traffic["winter"])
    assert sum(len(part.rows) for part in held) == 2068 + 2174


def test_no_income_is_marked_by_a_question_mark(prepared: Prepared) -> None:
    values = {value for row in prepared.income.training.rows for value in row.values()}
    assert None in values
    assert "?" not in values
