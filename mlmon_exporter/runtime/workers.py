"""Detection of several workers: sibling processes that run the same server."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

_SPAWNED = b"multiprocessing.spawn"
"""In the command line of uvicorn's workers; gunicorn's have their master's command line."""
_TRACKER = b"resource_tracker"
_REPLICA = b"ray::ServeReplica"
"""Name of Ray Serve's replicas, whose requests come from a proxy."""
_LISTENS = "0A"
_EPOLL = "anon_inode:[eventpoll]"
_WATCHED = re.compile(r"^tfd:\s*(\d+)", re.MULTILINE)


def is_one_of_many() -> bool:
    """Return whether a sibling process is a worker like this one. False without /proc."""
    parent = os.getppid()
    try:
        ours = _command(os.getpid())
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return False
    siblings = [pid for pid in map(int, children) if pid != os.getpid()]
    if ours.startswith(_REPLICA):
        return any(_command(pid).startswith(_REPLICA) for pid in siblings)
    is_worker = _SPAWNED in ours or ours == _command(parent)
    alike = [pid for pid in siblings if is_worker and _is_alike(_command(pid), ours)]
    if not alike:
        return False
    # All that one program starts may have the same command line: LitServe's one API process
    # stands beside workers that serve nothing.
    ports = _listening_ports()
    own = _ports_of(os.getpid(), ports)
    return not own or any(own & _ports_of(pid, ports) for pid in alike)


def _is_alike(theirs: bytes, ours: bytes) -> bool:
    if _SPAWNED in ours:
        return _SPAWNED in theirs and _TRACKER not in theirs
    return theirs == ours


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _listening_ports() -> dict[str, str]:
    """Return the ports that are listened to on this host, by the inodes of their sockets."""
    ports: dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTENS:
                ports[f"socket:[{inode}]"] = local.rpartition(":")[2]
    return ports


def _ports_of(pid: int, ports: dict[str, str]) -> set[str]:
    """Return the ports that a process's event loop waits at; a fork may hold sockets for nothing.

    Source: proc_pid_fdinfo(5), which lists what an epoll file descriptor watches.
    """
    held: dict[str, str] = {}
    watched: set[str] = set()
    with suppress(OSError):  # it has ended, or is not ours to look at
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # the one that the folder was read by is closed again
                target = str(file.readlink())
                if target == _EPOLL:
                    info = Path(f"/proc/{pid}/fdinfo/{file.name}").read_text()
                    watched |= {*_WATCHED.findall(info)}
                elif target in ports:
                    held[file.name] = ports[target]
    return {port for name, port in held.items() if name in watched}
