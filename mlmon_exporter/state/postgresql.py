"""Pending predictions on a PostgreSQL server, so that several hosts may share them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlmon_exporter.config.keys import ConfigError
from mlmon_exporter.runtime.forks import after_fork

from .errors import StoreError
from .joiner import Add, Transaction
from .pending_table import POSTGRESQL, PendingTable, schema

if TYPE_CHECKING:
    import psycopg

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
MAKING = 0x6D6C6D6F  # any number: an advisory lock of ours, while tables are made


class PostgresqlTransactions:
    """Transactions on one connection, which is opened on first use, in each process anew.

    `add` is called within the transaction, and last: its effect stands without the transaction's
    only if the connection breaks in that very moment.
    """

    def __init__(self, url: str, add: Add, on_fault: Callable[[], None] = lambda: None) -> None:
        """Check that psycopg is there; raises ConfigError."""
        try:
            import psycopg  # noqa: F401 - only users of a server need the driver
        except ImportError:
            raise ConfigError(
                "ground_truth_store: expected psycopg for a postgresql:// address, got none; "
                "pip install 'mlmon-exporter[postgres]'"
            ) from None
        self._url = url
        self._add = add
        self._on_fault = on_fault
        self._has_failed = False
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._abandoned: list[psycopg.Connection | None] = []
        after_fork(self._abandon)

    def _abandon(self) -> None:
        # In a forked child it is the parent's: even closing it would end the parent's session.
        self._abandoned.append(self._connection)
        self._connection = None
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, _now: float) -> Iterator[Transaction]:
        import psycopg

        with self._lock:
            try:
                connection = self._open()
                with connection.transaction():
                    transaction = Transaction(PendingTable(connection, POSTGRESQL))
                    yield transaction
                    for merged in transaction.merged:
                        self._add(*merged)
            except psycopg.Error as error:
                self._drop()
                self._on_fault()
                # Without the address: it may hold a password.
                fault = StoreError(f"PostgreSQL: {type(error).__name__}")
                self._say(fault)
                raise fault from error
            self._has_failed = False

    def _open(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            with self._connection.transaction():
                self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
                for statement in schema(POSTGRESQL):
                    self._connection.execute(statement.encode())
        return self._connection

    def _connect(self) -> psycopg.Connection:
        import psycopg

        try:
            return psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS)
        except UnicodeError as error:  # of a host that cannot be one: `db..internal`
            raise psycopg.OperationalError("host") from error

    def _say(self, fault: StoreError) -> None:
        if not self._has_failed:
            self._has_failed = True
            logger.error("mlmon: predictions wait in memory: %s", fault)

    def _drop(self) -> None:
        if self._connection is not None and self._connection.broken:
            self._connection = None

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
