"""Facts about stretches of live traffic: which are kept, for how long, and that they add up."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.windows.stretches import DAY_SECONDS, STRETCH_DAYS, Stretches, stride
from mlmon_exporter.core.windows.tally import Layout, Tally, tally_columns

HOUR = 3600.0
EDGES = np.arange(8.0)
LAYOUT = Layout(("x", "c"), (NumericBins(EDGES, EDGES[[3]]), CategoryBins(("a", "b"))))


def rows(*values: float) -> Tally:
    return tally_columns(LAYOUT, np.array([values, [0.0] * len(values)]), "")


@pytest.mark.parametrize("seconds", [300.0, 600.0, 3600.0, 7200.0, 6 * 3600.0, DAY_SECONDS])
def test_a_few_stretches_a_day_are_kept_at_other_hours_each_day(seconds: float) -> None:
    step, a_day = stride(seconds), round(DAY_SECONDS / seconds)
    kept = np.arange(0, a_day * a_day, step)
    assert min(a_day, 4) <= len(kept) / a_day <= 12
    # All hours have their turn.
    assert math.gcd(step, a_day) == 1
    assert len(set(kept % a_day)) == a_day


def test_lengths_are_those_of_windows_up_to_a_day_and_a_day() -> None:
    assert Stretches(LAYOUT, [HOUR]).lengths == (HOUR, DAY_SECONDS)
    assert Stretches(LAYOUT, [HOUR, 7 * DAY_SECONDS]).lengths == (HOUR, DAY_SECONDS)


def test_rows_are_counted_by_bin() -> None:
    stretches = Stretches(LAYOUT, [HOUR])
    stretches.add(rows(-1.0, 2.0, 5.0), now=HOUR / 2)
    stretches.add(rows(9.0, np.nan), now=HOUR / 3)
    found = stretches.of(HOUR, [0])
    assert found.rows.tolist() == [5]
    # x: up to 3, over it, missing; c: a, b, other, unseen, missing.
    assert found.bins.tolist() == [[2, 2, 1, 5, 0, 0, 0, 0]]


def test_the_first_stretch_and_the_newest_are_left_out() -> None:
    stretches = Stretches(LAYOUT, [DAY_SECONDS])
    for day in range(5):
        stretches.add(rows(1.0), now=(day + 0.5) * DAY_SECONDS)
    known = [stretches.numbers(day * DAY_SECONDS)[DAY_SECONDS] for day in (3, 4, 5, 6)]
    assert known == [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]


def test_stretches_are_kept_for_four_weeks() -> None:
    stretches = Stretches(LAYOUT, [HOUR])
    for hour in range(40 * 24):
        stretches.add(rows(1.0), now=hour * HOUR)
    numbers = stretches.numbers(40 * DAY_SECONDS)
    assert min(numbers[DAY_SECONDS]) >= 40 - STRETCH_DAYS
    assert min(numbers[HOUR]) * HOUR >= (40 - STRETCH_DAYS) * DAY_SECONDS
    assert len(numbers[HOUR]) == pytest.approx(STRETCH_DAYS * 24 / 5, abs=2)
    assert stretches.numbers(80 * DAY_SECONDS) == {HOUR: (), DAY_SECONDS: ()}


def test_stretches_of_several_processes_add_up() -> None:
    here, there = (Stretches(LAYOUT, [HOUR], is_shared=True) for _ in range(2))
    for hour in range(60):
        (here if hour % 2 else there).add(rows(float(hour % 9)), now=hour * HOUR)
    one = Stretches(LAYOUT, [HOUR])
    for hour in range(60):
        one.add(rows(float(hour % 9)), now=hour * HOUR)
    for each in (here, there):
        for key, tally in each.counted.take().items():
            here.loaded.restore(key, tally)
    assert here.numbers(3 * DAY_SECONDS) == one.numbers(3 * DAY_SECONDS)
    for seconds, numbers in one.numbers(3 * DAY_SECONDS).items():
        ours, all_rows = here.of(seconds, numbers), one.of(seconds, numbers)
        assert (ours.bins == all_rows.bins).all()
        assert (ours.rows == all_rows.rows).all()


def test_layouts_of_other_bins_have_other_fingerprints() -> None:
    others = Layout(("x", "c"), (NumericBins(EDGES, EDGES[[4]]), CategoryBins(("a", "b"))))
    assert others.fingerprint == LAYOUT.fingerprint
    assert (
        Stretches(others, [HOUR]).layout.fingerprint != Stretches(LAYOUT, [HOUR]).layout.fingerprint
    )
