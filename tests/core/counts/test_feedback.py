"""Facts about the counts of what came back."""

from __future__ import annotations

import orjson

from mlmon_exporter.core.counts.feedback import STATUSES, Feedback
from mlmon_exporter.core.records import Histograms, Readings


def shown(feedback: Feedback) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        block.name: dict(zip(block.labels, map(float, block.values), strict=True))
        for block in feedback.readings()
        if isinstance(block, Readings)
    }


def filled() -> Feedback:
    feedback = Feedback(max_kpis=2)
    feedback.ground_truths({("m", "1", "matched"): 3, ("", "", "unknown"): 1})
    feedback.delayed("m", "1", [5.0, 50.0, 1e9, float("nan"), -1.0])
    feedback.kpi("m", "1", "revenue", 12.5)
    feedback.kpi("m", "1", "revenue", 0.5)
    feedback.kpi("m", "1", "profit", -2.0)
    return feedback


def test_a_declared_model_has_all_counts_at_0_and_so_has_what_finds_no_model() -> None:
    feedback = Feedback()
    feedback.declare("m", "1")
    of_none = {("", "", "unknown"): 0, ("", "", "invalid"): 0}
    assert shown(feedback) == {
        "mlmon_ground_truth_total": {("m", "1", s): 0 for s in STATUSES} | of_none
    }


def test_nothing_is_shown_of_a_monitor_without_feedback() -> None:
    assert list(Feedback().readings()) == []


def test_delays_are_counted_in_buckets_and_unknown_ones_are_not() -> None:
    (delays,) = [b for b in filled().readings() if isinstance(b, Histograms)]
    assert delays.name == "mlmon_ground_truth_delay_seconds"
    (counts,) = delays.counts
    assert sum(counts) == 3
    assert (counts[1], counts[2], counts[-1]) == (1, 1, 1)


def test_values_of_a_kpi_are_a_counter_until_one_is_negative() -> None:
    feedback = filled()
    numbers = shown(feedback)
    assert numbers["mlmon_kpi_events_total"] == {("m", "1", "revenue"): 2, ("m", "1", "profit"): 1}
    assert numbers["mlmon_kpi_value_total"] == {("m", "1", "revenue"): 13.0}
    assert numbers["mlmon_kpi_value_sum"] == {("m", "1", "profit"): -2.0}
    feedback.kpi("m", "1", "revenue", -1.0)
    numbers = shown(feedback)
    assert "mlmon_kpi_value_total" not in numbers
    assert numbers["mlmon_kpi_value_sum"]["m", "1", "revenue"] == 12.0


def test_names_of_kpis_are_bounded_and_told() -> None:
    overflows: list[int] = []
    feedback = Feedback(max_kpis=2, on_overflow=lambda: overflows.append(1))
    for name in ("a", "b", "c", "d", "a"):
        feedback.kpi("m", "", name, 1.0)
    names = {labels[2] for labels in feedback.kpis.cells}
    assert names == {"a", "b", "other"}
    assert len(overflows) == 2


def test_names_stay_bounded_and_told_whatever_is_merged() -> None:
    overflows: list[int] = []
    feedback = Feedback(max_kpis=2, on_overflow=lambda: overflows.append(1))
    feedback.merge(Feedback(max_kpis=50))
    feedback.merge(feedback.take())
    for i in range(60):
        feedback.kpi("m", "", f"k{i}", 1.0)
    assert len(feedback.kpis.cells) == 3
    assert len(overflows) == 58


def test_counts_of_two_processes_add_up() -> None:
    one, two = filled(), filled()
    one.merge(two)
    assert one.statuses.cells["m", "1", "matched"] == 6
    assert one.kpis.cells["m", "1", "revenue"][:2] == (4.0, 26.0)
    assert shown(two) == shown(filled())


def test_merge_max_raises_each_count_and_lowers_none() -> None:
    more, less = filled(), Feedback()
    more.kpi("m", "1", "profit", -5.0)
    less.ground_truths({("m", "1", "late"): 2, ("m", "1", "matched"): 1})
    less.merge_max(more)
    assert less.statuses.cells == {**more.statuses.cells, ("m", "1", "late"): 2}
    assert less.kpis.cells == more.kpis.cells
    assert less.delays.cells == more.delays.cells
    less.merge_max(filled())
    assert less.kpis.cells["m", "1", "profit"][:2] == (2.0, -7.0)


def test_only_what_counted_nothing_is_empty() -> None:
    assert Feedback().is_empty()
    assert not filled().is_empty()


def test_the_form_on_disk_is_read_back_the_same() -> None:
    feedback = filled()
    back = Feedback().loaded(orjson.loads(orjson.dumps(feedback.to_form())))
    assert back.to_form() == feedback.to_form()
    assert shown(back) == shown(feedback)


def test_what_was_taken_is_gone_and_names_stay_known() -> None:
    feedback = filled()
    taken = feedback.take()
    assert shown(taken) == shown(filled())
    assert feedback.is_empty()
    feedback.kpi("m", "1", "fourth", 1.0)
    assert ("m", "1", "other") in feedback.kpis.cells


def of_versions(*versions: str) -> Feedback:
    """Return all kinds of counts, the same for each version."""
    feedback = Feedback()
    for version in versions:
        feedback.ground_truths({("m", version, "matched"): 3})
        feedback.delayed("m", version, [5.0])
        feedback.kpi("m", version, "revenue", 12.5)
    return feedback


def test_what_was_counted_for_a_version_can_be_dropped_but_not_that_of_no_prediction() -> None:
    feedback = of_versions("1", "2", "")
    shown(feedback)
    assert feedback.named() == {("m", "1"), ("m", "2"), ("m", "")}
    feedback.forget({("m", "1"), ("m", "")})
    expected = of_versions("2")
    expected.kpi("m", "", "revenue", 12.5)
    assert shown(feedback) == shown(expected)
    assert feedback.named() == {("m", "2")}


def test_versions_that_are_too_many_are_counted_together_for_other() -> None:
    feedback = of_versions("1", "2", "3", "other")
    expected = of_versions("1", "other", "other", "other")
    assert shown(feedback.as_other({("m", "2"), ("m", "3")})) == shown(expected)
    assert shown(feedback) == shown(of_versions("1", "2", "3", "other"))
