"""Facts about the request numbers of the last minutes."""

from __future__ import annotations

import math

import pytest

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.records import Histograms, Readings
from mlmon_exporter.page.recent import Recent, since_the_start

Blocks = list[Readings | Histograms]


class Host:
    """Counts requests and faults; `blocks()` is what a monitor would say."""

    def __init__(self) -> None:
        self.traffic, self.health = RequestCounts(), Health()

    def serve(self, count: int, *, status: int = 200, seconds: float = 0.02) -> None:
        outcome = "server_error" if status == 500 else "ok"
        for _ in range(count):
            labels = ("m", "", "/predict", "POST", status, outcome)
            self.traffic.record(labels, (seconds, seconds, 1.0, 1.0))

    def blocks(self) -> Blocks:
        return [*self.traffic.readings(), *self.health.readings()]


def test_the_first_look_shows_all_since_the_start() -> None:
    host = Host()
    host.serve(30)
    host.serve(10, status=500)
    requests = Recent().look(host.blocks(), 0.0).requests["m"]
    assert math.isnan(requests.seconds)
    assert (requests.total, requests.server_errors, requests.error_ratio()) == (40, 10, 0.25)


def test_later_looks_show_what_came_since_the_first_of_five_minutes() -> None:
    host, recent = Host(), Recent()
    host.serve(30)
    recent.look(host.blocks(), 0.0)
    host.serve(12, seconds=0.2)
    requests = recent.look(host.blocks(), 60.0).requests["m"]
    assert (requests.total, requests.seconds) == (12, 60)
    assert 0.1 < requests.quantile(0.5) <= 0.25
    host.serve(5)
    assert recent.look(host.blocks(), 300.0).requests["m"].total == 17
    assert recent.look(host.blocks(), 310.0).requests["m"].total == 5  # since 60.0


def test_a_look_after_a_long_time_shows_all_again() -> None:
    host, recent = Host(), Recent()
    recent.look(host.blocks(), 0.0)
    host.serve(7)
    assert math.isnan(recent.look(host.blocks(), 4000.0).requests["m"].seconds)


def test_a_clock_that_is_set_back_starts_again() -> None:
    host, recent = Host(), Recent()
    host.serve(7)
    recent.look(host.blocks(), 1000.0)
    assert recent.look(host.blocks(), 900.0).requests["m"].total == 7
    assert recent.look(host.blocks(), 920.0).requests["m"].total == 0


def test_a_state_that_was_lost_is_never_counted_negative() -> None:
    host, recent = Host(), Recent()
    host.serve(100)
    recent.look(host.blocks(), 0.0)
    again = Host()
    again.serve(3)
    assert recent.look(again.blocks(), 60.0).requests["m"].total == 3


def test_looks_are_bounded() -> None:
    host, recent = Host(), Recent()
    for second in range(2000):
        recent.look(host.blocks(), float(second))
    assert len(recent._looks) <= 31


def test_a_fault_of_late_is_told_from_one_of_long_ago() -> None:
    host, recent = Host(), Recent()
    host.health.drop("queue_full", 5)
    recent.look(host.blocks(), 0.0)
    host.health.parse_error("json", "not_json")
    risen = recent.look(host.blocks(), 60.0).faults
    assert risen["mlmon_dropped_total", "queue_full"] == 0
    assert risen["mlmon_parse_errors_total", "json", "not_json"] == 1


def test_a_quantile_is_that_of_prometheus() -> None:
    host = Host()
    host.serve(50, seconds=0.03)  # in (0.025, 0.05]
    host.serve(50, seconds=0.06)  # in (0.05, 0.1]
    requests = since_the_start(host.blocks()).requests["m"]
    assert requests.quantile(0.25) == pytest.approx(0.0375)
    assert requests.quantile(0.75) == pytest.approx(0.075)


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    host = Host()
    host.serve(2, seconds=99.0)
    assert since_the_start(host.blocks()).requests["m"].quantile(0.5) == 60.0


def test_without_requests_there_is_neither_share_nor_quantile() -> None:
    host = Host()
    host.traffic.declare("m", "", "/predict", "POST")
    requests = since_the_start(host.blocks()).requests["m"]
    assert math.isnan(requests.error_ratio())
    assert math.isnan(requests.quantile(0.5))
