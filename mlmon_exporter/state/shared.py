"""One process's share of a host's state: counts that it adds to the store, and reads from it.

Counts that are not in the store yet are held and added every few seconds; readings show the sum
that all processes, dead ones included, have added. While the store cannot be used, they show what
it last had and, on top, what this process has held since.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import orjson

from mlmon_exporter.core.counts.counts import Counts
from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.processes import CPU, CpuTime, Process
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.counts.traffic import Traffic
from mlmon_exporter.core.counts.version_uses import VersionUses
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.records import Readings
from mlmon_exporter.runtime.forks import after_fork

from .errors import LostError, StoreError, UnreadableError
from .joiner import Tallies, Transaction
from .outage import Loaded, Outage, Trouble
from .pending_table import SQLITE, PendingTable, schema
from .processes import Processes
from .slots import Flush
from .store import Changes, Merge, Store, Value, Writing
from .values import (
    COUNTS,
    CPU_TIME,
    LOOKS,
    SEEDED,
    TALLY,
    VERSIONS,
    WORKER,
    Recovery,
    merge_tally,
    merging,
    read,
    read_tally_key,
    reading,
    tallies_of,
    tally_key,
    worker_value,
)

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0
"""Time after a flush interval until all processes have put their numbers into a new file."""


class SharedState:
    """Flushes and loads. One transaction a flush; thread-safe: the store's lock."""

    def __init__(
        self,
        folder: Path,
        models: Mapping[str, Model],
        counts: Counts,
        process: Callable[[], Process],
        flush_seconds: float,
    ) -> None:
        self._store = Store(folder, schema(SQLITE))
        self._lock = self._store.lock
        self._models = models
        self._counts = counts
        self._process = process
        self._processes = Processes(flush_seconds)
        self._settle_seconds = flush_seconds + SETTLE_SECONDS
        self._file, self._stamp, self._seeded = "", -1, 0.0
        self._written: dict[str, Value] = {}  # to this file, since it was last loaded
        self._uses = VersionUses()
        self._cpu_added = 0.0
        self._started = time.time_ns()
        self.traffic = Traffic()  # of all processes
        self.outage = Outage(f"state_dir {folder}", counts.health)
        self.last_flush = time.time()
        self._loaded = counts.take()  # of all processes
        self._readers: Mapping[str, Callable[[str, bytes], None]] = {
            **dict.fromkeys(COUNTS.values(), self._read_counts),
            CPU_TIME: self._processes.read_cpu,
            SEEDED: self._read_seeded,
            LOOKS: self._read_looks,
            WORKER.strip(): self._processes.read_worker,
            TALLY.strip(): self._read_tally,
        }
        after_fork(self._after_fork)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._store.close()

    def _after_fork(self) -> None:
        # Held counts are the parent's, which adds them itself.
        self._started = time.time_ns()
        self._cpu_added = 0.0
        self._taken()

    def _taken(self) -> Flush:
        """Take the counts since the last flush."""
        return Flush(
            {name: model.versions.take() for name, model in self._models.items()},
            self._counts.take(),
        )

    def flush(self, now: float) -> bool:
        """Add the counts since the last flush; False if the store could not take them.

        Counts that it could not take are held, and added with the next flush.
        """
        with self._lock:
            process, taken = self._process(), self._taken()
            cpu = process.numbers.get(CPU, 0.0)
            changes: dict[str, Merge] = {
                CPU_TIME: merging(CpuTime(cpu - self._cpu_added)),
                f"{WORKER}{os.getpid()} {self._started}": lambda _: worker_value(process, now),
            }
            try:
                try:
                    writing = self._add(taken, changes, now)
                except LostError as error:
                    self.outage.lost(error)
                    writing = self._add(taken, changes, now)
            except Exception as error:  # noqa: BLE001 - no count may be lost to any fault
                self._restore(taken)
                self.outage.fail("flush", error, self.last_flush)
                return False
            self.outage.end("flush", "join")
            self._cpu_added = cpu
            self._note(writing, now)
            return True

    def _restore(self, taken: Flush) -> None:
        """Put back counts that the store could not take."""
        self._counts.merge(taken.counts)
        for name, tallies in taken.tallies.items():
            self._models[name].versions.restore(tallies)

    def _add(self, taken: Flush, changes: Mapping[str, Merge], now: float) -> Writing:
        with self._store.writing(now) as writing:
            over = taken.add(writing, self._models, now)
            writing.merge(changes)
        self._counts.health.overflow("version", over)
        return writing

    def add(self, tallies: Tallies, feedback: Feedback) -> None:
        """Add outcomes at once; raises StoreError where that cannot be done."""
        with self.transaction(time.time()) as transaction:
            transaction.merge(tallies, feedback)

    @contextmanager
    def transaction(self, now: float) -> Iterator[Transaction]:
        """Begin a transaction with the pending predictions; raises StoreError where it cannot."""
        with self._lock:
            try:
                with self._store.writing(now) as writing:
                    transaction = Transaction(PendingTable(writing.connection, SQLITE))
                    yield transaction
                    over = sum(
                        Flush(tallies, Counts(RequestCounts(), feedback, Health())).add(
                            writing, self._models, now
                        )
                        for tallies, feedback in transaction.merged
                    )
                self._counts.health.overflow("version", over)
            except StoreError as error:
                self.outage.fail("join", error, self.last_flush)
                raise
            self.outage.end("join")
            self._note(writing, now)

    def _note(self, writing: Writing, now: float) -> None:
        """Keep the values that were written until they are loaded, in case the file is lost."""
        self.last_flush = now
        for problem in writing.unreadable:
            self._pass_over(problem)
        if self._file in ("", writing.file):
            self._file = writing.file
            kept = {**self._written, **writing.values}
            self._written = {
                key: value
                for key, value in kept.items()
                if value.expires is None or value.expires >= now
            }
            if VERSIONS in writing.values:
                data = writing.values[VERSIONS].data
                self._set_versions(read(self._uses, VERSIONS, data), now)
            return
        try:
            self._recover(now)
        except StoreError as error:
            self.outage.fail("recover", error, self.last_flush)

    def _set_versions(self, uses: VersionUses, now: float) -> None:
        """Follow the versions of all processes."""
        gone, self._uses = tuple(map(tallies_of, self._uses.gone(uses))), uses
        if gone:
            self._written = {k: v for k, v in self._written.items() if not k.startswith(gone)}
        for name, model in self._models.items():
            if model.versions.follow(uses.of(name), now):
                self._stamp = -1

    @contextmanager
    def reading(self, now: float) -> Iterator[Loaded | None]:
        """Load what is to be read in the block, and give the counts; None if nothing is fit.

        In an outage all flushes wait for the block to end: one that succeeds in its midst takes
        away what was held, and counters would fall.
        """
        with self._lock:
            is_fit = self._load(now)
            is_out = bool(self.outage)
            for model in self._models.values():
                model.versions.show_waiting(is_out)
            if is_out:
                held = self._loaded.plus(self._counts)
                yield Loaded(held, not self._file, True) if is_fit else None
        if not is_out:
            yield Loaded(self._loaded) if is_fit else None

    def _load(self, now: float) -> bool:
        """Read the values added since the last load; False if nothing is fit to be shown.

        That is so for a moment after a file was lost, until all have recovered it: others may have
        shown more than is known here, and a counter is better missing for once than falling.
        """
        try:
            try:
                changes = self._read(now)
            except LostError as error:
                self.outage.lost(error)
                changes = self._read(now)
        except StoreError as error:
            self.outage.fail("load", error, self.last_flush)
            self._show_written()
        else:
            self.outage.end("load")
            self._file, self._stamp, self._written = changes.file, changes.stamp, {}
            for key, data in changes.values.items():
                self._show(key, data)
        return not 0 <= now - self._seeded < self._settle_seconds

    def _show_written(self) -> None:
        """Show what this process has written since it last loaded."""
        for key, value in self._written.items():
            self._show(key, value.data)

    def _read(self, now: float) -> Changes:
        stamp = self._stamp
        changes = self._store.read(stamp, self._file)
        if self._file and changes.file != self._file:
            self._recover(now)
            stamp, changes = -1, self._store.read(-1)
        self._load_versions(changes, now)
        # Of a version that is back after it was dropped, unchanged values are not shown, either.
        return self._store.read(-1) if self._stamp < stamp else changes

    def _load_versions(self, changes: Changes, now: float) -> None:
        uses = self._uses
        if VERSIONS in changes.values:
            try:
                uses = read(uses, VERSIONS, changes.values[VERSIONS])
            except UnreadableError as error:
                self._pass_over(str(error))
        self._set_versions(uses, now)

    def _recover(self, now: float) -> None:
        """Put the numbers that this process knows of a lost file into the new one."""
        self._show_written()
        recovery = Recovery(now)
        changes: dict[str, Merge] = {
            SEEDED: recovery.claim,
            VERSIONS: merging(self._uses, recovery),
            CPU_TIME: merging(self._processes.cpu, recovery),
        }
        for name, counts in self._loaded._asdict().items():
            changes[COUNTS[name]] = merging(counts, recovery)
        for name, model in self._models.items():
            for which, tally in model.versions.loaded().items():
                changes[tally_key(name, which)] = merge_tally(tally, which, recovery)
        writing = self._store.merge(changes, now)
        for problem in writing.unreadable:
            self._pass_over(problem)
        self.outage.end("recover")
        self._file, self._stamp, self._written = writing.file, -1, {}

    def _show(self, key: str, data: bytes) -> None:
        """Show a value in place of the last one; an unreadable one changes nothing."""
        try:
            with reading(key):  # damage reaches keys, too: they may be no text
                reader = self._readers.get(key.partition(" ")[0])
                if reader is not None:
                    reader(key, data)
        except UnreadableError as error:
            self._pass_over(str(error))

    def _read_counts(self, key: str, data: bytes) -> None:
        name = next(name for name, its_key in COUNTS.items() if its_key == key)
        self._loaded = self._loaded._replace(**{name: read(getattr(self._loaded, name), key, data)})

    def _read_seeded(self, _key: str, data: bytes) -> None:
        self._seeded = float(orjson.loads(data))

    def _read_looks(self, key: str, data: bytes) -> None:
        self.traffic = read(self.traffic, key, data)

    def _read_tally(self, key: str, data: bytes) -> None:
        name, which = read_tally_key(key)
        if name in self._models:
            self._models[name].versions.load(which, data)

    def _pass_over(self, problem: str) -> None:
        self._counts.health.internal_error("store")
        logger.error("mlmon: a value of the state file is passed over: %s", problem)

    def size_bytes(self) -> int:
        """Return the size of the state on disk."""
        return self._store.size_bytes()

    def process_readings(self, now: float) -> Iterator[Readings]:
        """Give the numbers of all processes: CPU time of all, the rest of the living."""
        own = self._process() if "flush" in self.outage else None
        routes = self._loaded.requests.routes()
        return self._processes.readings(now, routes, own, self._cpu_added)

    def stale(self, now: float) -> Trouble | None:
        """Return why no process has written for a while, as far as a reader can see.

        None if one has, or none ever did. The reason is empty where a reader sees none.
        """
        with self._lock:
            self._load(now)
            last = self._processes.last_seen
            if self.outage or not 0 < last < now - self._processes.alive_seconds:
                return self.outage.trouble
            reason = self._store.obstacle()
            # Others may be allowed what a reader is not.
            where = f"state_dir {self._store.path.parent}"
            return Trouble(where, reason if reason != "permission" else "", last)
