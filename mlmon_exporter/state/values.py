"""What the keys of the shared state hold: how each value is written, read and merged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self, TypeVar

import orjson

from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import Traffic
from mlmon_exporter.core.counts.version_uses import VersionName, VersionUses
from mlmon_exporter.core.keys import TallyKey
from mlmon_exporter.core.outcomes import tally_bytes
from mlmon_exporter.core.outcomes.tally_bytes import AnyTally
from mlmon_exporter.core.settings import PANES
from mlmon_exporter.metrics.process import CpuTime, Process, process_of

from .store import Merge, UnreadableError, Value

DEAD_KEPT_SECONDS = 3600.0
PART = "part "
"""What the key of each part of a model starts with."""
VERSIONS = "versions"
"""Key of when the versions of all models were last used."""
PANES_KEPT = 14
"""Panes of a window that are kept on disk: those of a window, and some while clocks disagree."""


class _Mergeable(Protocol):
    def merge(self, other: Self, /) -> None: ...

    def merge_max(self, other: Self, /) -> None: ...


T = TypeVar("T", bound=_Mergeable)

# What code meets that expects what was written, and finds other JSON or other bytes.
_NOT_AS_WRITTEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever damaged bytes lead to into UnreadableError."""
    try:
        yield
    except _NOT_AS_WRITTEN as error:
        raise UnreadableError(f"{what}: expected what was written, got {error!r}") from error


class Seeding:
    """Whether what goes into a new file is the first, which is known when it is merged."""

    def __init__(self, now: float) -> None:
        self.is_first = True
        self._now = now

    def claim(self, old: Value | None) -> Value:
        """Merge the mark of who is first."""
        self.is_first = old is None
        return Value(orjson.dumps(self._now)) if old is None else old


def _merging(
    ours: T,
    read: Callable[[bytes], T],
    write: Callable[[T], bytes],
    seeding: Seeding | None,
    expires: float | None = None,
) -> Merge:
    """Return what adds ours to what there is; or raises that to ours, where others were first.

    It raises UnreadableError where what there is cannot be added to.
    """

    def merge(old: Value | None) -> Value:
        if old is None:
            return Value(write(ours), expires)
        with reading("value"):
            merged = read(old.data)
            if seeding is None or seeding.is_first:
                merged.merge(ours)
            else:
                merged.merge_max(ours)
            return Value(write(merged), expires)

    return merge


def part_key(model: str, key: TallyKey) -> str:
    """Return the key of a part of a model."""
    return f"{PART}{orjson.dumps([model, *key]).decode()}"


def parts_of(name: VersionName) -> str:
    """Return what the keys of all parts of a version start with."""
    return f"{PART}{orjson.dumps(name).decode()[:-1]},"


def version_of_part(key: str) -> VersionName:
    """Return which version the key of a part is of; raises UnreadableError if it is none."""
    with reading(key):
        model, version, *_ = orjson.loads(key.removeprefix(PART))
        if not isinstance(model, str) or not isinstance(version, str):
            raise ValueError("expected texts")
        return model, version


def merge_part(tally: AnyTally, key: TallyKey, seeding: Seeding | None = None) -> Merge:
    """Return what adds a tally; a pane is kept a little longer than its window needs it."""
    expires = None
    if key.window_seconds:
        expires = (key.pane + 1 + PANES_KEPT) * key.window_seconds / PANES
    ours: Any = tally  # what is there under one key is of one kind
    return _merging(ours, tally_bytes.from_bytes, tally_bytes.to_bytes, seeding, expires)


def merge_traffic(
    traffic: Traffic, seeding: Seeding | None = None, dead: Collection[VersionName] = ()
) -> Merge:
    """Return what adds requests, and drops those of dead versions."""

    def read(data: bytes) -> Traffic:
        stored = read_traffic(data, traffic.max_routes)
        if dead:
            stored.drop(dead)
        return stored

    return _merging(traffic, read, lambda merged: orjson.dumps(merged.to_dict()), seeding)


def read_traffic(data: bytes, max_routes: int = 200) -> Traffic:
    """Read requests; raises UnreadableError where they are none."""
    with reading("traffic"):
        return Traffic.from_dict(orjson.loads(data), max_routes)


def merge_health(health: Health, seeding: Seeding | None = None) -> Merge:
    """Return what adds counts about ourselves."""
    return _merging(health, read_health, lambda merged: orjson.dumps(merged.to_dict()), seeding)


def read_health(data: bytes) -> Health:
    """Read counts about ourselves; raises UnreadableError where they are none."""
    with reading("health"):
        return Health.from_dict(orjson.loads(data))


def merge_feedback(
    feedback: Feedback, seeding: Seeding | None = None, dead: Collection[VersionName] = ()
) -> Merge:
    """Return what adds counts of what came back, and drops those of dead versions."""

    def read(data: bytes) -> Feedback:
        stored = read_feedback(data)
        if dead:
            stored.drop(dead)
        return stored

    return _merging(feedback, read, lambda merged: orjson.dumps(merged.to_dict()), seeding)


def read_feedback(data: bytes) -> Feedback:
    """Read what came back; raises UnreadableError where it is none."""
    with reading("feedback"):
        return Feedback.from_dict(orjson.loads(data))


def merge_uses(uses: VersionUses, seeding: Seeding | None = None) -> Merge:
    """Return what adds when versions were used."""
    return _merging(uses, read_uses, lambda merged: orjson.dumps(merged.to_list()), seeding)


def read_uses(data: bytes) -> VersionUses:
    """Read when versions were used; raises UnreadableError where it is not that."""
    with reading("versions"):
        return VersionUses.from_list(orjson.loads(data))


def merge_cpu(cpu: CpuTime, seeding: Seeding | None = None) -> Merge:
    """Return what adds CPU time."""
    return _merging(cpu, read_cpu, lambda merged: orjson.dumps(merged.seconds), seeding)


def read_cpu(data: bytes) -> CpuTime:
    """Read CPU time; raises UnreadableError where it is none."""
    with reading("cpu"):
        return CpuTime(float(orjson.loads(data)))


def worker_value(process: Process, now: float) -> Value:
    """Return what others should know of a process seen at `now`, Unix seconds."""
    return Value(orjson.dumps([now, *process]), now + DEAD_KEPT_SECONDS)


def read_worker(data: bytes) -> tuple[float, Process]:
    """Read when a process was seen, and what it told; raises UnreadableError where it is none."""
    with reading("worker"):
        seen, *form = orjson.loads(data)
        return float(seen), process_of(form)
