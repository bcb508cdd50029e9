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
from typing import Any

import orjson

from .core import tally_bytes
from .core.health import Health
from .core.model import Model
from .core.part_keys import PartKey
from .core.records import Readings
from .core.tally_bytes import AnyTally
from .core.traffic import Traffic
from .core.windows import PANES
from .store import Changes, Merge, Store, StoreError, Value

logger = logging.getLogger(__name__)

PANES_KEPT = 14
"""Panes of a window that are kept on disk: those of a window, and some while clocks disagree."""
ALIVE_SECONDS = 15.0
DEAD_KEPT_SECONDS = 3600.0
SEEDED = "seeded"


class Counts:
    """Requests and counts about ourselves: since the last flush, and of all processes."""

    def __init__(self, traffic: Traffic, health: Health) -> None:
        self.traffic = traffic
        self.health = health
        self.shown_traffic: Traffic = traffic
        self.shown_health: Health = health


class SharedState:
    """Flushes and loads. One transaction a flush; thread-safe: one lock."""

    def __init__(
        self,
        store: Store,
        models: Mapping[str, Model],
        counts: Counts,
        process: Callable[[], dict[str, Any]],
        flush_seconds: float,
    ) -> None:
        self._store = store
        self._models = models
        self._counts = counts
        self._process = process
        self._alive_seconds = max(ALIVE_SECONDS, 3 * flush_seconds)
        self._lock = threading.RLock()
        self._file, self._stamp = "", -1
        self._workers: dict[str, dict[str, Any]] = {}
        self._started = time.time_ns()
        self._has_failed = False
        self.last_flush = time.time()

    def forget(self) -> None:
        """Drop what a forked process has from its parent, which adds it itself."""
        self._lock = threading.RLock()
        self._store.close()
        self._started = time.time_ns()
        self._counts.traffic.take()
        self._counts.health.take()
        for model in self._models.values():
            model.take()

    def flush(self, now: float) -> bool:
        """Add what was counted since the last flush; False if the store could not take it.

        What it could not take is held, and added with the next flush.
        """
        with self._lock:
            traffic, health = self._counts.traffic.take(), self._counts.health.take()
            parts = {name: model.take() for name, model in self._models.items()}
            try:
                self._store.merge(self._changes(traffic, health, parts, now), now)
            except StoreError as error:
                self._counts.traffic.merge(traffic)
                self._counts.health.merge(health)
                for name, taken in parts.items():
                    self._models[name].give_back(taken)
                self._fail(error)
                return False
            self._has_failed = False
            self.last_flush = now
            return True

    def _fail(self, error: StoreError) -> None:
        self._counts.health.internal_error("store")
        if not self._has_failed:
            self._has_failed = True
            logger.error("mlmon: counts wait in memory: %s", error)

    def _changes(
        self,
        traffic: Traffic,
        health: Health,
        parts: Mapping[str, Mapping[PartKey, AnyTally]],
        now: float,
    ) -> dict[str, Merge]:
        changes: dict[str, Merge] = {
            "traffic": lambda old: _merge_traffic(old, traffic),
            "health": lambda old: _merge_health(old, health),
            self._worker_key(): lambda old: self._worker(now),
        }
        for name, taken in parts.items():
            for key, tally in taken.items():
                changes[_key(name, key)] = _merging(tally, key)
        return changes

    def _worker_key(self) -> str:
        return f"worker {os.getpid()} {self._started}"

    def _worker(self, now: float) -> Value:
        form = {**self._process(), "seen": now}
        # The dead are remembered, since their CPU time was spent.
        return Value(orjson.dumps(form), now)

    def load(self, now: float) -> None:
        """Read what others have added since the last load."""
        with self._lock:
            try:
                changes = self._store.read(self._stamp, self._file)
                if self._file and changes.file != self._file:
                    changes = self._restore(now)
            except StoreError as error:
                self._fail(error)
                return
            self._file, self._stamp = changes.file, changes.stamp
            for key, data in changes.values.items():
                self._show(key, data)

    def _restore(self, now: float) -> Changes:
        """Put what this process has seen into a new file: the old one was lost.

        Who is first adds it to what was counted since; later ones see to it that no number is
        lower than they have shown.
        """
        is_first = self._store.claim(SEEDED)
        counts = self._counts
        changes: dict[str, Merge] = {
            "traffic": _keeping(lambda old: _merge_traffic(old, counts.shown_traffic), is_first),
            "health": _keeping(lambda old: _merge_health(old, counts.shown_health), is_first),
        }
        for name, model in self._models.items():
            for key, tally in model.shown().items():
                changes[_key(name, key)] = _keeping(_merging(tally, key), is_first)
        self._store.merge(changes, now)
        return self._store.read(-1)

    def _show(self, key: str, data: bytes) -> None:
        try:
            kind, _, rest = key.partition(" ")
            if kind == "traffic":
                self._counts.shown_traffic = Traffic.from_dict(orjson.loads(data))
            elif kind == "health":
                self._counts.shown_health = Health.from_dict(orjson.loads(data))
            elif kind == "worker":
                self._workers[rest] = orjson.loads(data)
            elif kind == "part":
                name, *part = orjson.loads(rest)
                if name in self._models:
                    self._models[name].show(PartKey(*part), data)
        except (ValueError, KeyError, TypeError) as error:
            self._fail(StoreError(f"{key}: {error}"))

    def size_bytes(self) -> int:
        """Return the size of the state on disk."""
        return self._store.size_bytes()

    def processes(self, now: float) -> Iterator[Readings]:
        """Give the numbers of all processes: CPU time of all, the rest of the living."""
        cpu = sum(worker["cpu"] for worker in self._workers.values())
        yield Readings("process_cpu_seconds_total", (), ((),), [cpu])
        alive = [w for w in self._workers.values() if abs(now - w["seen"]) < self._alive_seconds]
        if alive:
            for name, key in (("resident_memory_bytes", "rss"), ("open_fds", "fds")):
                yield Readings(f"process_{name}", (), ((),), [sum(w[key] for w in alive)])
            started = min(w["started"] for w in alive)
            yield Readings("process_start_time_seconds", (), ((),), [started])
        routes: dict[tuple[str, ...], int] = {}
        for worker in alive:
            for labels, count in worker["in_progress"]:
                routes[tuple(labels)] = routes.get(tuple(labels), 0) + count
        names = ("model", "version", "route")
        yield Readings("mlmon_requests_in_progress", names, tuple(routes), list(routes.values()))


