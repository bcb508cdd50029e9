"""Pending predictions in the memory of this process alone."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from mlmon_exporter.runtime.forks import ForkLock, after_fork

from .joiner import Add, Transaction
from .pending_table import SQLITE, PendingTable, schema


class MemoryTransactions:
    """Transactions on a SQLite database in memory, a new one in each process. Thread-safe."""

    def __init__(self, add: Add) -> None:
        self._add = add
        self._lock = ForkLock()
        self._abandoned: list[sqlite3.Connection] = []
        self._open()
        after_fork(self._after_fork)

    def _open(self) -> None:
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        self._closing = weakref.finalize(self, self._connection.close)
        for statement in schema(SQLITE):
            self._connection.execute(statement)

    def _after_fork(self) -> None:
        # The parent's predictions are answered by the parent.
        if not self._lock.was_held:
            self._abandoned.append(self._connection)
            self._closing.detach()
        self._closing()
        self._open()

    @contextmanager
    def __call__(self, _now: float) -> Iterator[Transaction]:
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                transaction = Transaction(PendingTable(self._connection, SQLITE))
                yield transaction
                for merged in transaction.merged:
                    self._add(*merged)
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()
