from __future__ import annotations

from mlmon_exporter.core.counts.processes import CPU, CpuTime, Process, process_readings
from mlmon_exporter.core.records import Readings


def values(readings: list[Readings]) -> dict[str, float]:
    return {block.name: block.values[0] for block in readings if len(block.values)}


def test_processes_are_shown_as_one() -> None:
    label = ["m", "", "/predict"]
    old = Process({"process_open_fds": 5.0, "process_start_time_seconds": 10.0}, [(label, 2)])
    new = Process({"process_open_fds": 7.0, "process_start_time_seconds": 20.0}, [(label, 1)])
    shown = values(list(process_readings([old, new], 3.0)))
    assert shown == {
        CPU: 3.0,
        "process_open_fds": 12.0,
        "process_start_time_seconds": 10.0,
        "mlmon_requests_in_progress": 3.0,
    }


def test_what_the_system_does_not_tell_is_not_shown() -> None:
    (in_progress,) = process_readings([Process({}, [])], None)
    assert (in_progress.name, len(in_progress.values)) == ("mlmon_requests_in_progress", 0)


def test_a_route_that_was_served_before_has_none_in_progress() -> None:
    idle, busy = ("m", "", "/predict"), ("m", "", "/other")
    (in_progress,) = process_readings([Process({}, [([*busy], 2)])], None, [idle, busy])
    assert dict(zip(in_progress.labels, in_progress.values, strict=True)) == {idle: 0, busy: 2}


def test_cpu_time_adds_up_or_is_raised() -> None:
    time = CpuTime(1.0)
    time.merge(CpuTime(2.0))
    time.merge_max(CpuTime(2.5))
    assert time.seconds == 3.0
    time.merge_max(CpuTime(4.0))
    assert time.seconds == 4.0
