"""Keys and values of the shared state: how each is written, read and merged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import orjson

from mlmon_exporter.core.counts.processes import Process, read_process
from mlmon_exporter.core.counts.version_uses import VersionName
from mlmon_exporter.core.keys import STRETCHES, TallyKey
from mlmon_exporter.core.outcomes import tally_bytes
from mlmon_exporter.core.outcomes.tally_bytes import AnyTally
from mlmon_exporter.core.settings import PANES
from mlmon_exporter.core.windows.stretches import DAY_SECONDS, STRETCH_DAYS

from .errors import UnreadableError
from .store import Merge, Value

COUNTS = {"requests": "traffic", "feedback": "feedback", "health": "health"}
"""Field of `Counts` -> its key."""
CPU_TIME = "cpu"
TALLY = "part "
"""Start of the keys of a model's tallies."""
LOOKS = "looks"
"""Key of the totals of requests at moments of the last hour."""
SEEDED = "seeded"
"""Key of the time when a new file got the numbers of a lost one, Unix seconds."""
VERSIONS = "versions"
"""Key of the times when the versions of all models were last used."""
WORKER = "worker "
"""Start of the keys of processes."""
DEAD_KEPT_SECONDS = 3600.0
PANES_KEPT = 14
"""Panes of a window that are kept on disk: those of a window, and some while clocks disagree."""


class Mergeable(Protocol):
    """Counts that are kept as JSON."""

    def merge(self, other: Self, /) -> None: ...

    def merge_max(self, other: Self, /) -> None: ...

    def to_form(self) -> Any: ...

    def loaded(self, form: Any, /) -> Self: ...


M = TypeVar("M", bound=Mergeable)

# Errors of code that reads a stored value and finds other JSON or other bytes.
_NOT_AS_WRITTEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def reading(key: str) -> Iterator[None]:
    """Turn the errors that damaged bytes lead to into UnreadableError."""
    try:
        yield
    except _NOT_AS_WRITTEN as error:
        raise UnreadableError(f"{key}: expected what was written, got {error!r}") from error


class Recovery:
    """The numbers of a lost file, put into a new one by every process that knows some.

    The first adds them to the counts since; later ones raise each number to what they know.
    """

    def __init__(self, now: float) -> None:
        self.is_first = True
        self._now = now

    def claim(self, old: Value | None) -> Value:
        """Merge the mark of the first process."""
        self.is_first = old is None
        return Value(orjson.dumps(self._now)) if old is None else old


class _Codec(NamedTuple):
    """Form of values that merge."""

    read: Callable[[Any, bytes], Any]
    """Reads bytes, given a value of the same kind and bounds."""
    write: Callable[[Any], bytes]


_JSON = _Codec(
    lambda like, data: like.loaded(orjson.loads(data)), lambda value: orjson.dumps(value.to_form())
)
_BYTES = _Codec(lambda _, data: tally_bytes.from_bytes(data), tally_bytes.to_bytes)


def _merging(
    ours: Any,
    codec: _Codec,
    recovery: Recovery | None,
    *,
    dead: Collection[VersionName] = (),
    expires: float | None = None,
) -> Merge:
    """Return the merge that adds ours to a stored value, or raises that to ours.

    It raises UnreadableError where the stored value cannot be added to.
    """

    def merge(old: Value | None) -> Value:
        if old is None:
            return Value(codec.write(ours), expires)
        with reading("value"):
            merged = codec.read(ours, old.data)
            if dead:
                merged.forget(dead)
            is_sum = recovery is None or recovery.is_first
            (merged.merge if is_sum else merged.merge_max)(ours)
            return Value(codec.write(merged), expires)

    return merge


def merging(
    ours: Mergeable, recovery: Recovery | None = None, dead: Collection[VersionName] = ()
) -> Merge:
    """Return the merge that adds counts, and forgets those of dead versions."""
    return _merging(ours, _JSON, recovery, dead=dead)


def read(like: M, key: str, data: bytes) -> M:
    """Read counts with the bounds of others; raises UnreadableError where they are none."""
    with reading(key):
        value: M = _JSON.read(like, data)
        return value


def tally_key(model: str, key: TallyKey) -> str:
    """Return the key of a tally of a model."""
    return f"{TALLY}{orjson.dumps([model, *key]).decode()}"


def tallies_of(name: VersionName) -> str:
    """Return the start of the keys of all tallies of a version."""
    return f"{TALLY}{orjson.dumps(name).decode()[:-1]},"


def read_tally_key(key: str) -> tuple[str, TallyKey]:
    """Return the model and tally that a key names; raises UnreadableError if it names none."""
    with reading(key):
        model, *rest = orjson.loads(key.removeprefix(TALLY))
        named = TallyKey(*rest)
        if not isinstance(model, str) or not isinstance(named.version, str):
            raise ValueError("expected texts")
        return model, named


def merge_tally(tally: AnyTally, key: TallyKey, recovery: Recovery | None = None) -> Merge:
    """Return the merge that adds a tally; a pane outlives its window by some panes."""
    expires = None
    if key.side in STRETCHES:
        expires = (key.pane + 1) * key.window_seconds + (STRETCH_DAYS + 1) * DAY_SECONDS
    elif key.window_seconds:
        expires = (key.pane + 1 + PANES_KEPT) * key.window_seconds / PANES
    return _merging(tally, _BYTES, recovery, expires=expires)


def worker_value(process: Process, now: float) -> Value:
    """Return the facts about a process seen at `now`, Unix seconds."""
    return Value(orjson.dumps([now, *process]), now + DEAD_KEPT_SECONDS)


def read_worker(data: bytes) -> tuple[float, Process]:
    """Return when a process was seen, and its facts; raises UnreadableError if damaged."""
    with reading("worker"):
        seen, *form = orjson.loads(data)
        return float(seen), read_process(form)
