"""Harms to a state directory, each undone when its block ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from mlmon_exporter.state.store import FILE

NOBODY = 65534
HOLD = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], timeout=60.0, isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print(flush=True)
sys.stdin.read()
file.rollback()
"""

Harm = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def mounted(*arguments: str) -> Iterator[None]:
    """Mount something while the block runs; the test is skipped where that is not allowed."""
    if subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode:
        pytest.skip("mount: expected to be allowed to mount a disk for this test")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)):
        yield


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No byte is free; the folder must be on a small disk."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    yield
    filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The kernel turns a disk with faults into this."""
    with mounted("--bind", str(folder), str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield


@contextmanager
def forbidden(folder: Path) -> Iterator[None]:
    """Neither the folder nor the file may be written or looked into; root becomes nobody."""
    is_root, mode = os.geteuid() == 0, folder.stat().st_mode
    folder.chmod(0)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(mode)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another process writes, and does not come to an end."""
    command = [sys.executable, "-c", HOLD, str(folder / FILE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield
        other.communicate()


@contextmanager
def damaged(folder: Path) -> Iterator[None]:
    """The file's bytes are others, and it cannot be set aside; then the bytes are back."""
    file = folder / FILE
    whole = file.read_bytes()
    with file.open("r+b") as bytes_:
        bytes_.write(os.urandom(len(whole)))
    with read_only(folder):
        yield
    with file.open("r+b") as bytes_:
        bytes_.write(whole)


HARMS: dict[str, Harm] = {
    "full": full,
    "read_only": read_only,
    "permission": forbidden,
    "locked": locked,
    "damaged": damaged,
}
"""Reason that is shown -> what is done."""
