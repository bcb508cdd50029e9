"""Latency of a real server at 70 % load, with and without us: `make bench ARGS=p99`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
import numpy as np
import orjson

from tests.e2e.servers import free_port, program

from .open_loop import latencies, post
from .peers import reference_file

FEATURES, ROWS = (1, 30, 200), (1, 64)
LOAD = 0.7
PAIRS, SECONDS = 7, 2.0
FIRST = 300
"""Requests before anything is measured."""
WITHOUT, WITH = "without", "with"


class Compared(NamedTuple):
    """Latencies of both, taken in turns."""

    rate: float
    """Requests a second, to each."""
    without_ms: tuple[float, float]
    """Median and 99th percentile, each the median of all turns."""
    with_ms: tuple[float, float]
    ratios: list[float]
    """Of each pair, the 99th percentile with us by that without."""
    cpu_ms: tuple[float, float]
    """Of the server for a request, without and with us: what a busy machine leaves alone."""


def request(features: int, rows: int, path: str = "/predict") -> bytes:
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
    url = f"http://127.0.0.1:{port}/ready"
    with program(command, lambda: httpx.get(url), folder / f"{port}.log") as process:
        yield port, process.pid


def compare(features: int, rows: int, pairs: int = PAIRS, seconds: float = SECONDS) -> Compared:
    """Ask both servers in turns, at the same share of what the one without us can bear."""
    sent = request(features, rows)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        reference = str(reference_file(folder, features, rows=5000))
        servers = {
            WITHOUT: stack.enter_context(server(folder)),
            WITH: stack.enter_context(server(folder, REFERENCE=reference)),
        }
        for port, _ in servers.values():
            latencies(port, sent, FIRST, rate=0)
        rate = LOAD * saturation(servers[WITHOUT][0], sent, seconds)
        count = max(1, int(rate * seconds))
        found: dict[str, list[tuple[float, float]]] = {WITHOUT: [], WITH: []}
        spent = dict.fromkeys(servers, 0.0)
        for pair in range(pairs):
            for which in (WITHOUT, WITH) if pair % 2 else (WITH, WITHOUT):
                port, process = servers[which]
                before = cpu_seconds(process)
                found[which].append(quantiles_ms(latencies(port, sent, count, rate)))
                spent[which] += (cpu_seconds(process) - before) / (count * pairs)
    both = zip(found[WITH], found[WITHOUT], strict=True)
    ratios = sorted(ours[1] / bare[1] for ours, bare in both)
    cpu_ms = 1e3 * spent[WITHOUT], 1e3 * spent[WITH]
    return Compared(rate, _medians(found[WITHOUT]), _medians(found[WITH]), ratios, cpu_ms)


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


def _medians(found: list[tuple[float, float]]) -> tuple[float, float]:
    return median(half for half, _ in found), median(most for _, most in found)


def table(pairs: int = PAIRS, seconds: float = SECONDS) -> None:
    """Print what was measured as Markdown."""
    print(
        f"\nAt {LOAD:.0%} of what the server without us bears, open loop; {pairs} pairs in turns.\n"
    )
    print("| features x rows | requests/s | CPU ms, without, with | p50 ms | p99 ms", end=" | ")
    print("p99 ratio: median (least to greatest), goal 1.10 |\n|---|---|---|---|---|---|")
    for features in FEATURES:
        for rows in ROWS:
            found = compare(features, rows, pairs, seconds)
            half, most = zip(found.without_ms, found.with_ms, strict=True)
            pairs_of = (found.cpu_ms, half, most)
            cells = " | ".join(f"{without:.2f}, {ours:.2f}" for without, ours in pairs_of)
            ratios = found.ratios
            spread = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            print(f"| {features} x {rows} | {found.rate:,.0f} | {cells} | {spread} |", flush=True)
