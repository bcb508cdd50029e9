"""Facts about the traffic of the last hour."""

from __future__ import annotations

import math

import orjson
import pytest

from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.counts.traffic import Traffic
from mlmon_exporter.core.records import Requests

MINUTE = 60.0


class Host:
    """Serves requests; looks at their totals as a process does."""

    def __init__(self) -> None:
        self.counts, self.traffic = RequestCounts(), Traffic()

    def serve(self, count: int, outcome: str = "ok", *, seconds: float = 0.02) -> None:
        labels = ("m", "", "/predict", "POST", 200, outcome)
        for _ in range(count):
            self.counts.record(labels, (seconds, seconds, 1.0, 1.0))

    def look(self, now: float) -> None:
        self.traffic.look(self.counts.readings(now), now)

    def since(self, now: float) -> Requests:
        return self.traffic.since([*self.counts.readings(now)], now)["m"]


def test_requests_are_those_since_a_look_an_hour_ago() -> None:
    host = Host()
    for minute in range(0, 180, 5):
        host.serve(10)
        host.look(minute * MINUTE)
    found = host.since(180 * MINUTE)
    assert found.seconds == 60 * MINUTE
    assert found.total == 11 * 10  # after the look at 120


def test_failures_are_what_pages() -> None:
    host = Host()
    host.look(0.0)
    for outcome in ("ok", "client_error", "server_error", "interrupted"):
        host.serve(10, outcome)
    found = host.since(10 * MINUTE)
    assert (found.total, found.failures, found.error_ratio()) == (40, 20, 0.5)


def test_before_an_hour_has_passed_they_are_those_since_the_first_look() -> None:
    host = Host()
    host.traffic.look((), 0.0)
    host.serve(12, seconds=0.2)
    found = host.since(100.0)
    assert (found.total, found.seconds) == (12, 100.0)
    assert 0.1 < found.quantile(0.5) <= 0.25
    assert host.traffic.since([*host.counts.readings(0.0)], 0.5) == {}


def test_where_nobody_looked_for_long_they_are_those_since_the_last_look() -> None:
    host = Host()
    host.look(0.0)
    host.serve(7)
    assert host.since(4 * 60 * MINUTE).total == 7
    host.look(4 * 60 * MINUTE)
    host.serve(2)
    assert host.since(5 * 60 * MINUTE).total == 2


def test_a_clock_that_is_set_back_starts_again() -> None:
    host = Host()
    host.serve(7)
    host.look(1e6)
    host.look(9e5)
    host.serve(2)
    assert host.since(9e5 + MINUTE).total == 2


def test_totals_that_fell_are_compared_with_later_looks_alone() -> None:
    host = Host()
    host.serve(100)
    host.look(0.0)
    host.counts = RequestCounts()
    host.serve(3)
    assert "m" not in host.traffic.since([*host.counts.readings(0.0)], 2 * MINUTE)
    host.look(5 * MINUTE)
    host.serve(4)
    assert host.since(6 * MINUTE).total == 4


def test_looks_are_bounded() -> None:
    host = Host()
    for second in range(0, 40_000, 20):
        host.look(float(second))
    assert len(host.traffic.to_form()) <= 15


def test_looks_of_workers_are_one_set_whatever_was_merged_first() -> None:
    one, two = Host(), Host()
    for host, second in ((one, 0.0), (two, 10.0), (two, 400.0)):
        host.serve(1)
        host.look(second)
    read = Traffic().loaded(orjson.loads(orjson.dumps(one.traffic.to_form())))
    read.merge(two.traffic)
    assert [at for at, _ in read.to_form()] == [0.0, 400.0]
    read.merge(two.traffic)
    assert [at for at, _ in read.to_form()] == [0.0, 400.0]


def test_a_quantile_is_that_of_prometheus() -> None:
    host = Host()
    host.look(0.0)
    host.serve(50, seconds=0.03)  # in (0.025, 0.05]
    host.serve(50, seconds=0.06)  # in (0.05, 0.1]
    found = host.since(MINUTE)
    assert found.quantile(0.25) == pytest.approx(0.0375)
    assert found.quantile(0.75) == pytest.approx(0.075)


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    host = Host()
    host.look(0.0)
    host.serve(2, seconds=99.0)
    assert host.since(MINUTE).quantile(0.5) == 60.0


def test_without_requests_there_is_neither_share_nor_quantile() -> None:
    host = Host()
    host.counts.declare("m", "", "/predict", "POST")
    host.look(0.0)
    found = host.since(MINUTE)
    assert math.isnan(found.error_ratio())
    assert math.isnan(found.quantile(0.5))
