"""Errors of the state on disk, and their reasons in the words of `WRITE_FAILURES`."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from pathlib import Path

PAGE_BYTES = 4096

_BY_ERRNO = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.EROFS: "read_only",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
}
_BY_CODE = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
}
_IF_NOT_REFUSED = {sqlite3.SQLITE_READONLY: "read_only"}
"""Reasons for which a connection may fail after the file system has recovered."""


class StoreError(Exception):
    """The file cannot be used now; nothing of the transaction was kept."""

    def __init__(self, message: str, reason: str = "other") -> None:
        super().__init__(message)
        self.reason = reason


class LostError(StoreError):
    """The file was deleted, replaced, or damaged and set aside; the next use is of a new one."""


class UnreadableError(Exception):
    """A value is not of its key's kind; the one error of a merge that the store handles."""


def is_damage(error: Exception) -> bool:
    """Return whether an error of SQLite says that the file is damaged."""
    # Locked, full and read-only are operational errors with other codes, and may pass;
    # any other error says that tables are missing or changed.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return not isinstance(error, sqlite3.OperationalError) or code == sqlite3.SQLITE_ERROR


def reason_of(error: Exception, path: Path) -> str:
    """Return why a file cannot be used: a value of `WRITE_FAILURES`."""
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, "other")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return _BY_CODE.get(code) or refused(path) or _IF_NOT_REFUSED.get(code, "other")


def refused(path: Path) -> str:
    """Return why a file, or one beside it, cannot be written; empty if it can.

    SQLite has one code for a read-only file system and a lack of permission, and one for all that
    the system calls an error of input or output.
    """
    try:
        with path.open("r+b"), tempfile.TemporaryFile(dir=path.parent) as beside:
            beside.write(bytes(PAGE_BYTES))
            beside.flush()
    except OSError as error:
        return _BY_ERRNO.get(error.errno or 0, "other")
    return ""
