"""A PostgreSQL server of our own on a socket in a folder: started, awaited, stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = "postgres"
"""Who runs it where the tests run as root, which PostgreSQL refuses."""


def find_programs() -> Path:
    """Return the folder of `initdb` and `postgres`; skip without them, fail in CI."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    path = shutil.which("postgres") or (found and str(found[-1]))
    if not path:
        message = "postgres: expected Debian's package postgresql, got nothing; see .ci/run"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return Path(path).parent


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server until the block ends; gives its URL."""
    programs = find_programs()
    user = {"user": NOBODY} if os.geteuid() == 0 else {}
    # Sockets have short paths: not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="mlmon-pg-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, NOBODY)
        data = f"{folder}/data"
        made = [f"{programs}/initdb", "-D", data, "-A", "trust", "-U", "mlmon", "--no-sync"]
        subprocess.run(made, check=True, capture_output=True, cwd=folder, **user)  # type: ignore[call-overload]
        control = [f"{programs}/pg_ctl", "-D", data, "-w", "-l", f"{folder}/log"]
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        start = [*control, "-o", options, "start"]
        subprocess.run(start, check=True, capture_output=True, cwd=folder, **user)  # type: ignore[call-overload]
        try:
            yield f"postgresql://mlmon@/postgres?host={folder}"
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(stop, check=True, capture_output=True, cwd=folder, **user)  # type: ignore[call-overload]
