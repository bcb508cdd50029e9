"""Work in slices, with rests between them."""

from __future__ import annotations

import itertools
import time

import pytest

from mlmon_exporter.runtime.pace import OtherThreads, Pace


class Clock:
    """The time that a thread works, and the rests between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.rests: list[tuple[float, float]] = []
        for name in ("perf_counter", "thread_time"):
            monkeypatch.setattr(time, name, lambda: self.now)
        monkeypatch.setattr(time, "sleep", lambda seconds: self.rests.append((self.now, seconds)))


def test_work_rests_at_least_every_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace()
    for _ in range(1000):
        clock.now += 0.0001
        pace()
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(clock.rests)]
    assert len(clock.rests) >= 100
    assert max(gaps) <= 0.001


def test_a_rest_is_as_long_as_the_work_before_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(lambda: 3.0)
    for seconds in (0.0001, 0.004, 60.0):
        clock.now += seconds
        pace()
    assert [rest for _, rest in clock.rests] == pytest.approx([3 * 0.0041, 0.05])


def test_a_start_after_idle_time_needs_no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace()
    clock.now += 60.0
    pace.start()
    pace()
    assert not clock.rests


def test_how_busy_others_are_leaves_out_the_thread_that_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = dict.fromkeys(("perf_counter", "process_time", "thread_time"), 0.0)
    for name in times:
        monkeypatch.setattr(time, name, lambda name=name: times[name])
    others = OtherThreads()
    assert others.busy == 0.0
    times.update(perf_counter=0.2, process_time=0.15, thread_time=0.05)
    assert others.busy == pytest.approx(0.5)
    times.update(perf_counter=0.25, process_time=0.2)
    assert others.busy == pytest.approx(0.5)  # it is too soon to look again
    times.update(perf_counter=1.2, process_time=0.15, thread_time=0.05)
    assert others.busy == 0.0
