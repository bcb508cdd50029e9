"""Facts about alarms over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from mlmon_exporter.core.drift.alarms import DAY_SECONDS, AlarmLog
from mlmon_exporter.core.drift.tests import TESTS
from mlmon_exporter.core.records import Readings

NAN = math.nan


def readings(window: str, drifted: Sequence[float], psi: float = 0.5) -> list[Readings]:
    """Readings of the features a and b in one window; PSI alone is scored."""
    names = ("model", "version", "feature", "window")
    labels = tuple(("m", "1", name, window) for name in "ab")
    values = {test.score: [NAN, NAN] for test in TESTS.values()}
    values |= {name: [NAN, NAN] for name in TESTS}
    values |= {"psi": [psi, psi], "psi_threshold": [0.1, 0.1], "drifted": list(drifted)}
    return [Readings(f"mlmon_feature_{n}", names, labels, v) for n, v in values.items()]


def quality(value: float, threshold: float) -> list[Readings]:
    names = ("model", "version", "window", "segment_feature", "segment")
    labels = (("m", "1", "1h", "", ""), ("m", "1", "1h", "sex", "F"))
    pairs = {"accuracy": [0.9, value], "accuracy_threshold": [0.8, threshold]}
    return [Readings(f"mlmon_quality_{n}", names, labels, v) for n, v in pairs.items()]


def test_an_alarm_lasts_while_any_window_has_drifted() -> None:
    log = AlarmLog(every=900.0)
    looks = [((0, 0), (0, 0)), ((1, 0), (0, 0)), ((1, 0), (1, 0)), ((0, 0), (1, 0))]
    for i, (hour, day) in enumerate([*looks, ((0, 0), (0, 0))]):
        log.look(900.0 * i, 10 * i, [*readings("1h", hour), *readings("24h", day)])
    (alarm,) = log.account().alarms
    assert (alarm.side, alarm.name, alarm.window) == ("feature", "a", "1h")
    assert (alarm.begin, alarm.end) == (900.0, 3600.0)
    assert (alarm.score, alarm.value, alarm.threshold) == ("psi", 0.5, 0.1)
    assert alarm.rows == 10
    assert log.account().alarm_ratio == 3 / 5


def test_days_hold_the_shares_of_looks_judged_and_in_alarm() -> None:
    log = AlarmLog(every=DAY_SECONDS / 4)
    for i in range(1, 13):
        drifted = (NAN, NAN) if i <= 4 else (float(i > 6), 0.0)
        log.look(i * DAY_SECONDS / 4, i, readings("1h", drifted))
    first, second = log.account().tracks
    assert (first.name, second.name) == ("a", "b")
    np.testing.assert_array_equal(first.judged, [0, 1, 1])
    np.testing.assert_array_equal(first.alarmed, [0, 0.5, 1])
    np.testing.assert_array_equal(second.alarmed, [0, 0, 0])
    assert log.account().days == 3.0
    assert log.account().alarms_in_30_days == 10.0


def test_the_first_alarm_after_a_change_says_what_it_took() -> None:
    log = AlarmLog(every=900.0, changed_at=2000.0)
    for i, drifted in enumerate([(1, 0), (0, 0), (0, 0), (0, 1)]):
        log.look(900.0 * i, 100 * i, readings("1h", drifted))
    account = log.account()
    assert len(account.alarms) == 2
    assert account.first_after_change == account.alarms[1]
    assert account.changed_rows == 200
    assert account.alarms[1].rows == 300


def test_a_worse_quality_is_an_alarm_of_its_segment() -> None:
    log = AlarmLog(every=900.0, signs={"accuracy": 1})
    for i, value in enumerate([0.9, NAN, 0.6, 0.85], start=1):
        log.look(900.0 * i, i, quality(value, 0.8))
    (alarm,) = log.account().alarms
    assert (alarm.side, alarm.name) == ("quality", "accuracy, sex = F")
    assert (alarm.begin, alarm.end, alarm.value) == (2700.0, 3600.0, 0.6)
    (day,) = log.account().qualities
    assert (day.name, day.value, day.threshold) == ("accuracy", 0.9, 0.8)
    assert math.isnan(day.estimate)


def test_looks_at_the_same_readings_count_as_looks() -> None:
    log = AlarmLog(every=900.0)
    blocks = readings("1h", (1, 0))
    for i in range(1, 5):
        log.look(900.0 * i, 0, blocks)
    account = log.account()
    assert len(account.alarms) == 1
    assert account.alarm_ratio == 1.0
    assert account.tracks[0].alarmed == pytest.approx([1.0])


def test_without_a_look_there_is_nothing() -> None:
    account = AlarmLog(every=900.0).account()
    assert (account.alarms, account.tracks, account.rows) == ((), (), 0)
    assert math.isnan(account.alarm_ratio)
