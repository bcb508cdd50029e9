"""Predictions that wait on a PostgreSQL server, so that several hosts may share them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlmon_exporter.config.keys import ConfigError
from mlmon_exporter.core.counts.feedback import Feedback

from .joiner import Parts
from .pending import Transaction
from .pending_table import POSTGRESQL, schema
from .store import StoreError

if TYPE_CHECKING:
    import psycopg

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
MAKING = 0x6D6C6D6F  # any number: an advisory lock of ours, while tables are made


class PostgresqlTransactions:
    """Transactions on one connection, which is opened on first use, in each process anew.

    `merge` is called within the transaction, and last: what it does is done when the server
    forgets that it happened only if the connection breaks in that very moment.
    """

    def __init__(
        self,
        url: str,
        merge: Callable[[Parts, Feedback], None],
        on_fault: Callable[[], None] = lambda: None,
    ) -> None:
        """Check that psycopg is there; raises ConfigError."""
        try:
            import psycopg  # noqa: F401 - only those who have a server need the driver
        except ImportError:
            raise ConfigError(
                "ground_truth_store: expected psycopg for a postgresql:// address, got none; "
                "pip install 'mlmon-exporter[postgres]'"
            ) from None
        self._url = url
        self._merge = merge
        self._on_fault = on_fault
        self._has_failed = False
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._process = 0
        self._abandoned: list[psycopg.Connection | None] = []

    @contextmanager
    def __call__(self, _now: float) -> Iterator[Transaction]:
        import psycopg

        with self._lock:
            try:
                connection = self._open()
                waiting: list[tuple[Parts, Feedback]] = []
                with connection.transaction():
                    yield Transaction(connection, lambda *added: waiting.append(added))
                    for added in waiting:
                        self._merge(*added)
            except psycopg.Error as error:
                self._drop()
                self._on_fault()
                # Without the address: it may hold a password.
                fault = StoreError(f"PostgreSQL: {type(error).__name__}")
                self._say(fault)
                raise fault from error
            self._has_failed = False

    def _open(self) -> psycopg.Connection:

        if self._process != os.getpid():
            self._forget()
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._process = os.getpid()
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

    def _forget(self) -> None:
        """Let a parent's connection be, in a forked process: closing it would end the parent's."""
        self._abandoned.append(self._connection)
        self._connection = None

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
        self._connection = None
