from __future__ import annotations

from mlmon_exporter.core.counts.counts import Counts
from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import RequestCounts


def filled() -> Counts:
    counts = Counts(RequestCounts(), Feedback(), Health())
    counts.requests.record(("m", "1", "/p", "POST", 200, "ok"), (0.5, 0.5, 1.0, 1.0))
    counts.feedback.kpi("m", "1", "revenue", 2.0)
    counts.health.drop("queue_full", 3)
    return counts


def test_what_is_taken_and_merged_back_is_what_was_there() -> None:
    counts = filled()
    taken = counts.take()
    assert all(each.is_empty() for each in counts)
    counts.merge(taken)
    assert [each.to_form() for each in counts] == [each.to_form() for each in filled()]
