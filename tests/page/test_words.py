from __future__ import annotations

from mlmon_exporter.core.drift import SCORES
from mlmon_exporter.core.health import COUNTERS
from mlmon_exporter.page.words import FAULT_MEANINGS, FAULTS, MEANINGS, TITLES


def test_every_score_has_a_title_and_a_meaning() -> None:
    assert TITLES.keys() == MEANINGS.keys() == SCORES.keys()


def test_every_fault_has_a_title_and_a_meaning() -> None:
    assert FAULTS.keys() == FAULT_MEANINGS.keys() == COUNTERS.keys()
