"""Detection of several workers: sibling processes that run the same server."""

from __future__ import annotations

import os
from pathlib import Path

_SPAWNED = b"multiprocessing.spawn"
"""In the command line of uvicorn's workers; gunicorn's have their master's command line."""


def is_one_of_many() -> bool:
    """Return whether a sibling process is a worker like this one. False without /proc."""
    parent = os.getppid()
    try:
        ours = _command(os.getpid())
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return False
    is_worker = _SPAWNED in ours or ours == _command(parent)
    siblings = [pid for pid in map(int, children) if pid != os.getpid()]
    return is_worker and any(_is_alike(_command(pid), ours) for pid in siblings)


def _is_alike(theirs: bytes, ours: bytes) -> bool:
    if _SPAWNED in ours:
        return _SPAWNED in theirs and b"resource_tracker" not in theirs
    return theirs == ours


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
