"""What goes wrong while a server with two workers is under load, and what that may cost."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pytest

from mlmon_exporter import Reference
from mlmon_exporter.state.store import FILE, SCHEMA_VERSION

from .load import Client, Load, Watch, counters, total
from .pager import PACED
from .servers import free_port, program, wait_until

pytestmark = PACED
FLUSH_SECONDS = 0.25
WORKERS = 2
CLIENTS = 4
REQUESTS = {"name": "mlmon_requests_total", "route": "/predict", "outcome": "ok"}
FAULTS = {"name": "mlmon_internal_errors_total", "where": "store"}


class Server(NamedTuple):
    port: int
    master: subprocess.Popen[bytes]
    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def complaints(self) -> list[str]:
        """Return what we have logged, but that a fault is over."""
        log = (self.folder / "server.log").read_text()
        said = [line for line in log.splitlines() if line.startswith("mlmon:")]
        return [line for line in said if not line.endswith("is written again")]

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=60).text

    def worker(self) -> int:
        return int(httpx.get(f"http://127.0.0.1:{self.port}/process", timeout=60).text)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=5000), "c": rng.choice(["a", "b"], 5000), "y": rng.random(5000)}
    path = tmp_path_factory.mktemp("reference") / "m.json"
    Reference.build(rows, predictions="y").save(path)
    return path


@contextmanager
def running(reference: Path, folder: Path, **environment: str) -> Iterator[Server]:
    port = free_port()
    environment |= {
        "REFERENCE": str(reference),
        "CLOCK_SET_BACK": str(folder / "set-back"),
        "MLMON_FLUSH_SECONDS": str(FLUSH_SECONDS),
        "MLMON_STATE_DIR": str(folder / "state"),
    }
    command = ["env", *(f"{name}={value}" for name, value in environment.items())]
    command += [sys.executable, "-m", "uvicorn", "tests.e2e.fault_app:app", "--log-level", "error"]
    command += ["--workers", str(WORKERS), "--port", str(port)]
    # However busy the machine, neither is a worker killed for its silence, nor an idle connection
    # closed as its next request arrives.
    command += ["--timeout-worker-healthcheck", "30", "--timeout-keep-alive", "60"]

    def is_ready() -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/process").status_code == 200

    with program(command, is_ready, folder / "server.log") as master:
        yield Server(port, master, folder)


def load_of(server: Server) -> Load:
    return Load([Client(server.port) for _ in range(CLIENTS)])


Harm = Callable[[Server], AbstractContextManager[None]]


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


@contextmanager
def worker_killed(server: Server) -> Iterator[None]:
    os.kill(server.worker(), signal.SIGKILL)
    yield


@contextmanager
def clock_set_back(server: Server) -> Iterator[None]:
    (server.folder / "set-back").touch()
    yield


@contextmanager
def file_deleted(server: Server) -> Iterator[None]:
    (server.state / FILE).unlink()
    yield


def empty_log(server: Server) -> None:
    """Have all of the state in the file itself."""
    file = sqlite3.connect(server.state / FILE, timeout=60.0, isolation_level=None)
    wait_until(lambda: file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    file.close()


@contextmanager
def file_emptied(server: Server) -> Iterator[None]:
    empty_log(server)  # else all may be in there still
    os.truncate(server.state / FILE, 0)
    yield


@contextmanager
def file_overwritten(server: Server) -> Iterator[None]:
    empty_log(server)  # else the workers may go on for long with what they remember
    path = server.state / FILE
    with path.open("r+b") as file:  # in place, as a failing disk does it
        file.write(np.random.default_rng(0).bytes(path.stat().st_size))
    yield


@contextmanager
def file_locked(server: Server) -> Iterator[None]:
    lock = sqlite3.connect(server.state / FILE, timeout=60.0, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    wait(10.0)
    yield
    lock.rollback()
    lock.close()


@contextmanager
def newer_version(server: Server) -> Iterator[None]:
    """A newer version has made the file its own; then it is rolled back."""

    def migrate(version: int) -> None:
        file = sqlite3.connect(server.state / FILE, timeout=60.0, isolation_level=None)
        file.execute(f"PRAGMA user_version = {version}")
        file.close()

    migrate(SCHEMA_VERSION + 1)
    yield
    migrate(SCHEMA_VERSION)


@contextmanager
def disk_full(server: Server) -> Iterator[None]:
    empty_log(server)  # else there may be room in there
    filler = server.state / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    yield
    filler.unlink()


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """The same files, on a read-only mount: the kernel turns a disk with faults into one."""
    copy = tempfile.mkdtemp(dir=server.folder)
    shutil.copytree(server.state, copy, dirs_exist_ok=True)
    # Read-only before anybody opens a file there for writing: then it could not be made so.
    with mounted("--bind", copy, copy):
        subprocess.run(["mount", "-o", "remount,bind,ro", copy], check=True)
        with mounted("--bind", copy, str(server.state)):
            yield


@contextmanager
def mounted(*arguments: str) -> Iterator[None]:
    """Mount something while the block runs, which only root may."""
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True)


@pytest.fixture(scope="module")
def server(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all faults, one after the other; its state is on a small disk."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "state").mkdir()
    with ExitStack() as stack:
        if os.geteuid() == 0:
            disk = ("-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder / "state"))
            stack.enter_context(mounted(*disk))
        yield stack.enter_context(running(reference, folder))


class Fault(NamedTuple):
    harm: Harm
    logged: str = ""
    """What the log says, `lines` times a worker at most; nothing is said or counted if empty."""
    lost_flushes: int = 0
    """Of how many flush intervals the counts may be lost: of as long as one took."""
    failures: int = 0
    """How many requests may fail, as they would without us."""
    lines: int = 1
    needs_disk: bool = False
    """Whether the state must be on a disk of its own."""


ALL = {
    "worker killed": Fault(worker_killed, lost_flushes=1, failures=2 * CLIENTS),
    "clock set back": Fault(clock_set_back),
    "file deleted": Fault(file_deleted, "lost: .*deleted or replaced", lost_flushes=1),
    "file emptied": Fault(file_emptied, "lost: .*(set aside|replaced)", lost_flushes=1),
    "file overwritten": Fault(file_overwritten, "lost: .*(set aside|replaced)", lost_flushes=1),
    "file locked": Fault(file_locked, "another process holds its lock"),
    "newer version": Fault(newer_version, "is of a newer mlmon-exporter"),
    "disk full": Fault(disk_full, "its disk is full", needs_disk=True),
    "read-only": Fault(read_only, "lost: .*replaced|it is read-only", lines=2, needs_disk=True),
}


@pytest.mark.parametrize("name", ALL)
def test_a_fault_under_load_fails_no_request_and_turns_no_counter_back(
    name: str, server: Server
) -> None:
    fault = ALL[name]
    if fault.needs_disk and os.geteuid() != 0:
        pytest.skip("mount: only root may have a disk for this test")
    said = len(server.complaints())
    with Watch(server.port) as watch:
        before = watch.first()
        requests, faults = total(before, **REQUESTS), total(before, **FAULTS)
        with load_of(server) as load:
            watch.wait_for(requests + 50, **REQUESTS)
            # What a scrape has shown is put away; on a busy machine that may be longer ago.
            shown = total(watch.latest, **REQUESTS) - requests
            unshown = load.answered - shown
            with fault.harm(server):
                load.wait_for_more(100)
                wait(4 * FLUSH_SECONDS)
            load.wait_for_more(50)
        may_lose = 2 * fault.lost_flushes * max(FLUSH_SECONDS * load.per_second, unshown)
        watch.wait_for(requests + load.answered - may_lose, **REQUESTS)
        watch.wait_for(faults + bool(fault.logged), **FAULTS)
        wait(3 * FLUSH_SECONDS)
        counted = total(watch.latest, **REQUESTS) - requests
        faults = total(watch.latest, **FAULTS) - faults
    complaints = server.complaints()[said:]
    print(f"{name}: {load.answered} answered, {counted:g} counted, {faults:g} faults counted,")
    print(f"{dict(load.failures)} failed, {watch.failed} scrapes failed, {complaints}")
    assert load.failures.total() + len(watch.failed) <= fault.failures
    assert load.answered - may_lose <= counted <= load.answered + load.failures.total()
    assert watch.went_back == []
    assert (faults > 0) == bool(fault.logged)
    assert bool(fault.logged) <= len(complaints) <= WORKERS * fault.lines * bool(fault.logged)
    assert all(re.search(fault.logged, line) for line in complaints)


def test_requests_fail_as_they_do_without_us_when_a_worker_or_the_master_is_stopped(
    reference: Path, tmp_path: Path
) -> None:
    bare, _ = killed_and_stopped(reference, tmp_path, BARE="1")
    ours, unshown = killed_and_stopped(reference, tmp_path)
    print(f"SIGKILL and SIGTERM: failed {bare.failures} without us, {ours.failures} with us")
    # A connection that the server has closed: which of these it is depends on the moment.
    closed = {"RemoteDisconnected", "ConnectionResetError", "BrokenPipeError"}
    assert set(ours.failures) <= set(bare.failures) | closed
    # Those who found no server any more tell nothing.
    failed, failed_bare = (
        load.failures.total() - load.failures["ConnectionRefusedError"] for load in (ours, bare)
    )
    # Each client is cut off once by the kill, and once by each worker that stops.
    assert failed <= max(failed_bare + CLIENTS, CLIENTS * (1 + WORKERS))
    with running(reference, tmp_path) as server, Watch(server.port) as watch:
        may_lose = max(2 * FLUSH_SECONDS * ours.per_second / WORKERS, unshown)
        watch.wait_for(ours.answered - may_lose, **REQUESTS)
    assert total(watch.latest, **REQUESTS) <= ours.answered + failed


def killed_and_stopped(reference: Path, folder: Path, **environment: str) -> tuple[Load, float]:
    """Return the load, and how many of the answers had not been shown when a worker was killed."""
    with running(reference, folder, **environment) as server, load_of(server) as load:
        load.wait_for_more(100)
        shown = 0.0 if "BARE" in environment else total(counters(server.metrics()), **REQUESTS)
        unshown = load.answered - shown
        os.kill(server.worker(), signal.SIGKILL)
        load.wait_for_more(100)
        server.master.terminate()
        server.master.wait(60)
    return load, unshown
