"""Latency of real servers at 70 % load, bare, with us and with a peer: `make bench ARGS=p99`."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
import numpy as np
import orjson

from tests.e2e.servers import free_port, program

from .open_loop import latencies, post
from .peers import INSTRUMENTATOR, OURS, reference_file

FEATURES, ROWS = (1, 30, 200), (1, 64)
PATHS: Mapping[str, str] = {"/echo": "no model", "/model": "gradient-boosted trees"}
LOAD = 0.7
ROUNDS, SECONDS = 15, 1.5
FIRST = 300
"""Requests before anything is measured."""
BARE = "without"
SERVERS = (BARE, OURS, INSTRUMENTATOR)


class Measured(NamedTuple):
    """One server; medians over all rounds."""

    half_ms: float
    most_ms: float
    """The 99th percentile."""
    ratios: list[float]
    """Of each round, the 99th percentile by that of the bare server; ascending."""
    cpu_ms: float
    """Of the server for a request: what a busy machine leaves alone."""


def request(features: int, rows: int, path: str) -> bytes:
    """Return the bytes of a request with so many values."""
    rng = np.random.default_rng(0)
    names = [f"feature_{i}" for i in range(features)]
    values = rng.standard_normal((rows, features)).tolist()
    instances = [dict(zip(names, row, strict=True)) for row in values]
    return post(path, orjson.dumps({"instances": instances}))


@contextmanager
def server(folder: Path, **environment: str) -> Iterator[tuple[int, int]]:
    """Run the app; gives its port and its process."""
    port = free_port()
    command = ["env", *(f"{key}={value}" for key, value in environment.items())]
    command += [sys.executable, "-m", "uvicorn", "tests.bench.latency_app:app"]
    command += ["--log-level", "error", "--no-access-log", "--port", str(port)]
    command += ["--timeout-keep-alive", "600"]  # connections may be idle for long
    url = f"http://127.0.0.1:{port}/ready"
    with program(command, lambda: httpx.get(url), folder / f"{port}.log") as process:
        yield port, process.pid


def compare(
    path: str,
    features: int,
    rows: int,
    exporters: Sequence[str] = SERVERS,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> tuple[float, dict[str, Measured]]:
    """Ask a server with each exporter in turns, at the same share of what the bare one can bear.

    Returns:
        Requests a second, to each; what was measured of each.
    """
    sent = request(features, rows, path)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        app = {
            "FEATURES": str(features),
            "OMP_NUM_THREADS": "1",
            "REFERENCE": str(reference_file(folder, features, rows=5000)),
        }
        servers = {
            exporter: stack.enter_context(server(folder, **app, EXPORTER=exporter))
            for exporter in exporters
        }
        for port, _ in servers.values():
            latencies(port, sent, FIRST, rate=0)
        rate = LOAD * saturation(servers[BARE][0], sent, seconds)
        count = max(1, int(rate * seconds))
        found: dict[str, list[tuple[float, float]]] = {exporter: [] for exporter in servers}
        spent = dict.fromkeys(servers, 0.0)
        for turn in range(rounds):
            for exporter in exporters if turn % 2 else reversed(exporters):
                port, process = servers[exporter]
                before = cpu_seconds(process)
                found[exporter].append(quantiles_ms(latencies(port, sent, count, rate)))
                spent[exporter] += (cpu_seconds(process) - before) / (count * rounds)
    bare = [most for _, most in found[BARE]]
    return rate, {
        exporter: Measured(
            median(half for half, _ in taken),
            median(most for _, most in taken),
            sorted(most / least for (_, most), least in zip(taken, bare, strict=True)),
            1e3 * spent[exporter],
        )
        for exporter, taken in found.items()
    }


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def saturation(port: int, sent: bytes, seconds: float) -> float:
    """Return how many requests a second the server answers at most."""
    count = 200
    while (taken := _seconds(port, sent, count)) < seconds / 3:
        count = int(count * min(4.0, 1.1 * seconds / 3 / taken)) + 1
    return count / taken


def _seconds(port: int, sent: bytes, count: int) -> float:
    """Return how long so many requests take, of which some are always under way."""
    at_a_time = 8
    return sum(latencies(port, sent, count, rate=0, connections=at_a_time)) / at_a_time


def quantiles_ms(taken: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile of seconds, in milliseconds."""
    half, most = np.quantile(taken, [0.5, 0.99]) * 1e3
    return float(half), float(most)


def table(rounds: int = ROUNDS, seconds: float = SECONDS) -> None:
    """Print what was measured as Markdown."""
    print(
        f"\nAt {LOAD:.0%} of what the bare server bears, open loop; {rounds} rounds in turns. "
        f"Goal: a 99th percentile of at most 1.10 times the bare server's.\n"
    )
    print("| server | features x rows | requests/s | exporter | CPU ms | p50 ms | p99 ms ", end="")
    print("| p99 by bare: median (least to greatest) |\n|---|---|---|---|---|---|---|---|")
    for path, features, rows in itertools.product(PATHS, FEATURES, ROWS):
        rate, found = compare(path, features, rows, SERVERS, rounds, seconds)
        for exporter, m in found.items():
            spread = f"{median(m.ratios):.2f} ({m.ratios[0]:.2f} to {m.ratios[-1]:.2f})"
            print(
                f"| {PATHS[path]} | {features} x {rows} | {rate:,.0f} | {exporter} "
                f"| {m.cpu_ms:.2f} | {m.half_ms:.2f} | {m.most_ms:.2f} | {spread} |",
                flush=True,
            )