def _key(model: str, key: PartKey) -> str:
    return f"part {orjson.dumps([model, *key]).decode()}"


def _merging(tally: AnyTally, key: PartKey) -> Merge:
    def merge(old: Value | None) -> Value:
        merged = tally if old is None else tally_bytes.added(old.data, tally)
        expires = None
        if key.window_seconds:
            pane_seconds = key.window_seconds / PANES
            expires = (key.pane + 1 + PANES_KEPT) * pane_seconds
        return Value(tally_bytes.to_bytes(merged), merged.rows, expires)

    return merge


def _merge_traffic(old: Value | None, delta: Traffic) -> Value:
    merged = Traffic()
    if old is not None:
        merged = Traffic.from_dict(orjson.loads(old.data))
    merged.merge(delta)
    return Value(orjson.dumps(merged.to_dict()), merged.total())


def _merge_health(old: Value | None, delta: Health) -> Value:
    merged = Health()
    if old is not None:
        merged = Health.from_dict(orjson.loads(old.data))
    merged.merge(delta)
    return Value(orjson.dumps(merged.to_dict()), merged.total())


def _keeping(merge: Merge, is_first: bool) -> Merge:
    """Return the merge for who comes first; else keep the heavier of old and ours."""

    def keep(old: Value | None) -> Value:
        if is_first:
            return merge(old)
        ours = merge(None)
        return ours if old is None or ours.weight > old.weight else old

    return keep
