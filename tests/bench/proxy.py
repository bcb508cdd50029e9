"""A server that answers at once, by itself and behind the proxy: `make bench ARGS=proxy`.

It takes about five minutes, two of them for the proxy's memory; `make bench ARGS="proxy 30"` looks
at that for 30. It needs wrk, which takes a twentieth of a core where a client in Python takes one.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
import numpy as np

from tests.e2e.servers import free_port, program
from tests.e2e.test_proxy import is_open

from .latency import cpu_seconds, request
from .open_loop import post
from .peers import reference_file
from .proxy_app import EVENT

CONNECTIONS = 8
ROUNDS, SECONDS = 8, 5.0
STREAMS = 200
MINUTES = 2.0
FEATURES = 30
GIBIBYTE = 2**30
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_HALF = re.compile(r"^\s+50%\s+([\d.]+)(us|ms|s)", re.MULTILINE)
_FAILED = re.compile(r"Non-2xx.*|Socket errors.*")
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Ports(NamedTuple):
    """Where the server listens, and the proxy; and the proxy's process."""

    server: int
    proxy: int
    metrics: int
    process: int


class Load(NamedTuple):
    """What wrk measured: all its connections ask as soon as they have an answer."""

    rate: float
    half_ms: float
    requests: int


@contextmanager
def running(folder: Path) -> Iterator[Ports]:
    """Run the server and the proxy in front of it, which reads all rows against a reference."""
    server, port, metrics = free_port(), free_port(), free_port()
    app = [sys.executable, "-m", "uvicorn", "tests.bench.proxy_app:app", "--port", str(server)]
    app += ["--log-level", "error", "--no-access-log", "--timeout-keep-alive", "600"]
    config = folder / "mlmon.toml"
    reference = reference_file(folder, FEATURES, rows=5000)
    config.write_text(f'[[models]]\nname = "bench"\nreference = "{reference}"\n')
    command = [sys.executable, "-m", "mlmon_exporter.cli", "proxy", "--config", str(config)]
    command += ["--upstream", f"127.0.0.1:{server}", "--port", str(port)]
    command += ["--metrics-port", str(metrics)]
    with (
        program(app, lambda: is_open(server), folder / "server.log"),
        program(command, lambda: is_open(port) and is_open(metrics), folder / "log") as proxy,
    ):
        yield Ports(server, port, metrics, proxy.pid)


def load(folder: Path, port: int, seconds: float, connections: int = CONNECTIONS) -> Load:
    """Ask for predictions as fast as they come."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("bench: expected wrk on the PATH, got none; install it (on Debian: wrk)")
    head, _, body = request(FEATURES, 1, "/predict").partition(b"\r\n\r\n")
    script = folder / "post.lua"
    kind = next(line for line in head.decode().split("\r\n") if line.startswith("content-type"))
    name, value = kind.split(": ")
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["{name}"] = "{value}"\nwrk.body = [[{body.decode()}]]\n'
    )
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "-s", str(script)]
    url = f"http://127.0.0.1:{port}/predict"
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if failed := _FAILED.search(text):
        raise ConnectionError(f"wrk: {failed[0].strip()}")
    rate, half = _RATE.search(text), _HALF.search(text)
    done = re.search(r"(\d+) requests in", text)
    if rate is None or half is None or done is None:
        raise ValueError(f"wrk: expected its report, got {text!r}")
    return Load(float(rate[1]), float(half[1]) * _UNITS[half[2]], int(done[1]))


def first_byte_ms(port: int) -> float:
    """Return how long the first event of a stream takes."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        client.sendall(post("/events", b"{}"))
        received = b""
        while EVENT not in received:
            received += client.recv(2**16)
        return 1e3 * (time.perf_counter() - began)


def long_bodies(port: int, size: int = GIBIBYTE) -> None:
    """Send a body of this size, and receive one."""
    block = bytes(2**20)
    head = post(f"/long?{size}", b"").replace(b"content-length: 0", b"content-length: %d" % size)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(head)
        for at in range(0, size, len(block)):
            client.sendall(block[: size - at])
        received = 0
        while received < size:
            part = client.recv(2**20)
            if not part:
                raise ConnectionError(f"expected {size} bytes, got {received}")
            received += len(part)


