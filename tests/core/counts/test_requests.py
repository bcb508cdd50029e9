"""Requests counted by route and outcome: bounded labels, honest histograms, merge == add all."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.counts.exemplars import EXEMPLAR_SECONDS
from mlmon_exporter.core.counts.requests import (
    BATCH,
    LATENCY_BOUNDS,
    MOST_WAITING,
    PLACES,
    SIZE_BOUNDS,
    UNDECIDED,
    Measures,
    RequestCounts,
    RequestLabels,
)
from mlmon_exporter.core.counts.tokens import TokenTimes
from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.core.records import Exemplar, Histograms

DURATION = "mlmon_request_duration_seconds"
MEASURED = {
    DURATION: LATENCY_BOUNDS,
    "mlmon_request_first_byte_seconds": LATENCY_BOUNDS,
    "mlmon_request_size_bytes": SIZE_BOUNDS,
    "mlmon_response_size_bytes": SIZE_BOUNDS,
}
FAST: Measures = (0.002, 0.001, 100, 200)


def request(
    route: str = "/predict", method: str = "POST", status: int = 200, outcome: str = "ok"
) -> RequestLabels:
    return ("bike", "1", route, method, status, outcome)


def counts(
    traffic: RequestCounts, name: str = "mlmon_requests_total"
) -> dict[tuple[str, ...], float]:
    for block in traffic.readings():
        if block.name == name and not isinstance(block, Histograms):
            return dict(zip(block.labels, map(float, block.values), strict=True))
    return {}


NO_FAULTS = {
    ("bike", "1", "/predict", "POST", status, outcome): 0
    for status, outcome in [
        ("500", "server_error"),
        ("502", "server_error"),
        ("503", "server_error"),
        ("504", "server_error"),
        ("200", "interrupted"),
    ]
}
"""What alerts watch, before it has happened."""


class One(NamedTuple):
    """One histogram of a reading."""

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float
    exemplars: dict[int, Exemplar]


def histograms(traffic: RequestCounts, now: float | None = None) -> dict[tuple[str, ...], One]:
    """(metric, label value, ...) -> histogram."""
    found = {}
    for block in traffic.readings(now):
        if isinstance(block, Histograms):
            marks: Sequence[Any] = block.exemplars or [None] * len(block.labels)
            rows = zip(block.labels, block.bounds, block.counts, block.sums, marks, strict=True)
            for labels, bounds, buckets, total, exemplars in rows:
                one = One(tuple(bounds), [*buckets], total, dict(exemplars or {}))
                found[block.name, *labels] = one
    return found


# --- What is counted ---


def test_a_request_is_counted_under_its_labels() -> None:
    traffic = RequestCounts()
    traffic.record(request(), FAST)
    traffic.record(request(), FAST)
    traffic.record(request(status=422, outcome="client_error"), FAST)
    assert counts(traffic) == {
        **NO_FAULTS,
        ("bike", "1", "/predict", "POST", "200", "ok"): 2,
        ("bike", "1", "/predict", "POST", "422", "client_error"): 1,
    }


def test_errors_exist_at_0_as_soon_as_a_route_and_method_are_seen() -> None:
    traffic = RequestCounts()
    traffic.record(request(method="GET"), FAST)
    assert counts(traffic).items() >= {(*k[:3], "GET", *k[4:]): 0 for k in NO_FAULTS}.items()


def test_of_no_model_only_the_commonest_error_exists_at_0() -> None:
    traffic = RequestCounts()
    traffic.record(("", "", "/login", "POST", 200, "ok"), FAST)
    assert counts(traffic) == {
        ("", "", "/login", "POST", "500", "server_error"): 0,
        ("", "", "/login", "POST", "200", "ok"): 1,
    }


def test_what_is_undecided_is_measured_now_and_counted_later() -> None:
    traffic = RequestCounts()
    traffic.record(request(outcome=UNDECIDED), FAST, mark(0.002, 1000.0))
    assert counts(traffic) == {}
    assert histograms(traffic)[DURATION, "bike", "1", "/predict"].sum == 0.002
    traffic.decide(request(outcome="interrupted"))
    assert counts(traffic) == {
        **NO_FAULTS,
        ("bike", "1", "/predict", "POST", "200", "interrupted"): 1,
    }
    found = histograms(traffic)[DURATION, "bike", "1", "/predict"]
    assert (sum(found.counts), found.sum, len(found.exemplars)) == (1, 0.002, 1)


def test_routes_of_what_is_undecided_are_bounded() -> None:
    traffic = RequestCounts(max_routes=1)
    for route in ("/a", "/b", "/c"):
        traffic.record(request(route, outcome=UNDECIDED), FAST)
    assert {key[3] for key in histograms(traffic)} == {"/a", OTHER}


def test_a_declared_route_has_its_errors_and_histograms_at_0() -> None:
    traffic = RequestCounts()
    traffic.declare("bike", "1", "/predict", "POST")
    assert counts(traffic) == NO_FAULTS
    found = histograms(traffic)
    assert {key[0] for key in found} == set(MEASURED)
    assert all(sum(one.counts) == 0 and one.sum == 0 for one in found.values())


def test_declaring_again_changes_no_count() -> None:
    traffic = RequestCounts()
    traffic.record(request(status=500, outcome="server_error"), FAST)
    traffic.declare("bike", "1", "/predict", "POST")
    assert counts(traffic)["bike", "1", "/predict", "POST", "500", "server_error"] == 1
    assert sum(histograms(traffic)[DURATION, "bike", "1", "/predict"].counts) == 1


def test_latency_runs_from_a_millisecond_to_a_minute_and_sizes_from_64_bytes_to_16_mebibytes() -> (
    None
):
    assert (LATENCY_BOUNDS[0], LATENCY_BOUNDS[-1]) == (0.001, 60.0)
    assert all(b <= 3 * a for a, b in pairwise(LATENCY_BOUNDS))
    assert (SIZE_BOUNDS[0], SIZE_BOUNDS[-1]) == (64, 16 * 2**20)
    assert {b / a for a, b in pairwise(SIZE_BOUNDS)} == {4}


def test_a_value_on_a_bound_belongs_below_it() -> None:
    traffic = RequestCounts()
    traffic.record(request(), (0.001, 10.0, 64, 16 * 2**20 + 1))
    found = histograms(traffic)
    place = {name: found[name, "bike", "1", "/predict"].counts.index(1) for name in MEASURED}
    assert place == dict(zip(MEASURED, (0, 12, 0, 10), strict=True))


@pytest.mark.parametrize("unknown", [math.nan, -0.001, -math.inf])
def test_a_negative_or_unknown_measure_is_in_no_histogram(unknown: float) -> None:
    traffic = RequestCounts()
    traffic.record(request(), (unknown, unknown, unknown, unknown))
    traffic.record(request(), FAST)
    assert counts(traffic)["bike", "1", "/predict", "POST", "200", "ok"] == 2
    for name, value in zip(MEASURED, FAST, strict=True):
        one = histograms(traffic)[name, "bike", "1", "/predict"]
        assert (sum(one.counts), one.sum) == (1, value)


def test_rows_are_summed_and_spread_over_their_histogram() -> None:
    traffic = RequestCounts()
    for rows in (1, 1, 32, 5000):
        traffic.record_rows("bike", "1", rows)
    assert counts(traffic, "mlmon_prediction_rows_total") == {("bike", "1"): 5034}
    one = histograms(traffic)["mlmon_request_rows", "bike", "1"]
    assert [*one.bounds] == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert (one.counts, one.sum) == ([2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], 5034)


# --- Labels are bounded ---


def test_routes_beyond_the_cap_become_other_and_are_reported() -> None:
    overflows: list[str] = []
    traffic = RequestCounts(max_routes=2, on_overflow=overflows.append)
    for i in range(5):
        traffic.record(request(f"/{i}"), FAST)
    routes = Counter({labels[2]: n for labels, n in counts(traffic).items() if labels[4] == "200"})
    assert routes == {"/0": 1, "/1": 1, OTHER: 3}
    assert overflows == ["route"] * 3


def test_a_known_route_is_still_counted_when_the_cap_is_reached() -> None:
    traffic = RequestCounts(max_routes=1)
    for route in ("/a", "/b", "/a"):
        traffic.record(request(route), FAST)
    assert counts(traffic)["bike", "1", "/a", "POST", "200", "ok"] == 2


def test_other_needs_no_place_among_the_routes() -> None:
    traffic = RequestCounts(max_routes=1)
    for route in (OTHER, "/a"):
        traffic.record(request(route), FAST)
    assert {labels[2] for labels in counts(traffic)} == {OTHER, "/a"}


def test_the_label_of_a_route_not_counted_yet_is_the_one_it_would_get() -> None:
    traffic = RequestCounts(max_routes=1)
    assert traffic.route_label("/a") == "/a"
    traffic.declare("bike", "1", "/a", "POST")
    assert (traffic.route_label("/a"), traffic.route_label("/b")) == ("/a", OTHER)


def test_methods_that_http_does_not_know_become_other_and_are_reported() -> None:
    overflows: list[str] = []
    traffic = RequestCounts(on_overflow=overflows.append)
    for method in ("GET", "get", "PROPFIND", "X" * 500):
        traffic.record(request(method=method), FAST)
    methods = Counter({labels[3]: n for labels, n in counts(traffic).items() if labels[4] == "200"})
    assert methods == {"GET": 1, OTHER: 3}
    assert overflows == ["method"] * 3


def test_a_status_that_http_does_not_know_becomes_0() -> None:
    traffic = RequestCounts()
    for status in (99, 600, 10**9):
        traffic.record(request(status=status), FAST)
    assert counts(traffic)["bike", "1", "/predict", "POST", "0", "ok"] == 3


def test_a_route_with_a_lone_surrogate_can_be_written_as_text() -> None:
    traffic = RequestCounts()
    traffic.record(request("/\ud800"), FAST)
    assert {labels[2] for labels in counts(traffic)} == {"/\ufffd\ufffd\ufffd"}


@pytest.mark.parametrize("max_routes", [0, -1])
def test_a_cap_below_1_is_refused(max_routes: int) -> None:
    with pytest.raises(ValueError, match=f"max_routes: expected 1 or more, got {max_routes}"):
        RequestCounts(max_routes=max_routes)


# --- Exemplars ---


def mark(value: float, timestamp: float) -> Exemplar:
    return Exemplar("0" * 31 + "1", f"{timestamp:016.0f}", value, timestamp)


def exemplars(traffic: RequestCounts, now: float | None = None) -> dict[int, Exemplar]:
    return histograms(traffic, now)[DURATION, "bike", "1", "/predict"].exemplars


def test_a_bucket_has_its_last_exemplar() -> None:
    traffic = RequestCounts()
    marks = [mark(0.002, 10.0), mark(0.0021, 11.0), mark(0.3, 12.0)]
    for one in marks:
        traffic.record(request(), (one.value, math.nan, 1, 1), one)
    traffic.record(request(), FAST)
    assert exemplars(traffic) == {1: marks[1], 8: marks[2]}


def test_only_durations_have_exemplars() -> None:
    traffic = RequestCounts()
    traffic.record(request(), FAST, mark(0.002, 10.0))
    assert {name for (name, *_), one in histograms(traffic).items() if one.exemplars} == {DURATION}


def test_an_old_exemplar_is_not_shown() -> None:
    traffic = RequestCounts()
    traffic.record(request(), FAST, mark(0.002, 10.0))
    assert exemplars(traffic, now=10.0 + EXEMPLAR_SECONDS) != {}
    assert exemplars(traffic, now=10.5 + EXEMPLAR_SECONDS) == {}


def test_an_exemplar_without_a_duration_is_left_out() -> None:
    traffic = RequestCounts()
    traffic.record(request(), (math.nan, 0.1, 1, 1), mark(math.nan, 10.0))
    assert exemplars(traffic) == {}


def test_merging_keeps_the_newer_exemplar() -> None:
    older, newer = RequestCounts(), RequestCounts()
    older.record(request(), FAST, mark(0.002, 10.0))
    newer.record(request(), FAST, mark(0.002, 11.0))
    for parts in ((older, newer), (newer, older)):
        merged = RequestCounts()
        for part in parts:
            merged.merge(part)
        assert exemplars(merged)[1].timestamp == 11.0


# --- Merging, taking, reading at the same time ---

REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["/a", "/b"]),
        st.sampled_from([(200, "ok"), (500, "server_error"), (200, "interrupted")]),
        st.tuples(*[st.one_of(st.floats(-1, 2**25), st.just(math.nan))] * 4),
    ),
    max_size=3 * BATCH,
)
Recorded = tuple[str, tuple[int, str], Measures]


def recorded(requests: Iterable[Recorded]) -> RequestCounts:
    traffic = RequestCounts()
    for route, (status, outcome), measures in requests:
        traffic.record(request(route, status=status, outcome=outcome), measures)
        traffic.record_rows("bike", "1", len(route))
    return traffic


def assert_same(left: RequestCounts, right: RequestCounts) -> None:
    for name in ("mlmon_requests_total", "mlmon_prediction_rows_total"):
        assert counts(left, name) == counts(right, name)
    ours, theirs = histograms(left), histograms(right)
    assert ours.keys() == theirs.keys()
    for key, one in ours.items():
        assert one.counts == theirs[key].counts
        assert one.sum == pytest.approx(theirs[key].sum)


@given(REQUESTS)
def test_counts_and_histograms_are_what_brute_force_gives(requests: list[Recorded]) -> None:
    traffic = recorded(requests)
    expected = Counter((route, str(status), outcome) for route, (status, outcome), _ in requests)
    found = {(key[2], key[4], key[5]): n for key, n in counts(traffic).items()}
    assert {key: n for key, n in found.items() if n} == expected
    for i, (name, bounds) in enumerate(MEASURED.items()):
        for route in {route for route, _, _ in requests}:
            values = [m[i] for r, _, m in requests if r == route and m[i] >= 0]
            one = histograms(traffic)[name, "bike", "1", route]
            buckets = np.bincount(
                [bisect_left(bounds, v) for v in values], minlength=len(bounds) + 1
            )
            assert one.counts == buckets.tolist()
            assert one.sum == pytest.approx(math.fsum(values))


@given(REQUESTS, st.integers(1, 4))
def test_merge_equals_recording_all_in_one(requests: list[Recorded], parts: int) -> None:
    merged = RequestCounts()
    for i in range(parts):
        part = recorded(requests[i::parts])
        merged.merge(part)
        assert_same(part, recorded(requests[i::parts]))
    assert_same(merged, recorded(requests))


@given(REQUESTS, st.integers(0, 3 * BATCH))
def test_what_is_taken_adds_up_to_the_whole(requests: list[Recorded], at: int) -> None:
    traffic, total = RequestCounts(), RequestCounts()
    for part in (requests[:at], requests[at:]):
        traffic.merge(recorded(part))
        total.merge(traffic.take())
    assert counts(traffic) == {}
    assert_same(total, recorded(requests))


def test_taking_forgets_no_known_route() -> None:
    traffic = RequestCounts(max_routes=1)
    traffic.record(request("/a"), FAST)
    taken = traffic.take()
    traffic.record(request("/b"), FAST)
    traffic.record(request("/a"), FAST)
    assert {labels[2] for labels in counts(traffic)} == {"/a", OTHER}
    assert {labels[2] for labels in counts(taken)} == {"/a"}


def test_what_was_taken_keeps_to_the_cap_too() -> None:
    traffic, other = RequestCounts(max_routes=1), RequestCounts(max_routes=1)
    traffic.record(request("/a"), FAST)
    other.record(request("/b"), FAST)
    taken = traffic.take()
    taken.merge(other)
    assert {labels[2] for labels in counts(taken)} == {"/a", OTHER}


def test_what_is_taken_is_plain_data() -> None:
    traffic = RequestCounts()
    traffic.record(request(), FAST, mark(0.002, 10.0))
    taken = traffic.take()
    assert taken.requests.cells["bike", "1", "/predict", "POST", "200", "ok"] == 1
    request_sizes = taken.by_route.cells["bike", "1", "/predict"][2]
    assert request_sizes == [0, 1, *[0] * 9, 100]
    assert taken.exemplars.cells["bike", "1", "/predict"] == {1: mark(0.002, 10.0)}


def test_merging_keeps_to_the_cap() -> None:
    merged = RequestCounts(max_routes=2)
    for worker in range(3):
        part = RequestCounts(max_routes=2)
        for route in range(2):
            part.record(request(f"/{worker}/{route}"), FAST)
        merged.merge(part)
    found = {labels[2]: n for labels, n in counts(merged).items() if labels[4] == "200"}
    assert found == {"/0/0": 1, "/0/1": 1, OTHER: 4}
    assert sum(histograms(merged)[DURATION, "bike", "1", OTHER].counts) == 4


def test_label_rows_are_the_same_object_until_there_is_a_new_one() -> None:
    traffic = RequestCounts()
    traffic.record(request(), FAST)
    traffic.record_rows("bike", "1", 1)
    before = [block.labels for block in traffic.readings()]
    traffic.record(request(), FAST)
    assert all(a is b.labels for a, b in zip(before, traffic.readings(), strict=True))
    traffic.record(request("/new"), FAST)
    traffic.record_rows("bike", "2", 1)
    assert not any(a is b.labels for a, b in zip(before, traffic.readings(), strict=True))


def test_recording_does_not_wait_for_whoever_reads() -> None:
    traffic = RequestCounts()
    with traffic._lock:
        for _ in range(3 * BATCH):
            traffic.record(request(), FAST)
    assert counts(traffic)["bike", "1", "/predict", "POST", "200", "ok"] == 3 * BATCH


def test_requests_do_not_pile_up_when_nobody_reads() -> None:
    traffic = RequestCounts()
    for _ in range(3 * MOST_WAITING):
        traffic.record(request(), FAST)
        traffic.decide(request())
        assert len(traffic._waiting_decided) <= MOST_WAITING
        assert len(traffic._waiting) < PLACES * MOST_WAITING
        traffic.record_rows("bike", "1", 1)
        assert len(traffic._waiting_rows) < BATCH


def test_no_request_is_lost_between_threads() -> None:
    traffic, total = RequestCounts(), RequestCounts()
    threads, times = 4, 1500

    def work() -> None:
        for _ in range(times):
            traffic.record(request(), FAST)
            traffic.record_rows("bike", "1", 2)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        total.merge(traffic.take())
        list(traffic.readings())
    total.merge(traffic.take())
    assert counts(total)["bike", "1", "/predict", "POST", "200", "ok"] == threads * times
    assert sum(histograms(total)[DURATION, "bike", "1", "/predict"].counts) == threads * times
    assert counts(total, "mlmon_prediction_rows_total") == {("bike", "1"): 2.0 * threads * times}


def test_the_greater_of_two_counts_is_kept() -> None:
    ours, theirs = RequestCounts(), RequestCounts()
    for traffic, ok, errors in ((ours, 5, 0), (theirs, 3, 2)):
        for _ in range(ok):
            traffic.record(request(), FAST)
        for _ in range(errors):
            traffic.record(request(status=500, outcome="server_error"), FAST)
    ours.merge_max(theirs)
    assert counts(ours)["bike", "1", "/predict", "POST", "200", "ok"] == 5
    assert counts(ours)["bike", "1", "/predict", "POST", "500", "server_error"] == 2
    durations = [one for key, one in histograms(ours).items() if key[0] == DURATION]
    assert [sum(one.counts) for one in durations] == [5]
    assert not ours.is_empty()
    assert RequestCounts().is_empty()


# --- Versions that go ---


def of_versions(*versions: str) -> RequestCounts:
    """Return all kinds of counts, the same for each version."""
    traffic = RequestCounts()
    for version in versions:
        labels = ("bike", version, "/predict", "POST", 200, "ok")
        traffic.record(labels, (0.1, 0.1, 10.0, 10.0), Exemplar("t", "s", 0.1, 5.0))
        traffic.record_rows("bike", version, 3)
        tokens = TokenTimes(10.0)
        tokens.tick(10.5)
        tokens.tick(11.0)
        traffic.record_tokens("bike", version, "/predict", tokens)
    return traffic


def test_what_was_counted_for_a_version_can_be_dropped() -> None:
    traffic, expected = of_versions("1", "2"), of_versions("2")
    # What is kept of the labels, by their number, must not outlive them.
    for shown in (traffic, of_versions("1")):
        counts(shown), histograms(shown)
    traffic.forget({("bike", "1"), ("bike", "3")})
    assert traffic.named() == {("bike", "2")}
    assert traffic.to_form() == expected.to_form()
    assert_same(traffic, expected)
    traffic.merge(of_versions("3"))
    traffic.forget({("bike", "2")})
    assert_same(traffic, of_versions("3"))


def test_versions_that_are_too_many_are_counted_together_for_other() -> None:
    traffic = of_versions("1", "2", "3", "other")
    expected = of_versions("1", "other", "other", "other")
    assert_same(traffic.as_other({("bike", "2"), ("bike", "3")}), expected)
    assert_same(traffic, of_versions("1", "2", "3", "other"))
