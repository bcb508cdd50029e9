"""The processes of a server, shown as one: CPU time, memory, files, requests in progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from mlmon_exporter.core.labels import read_labels
from mlmon_exporter.core.records import Readings

CPU = "process_cpu_seconds_total"
_OF_ALL: dict[str, Callable[[list[float]], float]] = {
    "process_resident_memory_bytes": sum,
    "process_open_fds": sum,
    "process_start_time_seconds": min,
}
"""Metric -> function that makes one number of those of all processes."""


class Process(NamedTuple):
    """Numbers of a process that others show; all plain, so that they can be kept as JSON."""

    numbers: Mapping[str, float]
    """Metric -> value; those that the system lacks are left out."""
    in_progress: list[tuple[list[str], int]]
    """Model, version and route -> requests that it is serving."""


def process_readings(
    alive: Iterable[Process],
    cpu_seconds: float | None,
    routes: Iterable[tuple[str, ...]] = (),
) -> Iterator[Readings]:
    """Give the numbers of the processes that are alive.

    Args:
        alive: Those processes.
        cpu_seconds: CPU time of all processes, dead ones included; None if unknown.
        routes: Model, version and route of those that were served before: none in progress is 0.
    """
    processes = list(alive)
    if cpu_seconds is not None:
        yield Readings(CPU, (), ((),), [cpu_seconds])
    for name, of_all in _OF_ALL.items():
        values = [p.numbers[name] for p in processes if name in p.numbers]
        if values:
            yield Readings(name, (), ((),), [of_all(values)])
    yield _in_progress(processes, routes)


def _in_progress(processes: Iterable[Process], routes: Iterable[tuple[str, ...]]) -> Readings:
    counts = dict.fromkeys(routes, 0)
    for process in processes:
        for labels, count in process.in_progress:
            counts[tuple(labels)] = counts.get(tuple(labels), 0) + count
    names = ("model", "version", "route")
    return Readings("mlmon_requests_in_progress", names, tuple(counts), list(counts.values()))


class CpuTime:
    """CPU seconds that merge."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def merge(self, other: Self) -> None:
        """Add another's."""
        self.seconds += other.seconds

    def merge_max(self, other: Self) -> None:
        """Take another's if that is more."""
        self.seconds = max(self.seconds, other.seconds)

    def to_form(self) -> float:
        """Return the seconds, for the state on disk."""
        return self.seconds

    def loaded(self, form: Any) -> Self:
        """Return the time read from that form; raises ValueError or TypeError."""
        return type(self)(float(form))


def read_process(form: Any) -> Process:
    """Read a process's JSON; raises ValueError, KeyError or TypeError where it is damaged."""
    numbers, in_progress = form
    return Process(
        {name: float(value) for name, value in numbers.items()},
        [([*read_labels(labels, 3)], int(count)) for labels, count in in_progress],
    )
