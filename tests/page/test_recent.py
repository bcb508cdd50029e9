"""Facts about the faults of the last minutes."""

from __future__ import annotations

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.page.recent import Recent

DROPPED = ("mlmon_dropped_total", "queue_full")


def test_a_fault_of_late_is_told_from_one_of_long_ago() -> None:
    health, recent = Health(), Recent()
    health.drop("queue_full", 5)
    assert recent.look(health.readings(), 0.0) == {}
    health.parse_error("json", "not_json")
    risen = recent.look(health.readings(), 60.0)
    assert risen[DROPPED] == 0
    assert risen["mlmon_parse_errors_total", "json", "not_json"] == 1


def test_a_look_after_a_long_time_or_before_knows_no_rise() -> None:
    health, recent = Health(), Recent()
    recent.look(health.readings(), 1000.0)
    health.drop("queue_full", 5)
    assert recent.look(health.readings(), 5000.0) == {}
    assert recent.look(health.readings(), 4000.0) == {}
    assert recent.look(health.readings(), 4020.0)[DROPPED] == 0


def test_looks_are_bounded() -> None:
    health, recent = Health(), Recent()
    for second in range(2000):
        recent.look(health.readings(), float(second))
    assert len(recent._looks) <= 31
