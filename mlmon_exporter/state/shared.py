"""One process's share of a host's state: what it adds to the store, and what it reads from it.

Counts that are not in the store yet are held as they are and added every few seconds; what is
shown is what all processes, dead ones included, have added.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import orjson

from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import Traffic
from mlmon_exporter.core.counts.version_uses import VersionUses
from mlmon_exporter.core.keys import TallyKey
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.records import Readings
from mlmon_exporter.metrics.process import CPU, CpuTime, Process, process_readings

from .joiner import Parts
from .pending import Transaction
from .slots import Added
from .store import Changes, LostError, Merge, Merged, Store, StoreError, UnreadableError, Value
from .values import (
    VERSIONS,
    Seeding,
    merge_cpu,
    merge_feedback,
    merge_health,
    merge_part,
    merge_traffic,
    merge_uses,
    part_key,
    parts_of,
    read_cpu,
    read_feedback,
    read_health,
    read_traffic,
    read_uses,
    read_worker,
    reading,
    worker_value,
)

logger = logging.getLogger(__name__)

ALIVE_SECONDS = 15.0
SEEDED = "seeded"
"""Key of when a new file got what was known of a lost one, Unix seconds."""
SETTLE_SECONDS = 2.0
"""So long after a flush interval all processes have put into a new file what they knew."""


class Counts:
    """Requests and counts about ourselves: since the last flush, and of all processes."""

    def __init__(self, traffic: Traffic, health: Health, feedback: Feedback) -> None:
        self.traffic = traffic
        self.health = health
        self.feedback = feedback
        self.shown_traffic: Traffic = traffic
        self.shown_health: Health = health
        self.shown_feedback: Feedback = feedback

    def share(self) -> None:
        """Show only what was loaded: what this process counts is a part of it."""
        self.shown_traffic, self.shown_health = Traffic(), self.health.take()
        self.shown_feedback = self.feedback.take()


class _Taken:
    """What a process has counted since it last added it to the store."""

    def __init__(self, counts: Counts, models: Mapping[str, Model]) -> None:
        self._counts, self._models = counts, models
        self.health = counts.health.take()
        self.added = Added(
            {name: model.versions.take() for name, model in models.items()},
            counts.feedback.take(),
            counts.traffic.take(),
        )

    def give_back(self) -> None:
        """Have it counted still, since the store could not take it."""
        self._counts.health.merge(self.health)
        self._counts.traffic.merge(self.added.traffic)
        self._counts.feedback.merge(self.added.feedback)
        for name, taken in self.added.parts.items():
            self._models[name].versions.restore(taken)


class SharedState:
    """Flushes and loads. One transaction a flush; thread-safe: one lock."""

    def __init__(
        self,
        store: Store,
        models: Mapping[str, Model],
        counts: Counts,
        process: Callable[[], Process],
        flush_seconds: float,
    ) -> None:
        self._store = store
        self._models = models
        self._counts = counts
        self._process = process
        self._alive_seconds = max(ALIVE_SECONDS, 3 * flush_seconds)
        self._settle_seconds = flush_seconds + SETTLE_SECONDS
        self._seeded = 0.0
        self._lock = threading.RLock()
        self._file, self._stamp = "", -1
        self._written: dict[str, Value] = {}  # to this file, since it was last loaded
        self._workers: dict[str, tuple[float, Process]] = {}  # when seen last, Unix seconds
        self._uses = VersionUses()
        self._cpu = CpuTime()
        self._cpu_added = 0.0
        self._started = time.time_ns()
        self._failing: set[str] = set()
        self.last_flush = time.time()
        counts.share()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._store.close()

    def forget(self) -> None:
        """Drop what a forked process has from its parent, which adds it itself."""
        self._lock = threading.RLock()
        self._store.close()
        self._started = time.time_ns()
        self._cpu_added = 0.0
        _Taken(self._counts, self._models)

    def flush(self, now: float) -> bool:
        """Add what was counted since the last flush; False if the store could not take it.

        What it could not take is held, and added with the next flush.
        """
        with self._lock:
            process, taken = self._process(), _Taken(self._counts, self._models)
            cpu = process.numbers.get(CPU, 0.0)
            changes: dict[str, Merge] = {
                "cpu": merge_cpu(CpuTime(cpu - self._cpu_added)),
                f"worker {os.getpid()} {self._started}": lambda _: worker_value(process, now),
            }
            if not taken.health.is_empty():
                changes["health"] = merge_health(taken.health)
            try:
                try:
                    merged = self._merge(taken.added, changes, now)
                except LostError as error:
                    self._fail("flush", error)
                    merged = self._merge(taken.added, changes, now)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing must be lost
                taken.give_back()
                self._fail("flush", error)
                return False
            self._cpu_added = cpu
            self._note(merged, now)
            return True

    def _merge(self, added: Added, changes: Mapping[str, Merge], now: float) -> Merged:
        with self._store.writing(now) as writing:
            over = added.add(writing, self._models, now)
            writing.merge(changes)
        self._overflow(over)
        return Merged(writing.file, writing.values, writing.unreadable)

    def _overflow(self, versions: int) -> None:
        for _ in range(versions):
            self._counts.health.overflow("version")

    def add(self, parts: Parts, counts: Feedback) -> None:
        """Add outcomes at once; raises StoreError where that cannot be done."""
        with self.transaction(time.time()) as transaction:
            transaction.merge(parts, counts)

    @contextmanager
    def transaction(self, now: float) -> Iterator[Transaction]:
        """Begin a transaction with the pending predictions; raises StoreError where it cannot."""
        with self._lock:
            try:
                with self._store.writing(now) as writing:
                    over = 0

                    def merge(parts: Parts, counts: Feedback) -> None:
                        nonlocal over
                        over += Added(parts, counts, Traffic()).add(writing, self._models, now)

                    yield Transaction(writing.connection, merge)
                self._overflow(over)
            except StoreError as error:
                self._fail("join", error)
                raise
            self._failing.discard("join")
            self._note(Merged(writing.file, writing.values, writing.unreadable), now)

    def _note(self, merged: Merged, now: float) -> None:
        """Keep what was written, until it is loaded: should the file be lost, it is not."""
        file, written, unreadable = merged
        self._failing.discard("flush")
        self.last_flush = now
        for problem in unreadable:
            self._pass_over(problem)
        if self._file in ("", file):
            self._file = file
            kept = {**self._written, **written}
            self._written = {
                key: value
                for key, value in kept.items()
                if value.expires is None or value.expires >= now
            }
            if VERSIONS in written:
                self._know(read_uses(written[VERSIONS].data), now)
            return
        try:
            self._restore(now)
        except StoreError as error:
            self._fail("restore", error)

    def _know(self, uses: VersionUses, now: float) -> None:
        """Follow which versions there are."""
        gone, self._uses = tuple(map(parts_of, self._uses.gone(uses))), uses
        if gone:
            self._written = {k: v for k, v in self._written.items() if not k.startswith(gone)}
        for name, model in self._models.items():
            if model.versions.follow(uses.of(name), now):
                self._stamp = -1

    def _fail(self, what: str, error: Exception) -> None:
        self._counts.health.internal_error("store")
        if not self._failing:
            is_lost = isinstance(error, LostError)
            what_now = "the state file was lost" if is_lost else "counts wait in memory"
            logger.error("mlmon: %s: %s", what_now, error)
        self._failing.add(what)

    def load(self, now: float) -> bool:
        """Read what was added since the last load; False if there is nothing fit to be shown.

        So it is if the store cannot be read, and for a moment after a file was lost, until all
        processes have restored it: others may have shown more than what is known here, and a
        counter that is not there for once does less harm than one that goes back.
        """
        with self._lock:
            try:
                try:
                    changes = self._read(now)
                except LostError as error:
                    self._fail("load", error)
                    changes = self._read(now)
            except StoreError as error:
                self._fail("load", error)
                return False
            self._failing.discard("load")
            self._file, self._stamp, self._written = changes.file, changes.stamp, {}
            for key, data in changes.values.items():
                self._show(key, data)
            return not 0 <= now - self._seeded < self._settle_seconds

    def _read(self, now: float) -> Changes:
        stamp = self._stamp
        changes = self._store.read(stamp, self._file)
        if self._file and changes.file != self._file:
            self._restore(now)
            stamp, changes = -1, self._store.read(-1)
        self._show_versions(changes, now)
        # Where a version is back that was dropped, what did not change since is not shown, either.
        return self._store.read(-1) if self._stamp < stamp else changes

    def _show_versions(self, changes: Changes, now: float) -> None:
        uses = self._uses
        if VERSIONS in changes.values:
            try:
                uses = read_uses(changes.values[VERSIONS])
            except UnreadableError as error:
                self._pass_over(str(error))
        self._know(uses, now)

    def _restore(self, now: float) -> None:
        """Put what this process knows of the old file into a new one: the old one was lost.

        Who is first adds it to what was counted since; later ones see to it that no number is
        lower than they know.
        """
        for key, value in self._written.items():
            self._show(key, value.data)
        seeding = Seeding(now)
        changes: dict[str, Merge] = {
            SEEDED: seeding.claim,
            VERSIONS: merge_uses(self._uses, seeding),
            "traffic": merge_traffic(self._counts.shown_traffic, seeding),
            "health": merge_health(self._counts.shown_health, seeding),
            "feedback": merge_feedback(self._counts.shown_feedback, seeding),
            "cpu": merge_cpu(self._cpu, seeding),
        }
        for name, model in self._models.items():
            for part, tally in model.versions.loaded().items():
                changes[part_key(name, part)] = merge_part(tally, part, seeding)
        merged = self._store.merge(changes, now)
        for problem in merged.unreadable:
            self._pass_over(problem)
        self._failing.discard("restore")
        self._file, self._stamp, self._written = merged.file, -1, {}

    def _show(self, key: str, data: bytes) -> None:
        """Show a value in place of what was known; one that is unreadable changes nothing."""
        try:
            with reading(key):
                self._take_over(*key.partition(" ")[::2], data)
        except UnreadableError as error:
            self._pass_over(str(error))

    def _take_over(self, kind: str, rest: str, data: bytes) -> None:
        if kind == "traffic":
            self._counts.shown_traffic = read_traffic(data)
        elif kind == "health":
            self._counts.shown_health = read_health(data)
        elif kind == "feedback":
            self._counts.shown_feedback = read_feedback(data)
        elif kind == "cpu":
            self._cpu = read_cpu(data)
        elif kind == SEEDED:
            self._seeded = float(orjson.loads(data))
        elif kind == "worker":
            self._workers[rest] = read_worker(data)
        elif kind == "part":
            name, *part = orjson.loads(rest)
            if name in self._models:
                self._models[name].versions.load(TallyKey(*part), data)

    def _pass_over(self, problem: str) -> None:
        self._counts.health.internal_error("store")
        logger.error("mlmon: a value of the state file is passed over: %s", problem)

    def size_bytes(self) -> int:
        """Return the size of the state on disk."""
        return self._store.size_bytes()

    def process_readings(self, now: float) -> Iterator[Readings]:
        """Give the numbers of all processes: CPU time of all, the rest of the living."""
        self._workers = {
            name: (seen, process)
            for name, (seen, process) in self._workers.items()
            if abs(now - seen) < self._alive_seconds
        }
        alive = [process for _, process in self._workers.values()]
        return process_readings(alive, self._cpu.seconds, self._counts.shown_traffic.routes())
