"""State on disk: one SQLite file that all processes of a host add to.

The file maps keys to values that merge. Whoever has something new adds it in one short
transaction; whoever reads asks for what changed since it read last. Everything here is about
bytes: what a value is, and how two of them merge, is the caller's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

FILE = "mlmon.sqlite"
SCHEMA_VERSION = 1
WAIT_SECONDS = 2.0
"""How long a transaction waits for another process's."""

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    weight REAL NOT NULL,
    stamp INTEGER NOT NULL,
    expires REAL
);
CREATE INDEX state_stamp ON state (stamp);
"""


class StoreError(Exception):
    """The file cannot be used now; nothing of the transaction was kept."""


class Value(NamedTuple):
    """What a key holds."""

    data: bytes
    weight: float
    """How much it counts: of two states of one key the heavier is the later."""
    expires: float | None = None
    """Unix seconds after which it may be forgotten; never if None."""


class Changes(NamedTuple):
    """What changed since a stamp."""

    file: str
    """Identity of the file: another one begins anew at stamp 0."""
    stamp: int
    values: Mapping[str, bytes]
    expired: frozenset[str] = frozenset()


Merge = Callable[[Value | None], Value]


class Store:
    """The state file of a folder. One connection a process; not thread-safe.

    A damaged file is set aside and a new one begun; `on_damage` is told.
    """

    def __init__(self, folder: Path, on_damage: Callable[[], None] = lambda: None) -> None:
        self.path = folder / FILE
        self._on_damage = on_damage
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int, int] | None = None  # process, device, inode

    def merge(self, changes: Mapping[str, Merge], now: float) -> None:
        """Merge changes into the values of their keys, all or none.

        Args:
            changes: Key -> what makes the new value of the old one, None if there is none.
            now: Unix seconds; what expired before is forgotten.

        Raises:
            StoreError: The file is locked for long, read-only, or its disk is full.
        """
        with self._transaction() as connection:
            stamp = self._next_stamp(connection)
            for key, merge in changes.items():
                row = connection.execute(
                    "SELECT value, weight, expires FROM state WHERE key = ?", (key,)
                ).fetchone()
                new = merge(None if row is None else Value(*row))
                connection.execute(
                    "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?)",
                    (key, new.data, new.weight, stamp, new.expires),
                )
            connection.execute("DELETE FROM state WHERE expires < ?", (now,))

    def read(self, after: int, file: str = "") -> Changes:
        """Return what changed after a stamp of a file; everything if the file is another one.

        Raises:
            StoreError: As for `merge`.
        """
        with self._transaction(is_writing=False) as connection:
            meta = dict(connection.execute("SELECT name, value FROM meta"))
            since = after if meta["file"] == file else -1
            rows = connection.execute("SELECT key, value FROM state WHERE stamp > ?", (since,))
            return Changes(meta["file"], int(meta["stamp"]), dict(rows))

    def claim(self, name: str) -> bool:
        """Return True to the first who asks for this name in this file, and to nobody later."""
        with self._transaction() as connection:
            cursor = connection.execute("INSERT OR IGNORE INTO meta VALUES (?, '')", (name,))
            return cursor.rowcount == 1

    def size_bytes(self) -> int:
        """Return the size on disk, the log of recent writes included."""
        sizes = 0
        for suffix in ("", "-wal"):
            with contextlib.suppress(OSError):
                sizes += Path(f"{self.path}{suffix}").stat().st_size
        return sizes

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None and self._opened and self._opened[0] == os.getpid():
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._opened = None

    @contextmanager
    def _transaction(self, *, is_writing: bool = True) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE" if is_writing else "BEGIN")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
        except sqlite3.OperationalError as error:
            # Locked, read-only, full: it may pass.
            self.close()
            raise StoreError(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            raise StoreError(f"{self.path}: damaged: {error}") from error
        except OSError as error:
            self.close()
            raise StoreError(f"{self.path}: {error.strerror or error}") from error

    def _open(self) -> sqlite3.Connection:
        # A forked process must not use its parent's connection, and a file that was deleted
        # or replaced must not be written to any longer.
        if self._connection is not None and self._opened != self._identity():
            self.close()
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Predictions are nobody else's business.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                self.path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._migrate(self._connection)
            self._opened = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return os.getpid(), status.st_dev, status.st_ino

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"schema {version} is of a newer mlmon-exporter")
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:  # nobody was quicker
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            names = [("file", os.urandom(8).hex()), ("stamp", "0")]
            connection.executemany("INSERT INTO meta VALUES (?, ?)", names)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.commit()

    def _next_stamp(self, connection: sqlite3.Connection) -> int:
        connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'stamp'")
        row = connection.execute("SELECT value FROM meta WHERE name = 'stamp'").fetchone()
        return int(row[0])

    def _set_aside(self, error: Exception) -> None:
        self.close()
        aside = self.path.with_name(f"{FILE}.damaged-{time.time_ns()}")
        with contextlib.suppress(OSError):
            self.path.rename(aside)
            for suffix in ("-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            logger.error("mlmon: the state file was damaged (%s) and is now %s", error, aside)
        self._on_damage()
