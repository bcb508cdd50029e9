"""Facts about alarms of quality: one for a change that stays, and it ends when rows say so."""

from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter.core.drift.readings import HELD_SECONDS
from mlmon_exporter.core.outcomes.latch import Latch

NAN = float("nan")
BAR, CALM = np.array([0.7]), np.array([0.78])


def verdicts(sign: int, *values: float, every: float = 3600.0) -> list[bool | None]:
    """Whether each value is beyond the threshold that counts then; None where nothing is said."""
    latch, found = Latch(1), list[bool | None]()
    for look, value in enumerate(values):
        bar, calm = (sign * each for each in (BAR, CALM))
        shown = latch.threshold(sign, np.array([sign * value]), bar, calm, look * every)
        is_known = bool(value == value)
        found.append(bool(sign * (sign * value - shown[0]) < 0) if is_known else None)
    return found


@pytest.mark.parametrize("sign", [1, -1])
def test_what_hovers_at_the_threshold_is_one_alarm(sign: int) -> None:
    seen = verdicts(sign, 0.8, 0.69, 0.71, 0.69, 0.72, 0.79, 0.71)
    assert seen == [False, True, True, True, True, False, False]


def test_nothing_is_worse_that_never_was_beyond_the_threshold() -> None:
    assert verdicts(1, 0.75, 0.72, 0.701) == [False, False, False]


def test_a_night_without_rows_ends_no_alarm_and_a_week_does() -> None:
    assert verdicts(1, 0.69, NAN, NAN, 0.72) == [True, None, None, True]
    assert verdicts(1, 0.69, NAN, 0.72, every=0.6 * HELD_SECONDS) == [True, None, False]


def test_segments_are_latched_each() -> None:
    latch = Latch(2)
    bars, calm = np.array([0.7, 0.7]), np.array([0.78, 0.78])
    latch.threshold(1, np.array([0.6, 0.8]), bars, calm, 0.0)
    assert latch.is_any
    assert latch.threshold(1, np.array([0.75, 0.75]), bars, calm, 1.0).tolist() == [0.78, 0.7]
    latch.threshold(1, np.array([0.8, 0.75]), bars, calm, 2.0)
    assert not latch.is_any
