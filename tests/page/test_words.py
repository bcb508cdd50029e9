from __future__ import annotations

from mlmon_exporter.core.counts.feedback import STATUSES
from mlmon_exporter.core.counts.health import COUNTERS
from mlmon_exporter.core.drift.tests import SCORES
from mlmon_exporter.core.outcomes.fairness import PARITIES
from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.metrics.table import METRICS
from mlmon_exporter.page import words
from mlmon_exporter.page.words import FAULT_MEANINGS, FAULTS, MEANINGS, TITLES


def test_every_score_has_a_title_and_a_meaning() -> None:
    assert TITLES.keys() == MEANINGS.keys() == SCORES.keys()


def test_every_fault_has_a_title_and_a_meaning() -> None:
    assert FAULTS.keys() == FAULT_MEANINGS.keys() == COUNTERS.keys()


def test_every_quality_has_a_title_and_a_meaning() -> None:
    assert words.QUALITIES.keys() == words.QUALITY_MEANINGS.keys() == QUALITY.keys()


def test_every_parity_rate_and_fate_of_a_ground_truth_has_a_title() -> None:
    assert words.PARITIES.keys() == set(PARITIES)
    assert words.RATES.keys() == words.RATE_MEANINGS.keys()
    assert {f"mlmon_segment_{rate}_ratio" for rate in words.RATES} < METRICS.keys()
    assert words.GROUND_TRUTHS.keys() == set(STATUSES)
