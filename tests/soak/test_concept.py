"""`make soak ARGS=concept` in short: unchanged outcomes raise nothing, a real change is seen."""

from __future__ import annotations

import math

import pytest

from .concept import ROWS_A_DAY, Alarm, delay, ours, stream


@pytest.mark.parametrize("seed", range(2))
def test_unchanged_outcomes_raise_no_alarm(seed: int) -> None:
    assert ours(stream(seed, int(8 * ROWS_A_DAY))) == []


@pytest.mark.parametrize("seed", range(2))
def test_a_real_change_of_concept_is_seen_within_a_day(seed: int) -> None:
    shown = stream(seed, 4000, 2000)
    alarms = ours(shown)
    assert [alarm for alarm in alarms if alarm.row <= shown.changed_at] == []
    assert delay(alarms, shown.changed_at) <= ROWS_A_DAY
    assert "errors" in {alarm.name for alarm in alarms}


def test_a_change_that_is_missed_has_no_delay() -> None:
    assert math.isnan(delay([Alarm(100, "errors")], 100))
