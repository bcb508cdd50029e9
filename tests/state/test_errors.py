"""Facts about errors of the state on disk: each says why, in one of a few words."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from mlmon_exporter.core.counts.health import WRITE_FAILURES
from mlmon_exporter.state.errors import is_damage, reason_of, refused


def of_sqlite(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    error = kind("as SQLite words it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, ""), "full"),
        (OSError(errno.EDQUOT, ""), "full"),
        (OSError(errno.EROFS, ""), "read_only"),
        (OSError(errno.EACCES, ""), "permission"),
        (OSError(errno.EIO, ""), "other"),
        (OSError("without a number"), "other"),
        (of_sqlite(sqlite3.SQLITE_FULL), "full"),
        (of_sqlite(sqlite3.SQLITE_BUSY), "locked"),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "locked"),
        (of_sqlite(sqlite3.SQLITE_IOERR), "other"),
        (of_sqlite(sqlite3.SQLITE_READONLY), "read_only"),
        (of_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), "read_only"),
    ],
)
def test_an_error_has_the_reason_that_its_code_tells(
    error: Exception, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    path.touch()
    assert reason_of(error, path) == reason
    assert reason in WRITE_FAILURES


def test_an_error_without_a_telling_code_has_the_reason_why_the_file_is_refused(
    tmp_path: Path,
) -> None:
    gone = tmp_path / "gone" / "state"
    assert refused(gone) == reason_of(of_sqlite(sqlite3.SQLITE_CANTOPEN), gone) == "other"
    path = tmp_path / "state"
    path.write_bytes(b"kept")
    assert refused(path) == ""
    assert path.read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("error", "is_damaged"),
    [
        (of_sqlite(sqlite3.SQLITE_CORRUPT, sqlite3.DatabaseError), True),
        (of_sqlite(sqlite3.SQLITE_NOTADB, sqlite3.DatabaseError), True),
        (of_sqlite(sqlite3.SQLITE_ERROR), True),
        (of_sqlite(sqlite3.SQLITE_BUSY), False),
        (of_sqlite(sqlite3.SQLITE_FULL), False),
        (of_sqlite(sqlite3.SQLITE_READONLY), False),
    ],
)
def test_damage_is_told_from_what_may_pass(error: Exception, is_damaged: bool) -> None:
    assert is_damage(error) is is_damaged
