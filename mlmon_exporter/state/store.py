"""State on disk: one SQLite file that all processes of a host add to.

The file maps keys to values that merge. A process adds its counts in one short transaction, and
reads the values that changed since it read last. Everything here is bytes: the caller knows what
a value is, and how two of them merge.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mlmon_exporter.runtime.forks import ForkLock, after_fork

from .errors import LostError, StoreError, UnreadableError, is_damage, reason_of, refused

FILE = "mlmon.sqlite"
SCHEMA_VERSION = 1
"""Of the tables and of the values in them: a program leaves a file of a later version alone."""
LOG_PAGES = 256
"""Pages of the write-ahead log that are moved into the file together: a disk that is full of log
has no room for the file, and stays full."""
WAIT_SECONDS = 2.0
"""Longest wait of a transaction for another process's."""
LOCKED_WAIT_SECONDS = 0.2
"""The same after one waited in vain: a scrape begins several."""
ASIDE = "unreadable"
"""Prefix of the keys of values that were set aside."""
ASIDE_SECONDS = 7 * 86400.0

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    expires REAL
);
CREATE INDEX state_stamp ON state (stamp);
CREATE INDEX state_expires ON state (expires);
"""
# Without an index, the expiry of a row would be read past all bytes of its value.


class Value(NamedTuple):
    """Bytes under a key."""

    data: bytes
    expires: float | None = None
    """Unix seconds after which it may be forgotten; never if None."""


class Changes(NamedTuple):
    """Values that changed since a stamp."""

    file: str
    """Identity of the file: another one begins anew at stamp 0."""
    stamp: int
    values: Mapping[str, bytes]


Merge = Callable[[Value | None], Value]
"""Makes the new value of the old one, if there is one; may raise UnreadableError."""


class Writing:
    """A transaction that writes, and the values it has written."""

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self.connection = connection
        self.file, self._stamp = _file_and_stamp(connection)
        self.values: dict[str, Value] = {}
        self.unreadable: list[str] = []
        """Faults of old values, which were set aside; the new ones begin anew."""
        self._now = now

    def merge(self, changes: Mapping[str, Merge]) -> None:
        """Merge changes into the values of their keys, in their order."""
        for key, merge in changes.items():
            old = self.get(key)
            try:
                self.values[key] = merge(old)
            except UnreadableError as error:
                self._set_aside(key, old, error)
                self.values[key] = merge(None)
            self._put(key, self.values[key])

    def get(self, key: str) -> Value | None:
        """Return the value of a key."""
        query = "SELECT value, checksum, expires FROM state WHERE key = ?"
        row = self.connection.execute(query, (key,)).fetchone()
        return None if row is None else Value(_checked(row[0], row[1]), row[2])

    def keys(self, start: str) -> list[str]:
        """Return the keys that start so."""
        query = "SELECT key FROM state WHERE key >= ? AND key < ?"
        return [key for (key,) in self.connection.execute(query, _span(start))]

    def forget(self, start: str) -> None:
        """Forget the keys that start so. Readers of changes do not see that."""
        query = "DELETE FROM state WHERE key >= ? AND key < ?"
        self.connection.execute(query, _span(start))

    def _put(self, key: str, value: Value) -> None:
        row = (key, value.data, zlib.crc32(value.data), self._stamp, value.expires)
        self.connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?)", row)

    def _set_aside(self, key: str, old: Value | None, error: UnreadableError) -> None:
        self.unreadable.append(f"{key}: {error}")
        if old is not None:
            self._put(f"{ASIDE} {key}", Value(old.data, self._now + ASIDE_SECONDS))


class Store:
    """The state file of a folder. One connection a process; callers with threads hold `lock`.

    A damaged file is set aside, and the next use begins a new one; so is a value that cannot be
    merged into, within the file.
    """

    def __init__(self, folder: Path, schema: Iterable[str] = ()) -> None:
        """Take statements that make tables which share the file and its transactions."""
        self.path = folder / FILE
        self.lock = ForkLock()
        self._schema = (*_SCHEMA.split(";"), *schema)
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None  # device and inode
        self._was_locked = False
        self._abandoned: list[sqlite3.Connection | None] = []
        after_fork(self._after_fork)

    def _after_fork(self) -> None:
        # A child must not use its parent's connection. Closing it drops SQLite's record of
        # the file's locks, which the child does not hold; that is safe only with SQLite at rest.
        if self.lock.was_held:
            self.close()
        else:
            self._abandoned.append(self._connection)
            self._connection = self._opened = None

    def merge(self, changes: Mapping[str, Merge], now: float) -> Writing:
        """Merge changes into the values of their keys, in their order, all or none.

        Args:
            changes: Key -> merge of the old value, None if there is none, into the new one.
            now: Unix seconds; values that expired before are forgotten.

        Raises:
            StoreError: The file is locked for long, read-only, lost, of a newer version, or its
                disk is full.
        """
        with self.writing(now) as writing:
            writing.merge(changes)
        return writing

    @contextmanager
    def writing(self, now: float) -> Iterator[Writing]:
        """Begin a transaction that writes; raises StoreError as `merge` does."""
        with self._transaction() as connection:
            connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'stamp'")
            yield Writing(connection, now)
            connection.execute("DELETE FROM state WHERE expires < ?", (now,))

    def read(self, after: int, file: str = "") -> Changes:
        """Return the values that changed after a stamp of a file; all if it is another file.

        Raises:
            StoreError: The file is lost or of a newer version.
        """
        with self._transaction(is_writing=False) as connection:
            found, stamp = _file_and_stamp(connection)
            since = after if found == file else -1
            query = "SELECT key, value, checksum FROM state WHERE stamp > ?"
            rows = connection.execute(query, (since,))
            values = {key: _checked(value, checksum) for key, value, checksum in rows}
            return Changes(found, stamp, values)

    def obstacle(self) -> str:
        """Return why the file cannot be written; empty if nothing stands against it."""
        try:
            with self._transaction():
                return refused(self.path)
        except StoreError as error:
            return error.reason

    def size_bytes(self) -> int:
        """Return the size on disk, the log of recent writes included."""
        sizes = 0
        for suffix in ("", "-wal"):
            with contextlib.suppress(OSError):
                sizes += Path(f"{self.path}{suffix}").stat().st_size
        return sizes

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._opened = None

    @contextmanager
    def _transaction(self, *, is_writing: bool = True) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE" if is_writing else "BEGIN")
            try:
                self._check_version(connection)
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            if is_writing and self._was_locked:
                self._was_locked = False
                self.close()  # to wait as long as before
        # SQLite's message on a damaged schema may quote bytes that are no text.
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if is_damage(error):
                raise self._set_aside(error) from error
            self.close()
            reason = reason_of(error, self.path)
            self._was_locked = reason == "locked"
            raise StoreError(f"{self.path}: {error}", reason) from error
        except OSError as error:
            self.close()
            what = error.strerror or error
            raise StoreError(f"{self.path}: {what}", reason_of(error, self.path)) from error

    def _open(self) -> sqlite3.Connection:
        # A file that was deleted or replaced must not be written to any longer.
        if self._connection is not None and self._opened != self._identity():
            self.close()
            raise LostError(f"{self.path}: deleted or replaced; going on with a new one")
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                self._create()
                # A read-only file can still be read.
                mode = "rw" if os.access(self.path, os.W_OK) else "ro"
                self._opened = self._identity()
                self._connection = sqlite3.connect(
                    f"{self.path.absolute().as_uri()}?mode={mode}",
                    uri=True,
                    timeout=LOCKED_WAIT_SECONDS if self._was_locked else WAIT_SECONDS,
                    isolation_level=None,
                    check_same_thread=False,
                )
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
                self._migrate(self._connection)
        return self._connection

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from opening the file or setting it aside."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            # Unlocked and not just closed: a child forked meanwhile has the folder open, too.
            fcntl.flock(folder, fcntl.LOCK_UN)
            os.close(folder)

    def _create(self) -> None:
        if not self.path.exists():
            # Remains of a file that is gone would damage the new one.
            for suffix in ("-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            # Predictions are nobody else's business.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if _version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            for statement in self._schema:
                connection.execute(statement)
            names = [("file", os.urandom(8).hex()), ("stamp", "0")]
            connection.executemany("INSERT INTO meta VALUES (?, ?)", names)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.commit()

    def _check_version(self, connection: sqlite3.Connection) -> None:
        # Checked every time: a newer program may have migrated the file while it was open.
        version = _version(connection)
        if version > SCHEMA_VERSION:
            raise StoreError(f"{self.path}: schema {version} is of a newer mlmon-exporter")

    def _set_aside(self, error: Exception) -> StoreError:
        opened = self._opened
        self.close()
        aside = self.path.with_name(f"{FILE}.damaged-{time.time_ns()}")
        try:
            with self._alone():
                # Another process may have been quicker, and begun a new file.
                if opened is not None and opened == self._identity():
                    self.path.rename(aside)
        except OSError as reason:
            problem = f"{self.path}: damaged: {error}; cannot set it aside: {reason}"
            return StoreError(problem, "damaged")
        return LostError(f"{self.path}: damaged: {error}; set aside as {aside.name}", "damaged")


def _span(start: str) -> tuple[str, str]:
    """Return from where to where the keys are that start so."""
    return start, start[:-1] + chr(ord(start[-1]) + 1)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _file_and_stamp(connection: sqlite3.Connection) -> tuple[str, int]:
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    try:
        return meta["file"], int(meta["stamp"])
    except (KeyError, ValueError) as error:
        raise sqlite3.DatabaseError(f"meta: {error}") from error


def _checked(value: object, checksum: object) -> bytes:
    """Return a value; SQLite itself does not see that bytes within one were changed."""
    if not isinstance(value, bytes) or zlib.crc32(value) != checksum:
        raise sqlite3.DatabaseError("a value is not what was written")
    return value
