from __future__ import annotations

from mlmon_exporter.core.counts.feedback import STATUSES
from mlmon_exporter.core.counts.health import COUNTERS
from mlmon_exporter.core.drift.tests import SCORES
from mlmon_exporter.core.outcomes.fairness import PARITIES
from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.metrics.table import METRICS
from mlmon_exporter.page import labels


def test_every_label_is_of_something_and_what_has_no_fallback_has_a_label() -> None:
    assert labels.SCORES.keys() <= SCORES.keys()
    assert COUNTERS.keys() - labels.FAULTS.keys() == {"mlmon_not_predictions_total"}
    assert labels.QUALITIES.keys() == QUALITY.keys()
    assert labels.PARITIES.keys() == set(PARITIES)
    assert labels.GROUND_TRUTHS.keys() == set(STATUSES)
    assert {f"mlmon_segment_{rate}_ratio" for rate in labels.RATES} < METRICS.keys()


def test_a_score_without_a_label_is_titled_by_its_name() -> None:
    assert labels.score_label("psi").title == "PSI"
    assert labels.score_label("hellinger_distance").title == "Hellinger distance"
