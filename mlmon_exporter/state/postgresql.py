"""Pending predictions on a PostgreSQL server, so that several hosts may share them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlmon_exporter.config.keys import ConfigError
from mlmon_exporter.runtime.forks import after_fork

from .errors import StoreError
from .joiner import Add, Transaction
from .outage import Outage
from .pending_table import POSTGRESQL, PendingTable, schema

if TYPE_CHECKING:
    import psycopg

WAIT_SECONDS = 5
"""Longest wait for a server that does not answer at all; also the time until it is asked again."""
SILENT_SECONDS = 1
"""A refusal that takes longer is silence."""
WAITS: dict[str, Any] = {
    "connect_timeout": WAIT_SECONDS,
    "tcp_user_timeout": WAIT_SECONDS * 1000,
    "keepalives_idle": WAIT_SECONDS,
}
MAKING = 0x6D6C6D6F  # any number: an advisory lock of ours, while tables are made
_REASONS = {
    "53100": "full",
    "25006": "read_only",
    "42501": "permission",
    "40P01": "locked",
    "55P03": "locked",
    "57014": "locked",
    "": "unreachable",
}
"""SQLSTATE, empty where the server did not answer -> value of `WRITE_FAILURES`."""


class PostgresqlTransactions:
    """Transactions on one connection, which is opened on first use, in each process anew.

    `add` is called within the transaction, and last: its effect stands without the transaction's
    only if the connection breaks in that very moment.
    """

    def __init__(self, url: str, add: Add, outage: Outage) -> None:
        """Check that psycopg is there; raises ConfigError. `outage` is ours to write."""
        try:
            import psycopg  # noqa: F401 - only users of a server need the driver
        except ImportError:
            raise ConfigError(
                "ground_truth_store: expected psycopg for a postgresql:// address, got none; "
                "pip install 'mlmon-exporter[postgres]'"
            ) from None
        self._url = url
        self._add = add
        self._outage = outage
        self._written = time.time()
        self._ask_after = 0.0
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
    def __call__(self, now: float) -> Iterator[Transaction]:
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
                # Without the address: it may hold a password.
                reason = _REASONS.get(error.sqlstate or "", "other")
                fault = StoreError(f"PostgreSQL: {type(error).__name__}", reason)
                self._outage.fail("transaction", fault, self._written)
                raise fault from error
            self._outage.end("transaction")
            self._written = now

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

        started = time.monotonic()
        if started < self._ask_after:
            raise psycopg.OperationalError("asked a moment ago")
        try:
            return psycopg.connect(self._url, autocommit=True, **WAITS)
        except UnicodeError as error:  # of a host that cannot be one: `db..internal`
            raise psycopg.OperationalError("host") from error
        except psycopg.Error:
            # A scrape begins several transactions: it must not wait in each for a host that is
            # silent. One that refuses at once is asked each time.
            if time.monotonic() - started > SILENT_SECONDS:
                self._ask_after = time.monotonic() + WAIT_SECONDS
            raise

    def _drop(self) -> None:
        if self._connection is not None and self._connection.broken:
            self._connection = None

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
