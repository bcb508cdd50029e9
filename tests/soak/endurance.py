"""Mixed load with faults on a real server, for long: what stays flat, and what adds up.

`make soak ARGS=endurance` takes 30 minutes; a number after it says how many seconds instead.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np

from mlmon_exporter import Reference
from tests.e2e.load import Load, counters, total
from tests.e2e.servers import free_port, program, wait_until

from .clients import TOKEN, MixedClient

SECONDS = 1800
WORKERS = 3
CLIENTS = 4
PAUSE_SECONDS = 0.004
FLUSH_SECONDS = 0.5
ROUND_SECONDS = 60.0
WARM_UP_SECONDS = 120.0
"""After this the windows, and all else that has a cap, are full."""
SCRAPE_SECONDS = 2.0
LOOK_SECONDS = 0.5
KILL_AFTER_SECONDS = 2.0
HEALTHCHECK_SECONDS = 30
PATIENCE_SECONDS = 300.0
"""How long a new worker may take, and an answer: others may want the same processor."""
SETTLE_SECONDS = 6 * FLUSH_SECONDS
"""After so long without requests all is counted and on disk."""
OUTCOMES = ("ok", "client_error", "server_error", "disconnected")
EACH = (*OUTCOMES, "rows", "empty", "outcome")
"""What clients count of all kinds of requests."""


class Look(NamedTuple):
    """The workers that nobody kills, at one moment."""

    mebibytes: float
    files: int


class Found(NamedTuple):
    """What a run found."""

    sent: Counter[str]
    """What the clients count, and what they call `unsure`: requests that a kill broke off."""
    wrong: list[Counter[str]]
    """For each round, how much the server counted less or more than the clients: nothing."""
    lost: list[int]
    """For each kill, how many requests it took along that were answered."""
    may_lose: list[float]
    """The most that it may: what a worker answers in two flush intervals, or, where the machine was
    busy, since its last flush."""
    looks: list[Look]
    scrapes: int
    left: dict[str, float]
    """Once the load was over: exchanges that wait, that were dropped, faults of ours."""

    def thirds(self, what: str) -> tuple[float, float]:
        """Return the means of the first and the last third of `mebibytes` or `files`."""
        values = [float(getattr(look, what)) for look in self.looks]
        third = max(1, len(values) // 3)
        return float(np.mean(values[:third])), float(np.mean(values[-third:]))


class Server:
    """The server under load, asked over HTTP, and its processes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.scrapes = 0
        self._url = f"http://127.0.0.1:{port}"

    def counted(self) -> Counter[str]:
        """Return what the server says of all that the clients count."""
        found = counters(self._scrape())
        requests = {"name": "mlmon_requests_total", "route": "/predict"}
        numbers = {name: total(found, **requests, outcome=name) for name in OUTCOMES}
        numbers["outcome"] = total(found, "mlmon_ground_truth_total")
        numbers["rows"] = total(found, "mlmon_prediction_rows_total")
        numbers["empty"] = total(found, "mlmon_parse_errors_total", reason="no_rows")
        return Counter({name: int(number) for name, number in numbers.items()})

    def left(self) -> dict[str, float]:
        """Return what should be nothing."""
        text = self._scrape()
        found = counters(text)
        waiting = [line for line in text.splitlines() if line.startswith("mlmon_queue_exchanges ")]
        return {
            "exchanges that wait": float(waiting[0].split()[1]),
            "exchanges dropped": total(found, "mlmon_dropped_total", reason="queue_full"),
            "internal errors": total(found, "mlmon_internal_errors_total"),
        }

    def workers(self) -> set[int]:
        """Return the processes that answer; a new connection each time finds them all."""
        url = f"{self._url}/process"
        return {int(_text(url)) for _ in range(10 * WORKERS)}

    def scrape(self) -> None:
        """Scrape once; a kill may break it off, as any request."""
        with suppress(httpx.HTTPError):
            self._scrape()

    def _scrape(self) -> str:
        text = _text(f"{self._url}/metrics")
        self.scrapes += 1
        return text


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Run uvicorn with workers that share their state, until the block ends."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=5000)
    data = {"x": x, "c": rng.choice(["a", "b"], 5000), "y": x, "outcome": x + 0.1}
    reference, port = folder / "m.json", free_port()
    Reference.build(data, predictions="y", ground_truth="outcome").save(reference)
    settings = {
        "REFERENCE": str(reference),
        "MLMON_STATE_DIR": str(folder / "state"),
        "MLMON_FLUSH_SECONDS": str(FLUSH_SECONDS),
        "MLMON_WINDOWS": "60s",
        "MLMON_PENDING_ROWS": "2000",
        "MLMON_TOKEN": TOKEN,
    }
    command = ["env", *(f"{key}={value}" for key, value in settings.items()), sys.executable, "-m"]
    command += ["uvicorn", "tests.soak.endurance_app:app", "--log-level", "critical"]
    command += ["--workers", str(WORKERS), "--port", str(port)]
    # Uvicorn itself kills workers that say nothing for so long, and may wait as long for one that
    # was killed while it was asked.
    command += ["--timeout-worker-healthcheck", str(HEALTHCHECK_SECONDS)]

    def is_ready() -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/process").status_code == 200

    with program(command, is_ready, folder / "log", PATIENCE_SECONDS):
        yield Server(port)


