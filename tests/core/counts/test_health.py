"""Counts about ourselves: there from the start, bounded by the code, and they add up."""

from __future__ import annotations

import threading

import pytest

from mlmon_exporter.core.counts.health import AT_0, COUNTERS, DROP_REASONS, Health


def counts(health: Health) -> dict[tuple[str, ...], float]:
    """(metric, label value, ...) -> count, as the readings say it."""
    return {
        (reading.name, *labels): float(value)
        for reading in health.readings()
        for labels, value in zip(reading.labels, reading.values, strict=True)
    }


def test_what_alerts_need_exists_at_0_from_the_start() -> None:
    at_0 = counts(Health())
    assert at_0 == {(name, value): 0.0 for name, values in AT_0.items() for value in values}
    assert {value for name, value in at_0 if name == "mlmon_dropped_total"} < {*DROP_REASONS}


def test_a_fault_that_never_happened_has_no_line() -> None:
    assert not {name for name, *_ in counts(Health())} & {*COUNTERS} - {*AT_0}


def test_each_kind_is_counted_under_its_labels() -> None:
    health = Health()
    health.drop("queue_full")
    health.drop("too_many_rows", 3)
    health.parse_error("json", "too_deep")
    health.internal_error("intake")
    health.overflow("route")
    health.write_failed("full")
    assert {key: count for key, count in counts(health).items() if count} == {
        ("mlmon_dropped_total", "queue_full"): 1,
        ("mlmon_dropped_total", "too_many_rows"): 3,
        ("mlmon_parse_errors_total", "json", "too_deep"): 1,
        ("mlmon_internal_errors_total", "intake"): 1,
        ("mlmon_label_overflow_total", "route"): 1,
        ("mlmon_state_write_failures_total", "full"): 1,
    }


def test_readings_have_the_labels_of_their_counter() -> None:
    health = Health()
    health.no_prediction("/login", "secret")
    health.parse_error("json", "not_json")
    health.write_failed("full")
    health.overflow("route")
    readings = list(health.readings())
    assert {r.name: r.label_names for r in readings} == COUNTERS
    for reading in readings:
        assert {len(labels) for labels in reading.labels} == {len(reading.label_names)}
        assert len(reading.values) == len(reading.labels)


def test_label_rows_are_the_same_object_until_there_is_a_new_one() -> None:
    health = Health()
    before = {r.name: r.labels for r in health.readings()}
    health.drop("queue_full")
    after = {r.name: r.labels for r in health.readings()}
    assert all(after[name] is labels for name, labels in before.items())
    health.drop("another")
    grown = {r.name: r.labels for r in health.readings()}
    assert grown["mlmon_dropped_total"] == (*before["mlmon_dropped_total"], ("another",))


def test_merge_equals_counting_all_in_one() -> None:
    parts, whole = [Health() for _ in range(3)], Health()
    for i, part in enumerate(parts):
        for health in (part, whole):
            health.drop("queue_full", i)
            health.parse_error("json", f"reason {i}")
            health.internal_error("store")
    merged = Health()
    for part in parts:
        before = counts(part)
        merged.merge(part)
        assert counts(part) == before
    assert counts(merged) == counts(whole)


def test_merging_with_itself_doubles() -> None:
    health = Health()
    health.drop("queue_full", 2)
    health.merge(health)
    assert counts(health)["mlmon_dropped_total", "queue_full"] == 4


def test_take_gives_what_was_counted_since_the_last_time() -> None:
    health = Health()
    health.drop("queue_full", 2)
    first = health.take()
    health.drop("queue_full", 5)
    second = health.take()
    key = ("mlmon_dropped_total", "queue_full")
    assert (counts(first)[key], counts(second)[key], counts(health)[key]) == (2, 5, 0)


def test_the_state_is_plain_data() -> None:
    health = Health()
    health.drop("queue_full")
    taken = health.take()
    assert taken.counters["mlmon_dropped_total"].cells["queue_full",] == 1


@pytest.mark.parametrize("threads", [4])
def test_no_count_is_lost_between_threads(threads: int) -> None:
    health, total = Health(), Health()
    times = 2000

    def count() -> None:
        for _ in range(times):
            health.drop("queue_full")

    workers = [threading.Thread(target=count) for _ in range(threads)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        total.merge(health.take())
    total.merge(health.take())
    assert counts(total)["mlmon_dropped_total", "queue_full"] == threads * times


def test_the_greater_of_two_counts_is_kept() -> None:
    ours, theirs = Health(), Health()
    ours.drop("queue_full", 5)
    theirs.drop("queue_full", 3)
    theirs.internal_error("store")
    ours.merge_max(theirs)
    assert ours.counters["mlmon_dropped_total"].cells["queue_full",] == 5
    assert ours.counters["mlmon_internal_errors_total"].cells["store",] == 1
    assert not ours.is_empty()
    assert Health().is_empty()