def resident_mebibytes(process: int) -> float:
    """Return the memory that a process holds now."""
    text = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else float("nan")


def table(minutes: float = MINUTES, rounds: int = ROUNDS, seconds: float = SECONDS) -> None:
    """Print what was measured as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder) as ports:
            rows = [*_throughput(folder, ports, rounds, seconds), _streams(ports)]
            print(
                "\n| proxy in front of a server that answers at once | server | proxy | ratio",
                end="",
            )
            print(" | goal |\n|---|---|---|---|---|")
            for what, bare, proxied, ratio, goal in rows:
                print(f"| {what} | {bare:,.2f} | {proxied:,.2f} | {ratio} | {goal} |", flush=True)
        with running(folder) as ports:
            _memory(folder, ports, minutes)


Row = tuple[str, float, float, str, str]


def _throughput(folder: Path, ports: Ports, rounds: int, seconds: float) -> Iterator[Row]:
    """Ask both in turns; the ratio is the median of those of the rounds."""
    targets = {"bare": ports.server, "proxied": ports.proxy}
    for connections, bar in ((CONNECTIONS, "0.90"), (1, "")):
        found: dict[str, list[Load]] = {name: [] for name in targets}
        spent, asked = 0.0, 0
        for port in targets.values():
            load(folder, port, 1.0, connections)
        for turn in range(rounds):
            for name in targets if turn % 2 else reversed(targets):
                before = cpu_seconds(ports.process)
                found[name].append(load(folder, targets[name], seconds, connections))
                if name == "proxied":
                    spent += cpu_seconds(ports.process) - before
                    asked += found[name][-1].requests
        of = f"{connections} connections" if connections > 1 else "1 connection"
        yield _row(f"requests a second, {of}", [load.rate for load in found["bare"]],
                   [load.rate for load in found["proxied"]], bar)  # fmt: skip
        yield _row(f"p50 ms, {of}", [load.half_ms for load in found["bare"]],
                   [load.half_ms for load in found["proxied"]], "1.25" if bar else "")  # fmt: skip
        yield f"CPU of the proxy a request, us, {of}", np.nan, 1e6 * spent / asked, "", ""


def _row(what: str, bare: list[float], proxied: list[float], goal: str) -> Row:
    ratios = sorted(b / a for a, b in zip(bare, proxied, strict=True))
    spread = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return what, median(bare), median(proxied), spread, goal


def _streams(ports: Ports) -> Row:
    pairs = [(first_byte_ms(ports.server), first_byte_ms(ports.proxy)) for _ in range(STREAMS)]
    bare, proxied = (median(each) for each in zip(*pairs, strict=True))
    return "first event of a stream, ms", bare, proxied, f"+{proxied - bare:.2f} ms", "+2 ms"


def _memory(folder: Path, ports: Ports, minutes: float) -> None:
    """Load the proxy, and send it long bodies, until the time is over; print what it holds."""
    load(folder, ports.proxy, 10.0)
    end = time.monotonic() + 60 * minutes
    print("\n| what | MiB held by the proxy |\n|---|---|")
    print(f"| after 10 s of load | {resident_mebibytes(ports.process):.0f} |", flush=True)
    held, bodies = [], 0
    while time.monotonic() < end:
        load(folder, ports.proxy, 10.0, connections=64)
        long_bodies(ports.proxy)
        bodies += 1
        held.append(resident_mebibytes(ports.process))
    third = max(1, len(held) // 3)
    first, last = np.mean(held[:third]), np.mean(held[-third:])
    print(f"| first third of {minutes:g} minutes of load and {bodies} GiB each way | {first:.0f} |")
    print(f"| last third | {last:.0f} |")
    print(f"| most | {max(held):.0f} |")
    text = httpx.get(f"http://127.0.0.1:{ports.metrics}/metrics", timeout=60).text
    dropped = re.findall(r'^mlmon_dropped_total\{reason="(.*)"\} (?!0\b)(.*)$', text, re.MULTILINE)
    print("\nDropped meanwhile:", ", ".join(f"{n} {reason}" for reason, n in dropped) or "nothing")