class _Run:
    """Rounds of load on a server; all workers but one, the victim, live to the end."""

    def __init__(self, server: Server, load: Load) -> None:
        self._server, self._load = server, load
        wait_until(lambda: len(server.workers()) == WORKERS, PATIENCE_SECONDS, what="all workers")
        self._victim, *self._kept = sorted(server.workers())
        self._gone = Counter[str]()
        self.found = Found(Counter(), [], [], [], [], 0, {})

    def round(self, seconds: float) -> None:
        """Load the server for so long and compare; then kill a worker, and see what that took."""
        with _repeated(lambda: self.found.looks.append(_look(self._kept)), LOOK_SECONDS):
            _wait(seconds)
        self.found.wrong.append(self._missing())
        before, began = self._load.sent.total(), time.monotonic()
        _wait(KILL_AFTER_SECONDS)
        rate = (self._load.sent.total() - before) / (time.monotonic() - began)
        # What a scrape shows is put away.
        shown = self._server.counted()
        sent = self._load.sent
        unshown = sum(sent[name] - self._gone[name] - shown[name] for name in OUTCOMES)
        self._kill()
        missing = self._missing()
        self._gone.update(missing)
        self.found.lost.append(sum(missing[outcome] for outcome in OUTCOMES))
        self.found.may_lose.append(max(2 * FLUSH_SECONDS * rate, unshown))

    def end(self) -> Found:
        """Return all that was found."""
        with self._load.held():
            _wait(SETTLE_SECONDS)
            left = self._server.left()
        scrapes = self._server.scrapes
        return self.found._replace(sent=self._load.sent, scrapes=scrapes, left=left)

    def _kill(self) -> None:
        os.kill(self._victim, signal.SIGKILL)
        known, new = {self._victim, *self._kept}, set[int]()

        def has_come() -> bool:
            new.update(self._server.workers() - known)
            return bool(new)

        wait_until(has_come, PATIENCE_SECONDS, what="a new worker")
        (self._victim,) = new

    def _missing(self) -> Counter[str]:
        """Return what was sent less what is counted, or is known to be gone; without zeros."""
        with self._load.held():
            _wait(SETTLE_SECONDS)
            before, missing = None, self._missing_now()
            while missing and missing != before:  # a busy machine may take longer
                _wait(SETTLE_SECONDS)
                before, missing = missing, self._missing_now()
        return missing

    def _missing_now(self) -> Counter[str]:
        missing = self._load.sent
        missing.subtract(self._gone)
        missing.subtract(self._server.counted())
        del missing["unsure"]
        return Counter({name: count for name, count in missing.items() if count})


def run(seconds: float = SECONDS, round_seconds: float = ROUND_SECONDS) -> Found:
    """Drive a server through rounds of load for so long, once its caps are reached."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as server,
        Load([MixedClient(server.port, i) for i in range(CLIENTS)], PAUSE_SECONDS) as load,
        _repeated(server.scrape, SCRAPE_SECONDS),
    ):
        run = _Run(server, load)
        _wait(min(WARM_UP_SECONDS, seconds / 4))
        wait_until(lambda: set(EACH) <= set(load.sent), PATIENCE_SECONDS, what="one of each kind")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            run.round(min(round_seconds, seconds / 3))
        return run.end()


def _look(workers: list[int]) -> Look:
    resident = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in workers)
    files = sum(len([*Path(f"/proc/{pid}/fd").iterdir()]) for pid in workers)
    return Look(resident * resource.getpagesize() / 2**20, files)


@contextmanager
def _repeated(call: Callable[[], object], seconds: float) -> Iterator[None]:
    """Call again and again, so many seconds apart, while the block runs."""
    stopped, calls = threading.Event(), ThreadPoolExecutor(1)

    def go_on() -> None:
        while not stopped.wait(seconds):
            call()

    future = calls.submit(go_on)
    try:
        yield
    finally:
        stopped.set()
        future.result()
        calls.shutdown()


def _text(url: str) -> str:
    return httpx.get(url, timeout=PATIENCE_SECONDS).text


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def table(seconds: float) -> None:
    """Print what was found as Markdown."""
    found = run(seconds)
    print(
        f"{seconds:,.0f} s, {WORKERS} workers, {len(found.lost)} kills, {found.scrapes} scrapes\n"
    )
    print("| what | measured | wanted |\n|---|---|---|")
    for outcome, count in sorted(found.sent.items()):
        print(f"| sent: {outcome} | {count:,} | |")
    wrong = [dict(differing) for differing in found.wrong if differing]
    print(f"| rounds in which a count differs | {len(wrong)} {wrong or ''} | 0 |")
    shares = [lost / most for lost, most in zip(found.lost, found.may_lose, strict=True)]
    print(f"| lost to a kill, of two flush intervals' requests | {max(shares):.2f} | 1 or less |")
    for what, name in (("mebibytes", "memory, MiB"), ("files", "file descriptors")):
        first, last = found.thirds(what)
        print(f"| {name}: first third, last third | {first:,.1f}, {last:,.1f} | 5 % more at most |")
    for what, left in found.left.items():
        print(f"| {what} | {left:,.0f} | 0 |")
