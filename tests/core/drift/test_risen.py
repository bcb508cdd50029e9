"""Facts about categories whose share rose."""

from __future__ import annotations

from mlmon_exporter.core.drift.risen import risen

NAMES = ["a", "b", "c", "d", "e"]
EVEN = [0.2] * 5


def names(now: list[float], rows: int) -> list[str]:
    return [each.name for each in risen(NAMES, EVEN, now, rows)]


def test_the_three_that_rose_most_are_named_greatest_rise_first() -> None:
    found = risen(NAMES, [0.1, 0.2, 0.5, 0.1, 0.1], [0.2, 0.35, 0.0, 0.15, 0.3], 10_000)
    assert [each.name for each in found] == ["e", "b", "a"]
    assert (found[0].before, found[0].now) == (0.1, 0.3)


def test_a_rise_of_less_than_four_standard_errors_or_a_hundredth_is_none() -> None:
    # A share of 0.2 in 400 rows has a standard error of 0.022.
    assert names([0.27, 0.18, 0.18, 0.18, 0.19], 400) == []
    assert names([0.30, 0.17, 0.17, 0.18, 0.18], 400) == ["a"]
    assert names([0.209, 0.197, 0.198, 0.198, 0.198], 10_000_000) == []


def test_without_rows_none_has_risen() -> None:
    assert names([float("nan")] * 5, 0) == []
    assert names([0.0] * 5, 0) == []
