"""Facts about the scoring context: its level, and its labels."""

from __future__ import annotations

import pytest

from mlmon_exporter.core.drift.context import ScoringContext
from mlmon_exporter.core.settings import Policy, WindowName
from mlmon_exporter.core.stats.thresholds import level

WINDOWS = (WindowName("1h", 3600.0), WindowName("24h", 86400.0))
CONTEXT = ScoringContext("bike", "v1", WINDOWS, Policy(budget_seconds=1e6), tests=40)


@pytest.mark.parametrize("k", [0, 1])
def test_the_level_is_that_of_a_window_s_length_and_of_all_tests(k: int) -> None:
    assert CONTEXT.level(k) == level(WINDOWS[k].seconds, 1e6, 40)


def test_more_tests_and_a_longer_time_without_false_alarms_need_a_lower_level() -> None:
    more = ScoringContext("bike", "v1", WINDOWS, Policy(budget_seconds=1e6), tests=80)
    longer = ScoringContext("bike", "v1", WINDOWS, Policy(budget_seconds=1e7), tests=40)
    assert 0 < more.level(0) < CONTEXT.level(0)
    assert 0 < longer.level(0) < CONTEXT.level(0)


def test_labels_of_windows_are_the_same_objects_each_time() -> None:
    assert CONTEXT.window_labels == [(("bike", "v1", "1h"),), (("bike", "v1", "24h"),)]
    assert CONTEXT.window_labels is CONTEXT.window_labels
