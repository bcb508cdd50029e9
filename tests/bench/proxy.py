"""A server that answers at once, and one with a model, behind the proxy: `make bench ARGS=proxy`.

Beside it a relay that passes bytes and looks at none, which is the least that Python can do, and
HAProxy. It takes about ten minutes, two of them for the proxy's memory; `make bench
ARGS="proxy 30"` looks at that for 30. It needs wrk, which takes a twentieth of a core where a
client in Python takes one.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
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
ROUNDS, SECONDS = 8, 3.0
STREAMS = 200
MINUTES = 2.0
FEATURES = 30
GIBIBYTE = 2**30
AT_ONCE, WITH_MODEL = "tests.bench.proxy_app:app", "tests.bench.latency_app:app"
PATHS = {AT_ONCE: "/predict", WITH_MODEL: "/model"}
RELAY = "relay of bytes alone"
HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s
frontend clients
    bind 127.0.0.1:{port}
    default_backend server
backend server
    http-reuse always
    server one 127.0.0.1:{server}
"""
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
    path: str
    """Where the server predicts."""
    peers: Mapping[str, tuple[int, int]]
    """Port and process of others in front of the same server: what any relay costs here."""


class Load(NamedTuple):
    """What wrk measured: all its connections ask as soon as they have an answer."""

    rate: float
    half_ms: float
    requests: int


@contextmanager
def running(folder: Path, server_app: str = AT_ONCE) -> Iterator[Ports]:
    """Run the server and the proxy in front of it, which reads all rows against a reference."""
    server, port, metrics = free_port(), free_port(), free_port()
    app = ["env", f"FEATURES={FEATURES}", sys.executable, "-m", "uvicorn", server_app]
    app += ["--port", str(server)]
    app += ["--log-level", "error", "--no-access-log", "--timeout-keep-alive", "600"]
    config = folder / "mlmon.toml"
    reference = reference_file(folder, FEATURES, rows=5000)
    path = PATHS[server_app]
    model = f'name = "bench"\nreference = "{reference}"\nroutes = ["{path}"]\n'
    config.write_text(f"[[models]]\n{model}")
    command = [sys.executable, "-m", "mlmon_exporter.cli", "proxy", "--config", str(config)]
    command += ["--upstream", f"127.0.0.1:{server}", "--port", str(port)]
    command += ["--metrics-port", str(metrics)]
    with (
        program(app, lambda: is_open(server), folder / "server.log"),
        program(command, lambda: is_open(port) and is_open(metrics), folder / "log") as proxy,
        _peers(folder, server) as peers,
    ):
        yield Ports(server, port, metrics, proxy.pid, path, peers)


@contextmanager
def _peers(folder: Path, server: int) -> Iterator[Mapping[str, tuple[int, int]]]:
    """Run a relay that looks at nothing, and HAProxy where it is installed."""
    plain, other, haproxy = free_port(), free_port(), shutil.which("haproxy")
    commands = {
        RELAY: (plain, [sys.executable, "-m", "tests.bench.relay", f"{server}", f"{plain}"])
    }
    if haproxy is not None:
        settings = folder / "haproxy.cfg"
        settings.write_text(HAPROXY.format(port=other, server=server))
        commands["HAProxy"] = (other, [haproxy, "-db", "-f", str(settings)])
    with ExitStack() as stack:
        yield {
            name: (
                port,
                stack.enter_context(
                    program(command, partial(is_open, port), folder / f"{port}.log")
                ).pid,
            )
            for name, (port, command) in commands.items()
        }


def load(
    folder: Path,
    port: int,
    seconds: float,
    connections: int = CONNECTIONS,
    path: str = PATHS[AT_ONCE],
) -> Load:
    """Ask for predictions as fast as they come."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("bench: expected wrk on the PATH, got none; install it (on Debian: wrk)")
    head, _, body = request(FEATURES, 1, path).partition(b"\r\n\r\n")
    script = folder / "post.lua"
    kind = next(line for line in head.decode().split("\r\n") if line.startswith("content-type"))
    name, value = kind.split(": ")
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["{name}"] = "{value}"\nwrk.body = [[{body.decode()}]]\n'
    )
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "-s", str(script)]
    url = f"http://127.0.0.1:{port}{path}"
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
            _print(
                "answers at once", [*_throughput(folder, ports, rounds, seconds), _streams(ports)]
            )
        with running(folder, WITH_MODEL) as ports:
            _print("has a model", _throughput(folder, ports, rounds, seconds))
        with running(folder) as ports:
            _memory(folder, ports, minutes)


def _print(server: str, rows: Iterable[Row]) -> None:
    print(f"\n| in front of a server that {server} | server | through it | ratio | goal |")
    print("|---|---|---|---|---|")
    for what, bare, proxied, ratio, goal in rows:
        print(f"| {what} | {bare:,.2f} | {proxied:,.2f} | {ratio} | {goal} |", flush=True)


Row = tuple[str, float, float, str, str]


def _throughput(folder: Path, ports: Ports, rounds: int, seconds: float) -> Iterator[Row]:
    """Ask all in turns; the ratio is the median of those of the rounds."""
    targets = {"proxy": (ports.proxy, ports.process), **ports.peers}
    for connections in (CONNECTIONS, 1):
        of = f"{connections} connections" if connections > 1 else "1 connection"
        goals = {"rate": "0.90", "half_ms": "1.25"} if connections > 1 else {}
        bare: list[Load] = []
        found: dict[str, list[Load]] = {name: [] for name in targets}
        spent = dict.fromkeys(targets, 0.0)
        for port in (ports.server, *(port for port, _ in targets.values())):
            load(folder, port, 1.0, connections, ports.path)
        for _ in range(rounds):
            bare.append(load(folder, ports.server, seconds, connections, ports.path))
            for name, (port, process) in targets.items():
                before = cpu_seconds(process)
                found[name].append(load(folder, port, seconds, connections, ports.path))
                spent[name] += cpu_seconds(process) - before
        for name in targets:
            for what, key in (("requests a second", "rate"), ("p50 ms", "half_ms")):
                without, through = (
                    [getattr(each, key) for each in loads] for loads in (bare, found[name])
                )
                yield _row(f"{what}, {of}: {name}", without, through, goals.get(key, ""))
            asked = sum(each.requests for each in found[name])
            yield f"CPU a request, us, {of}: {name}", np.nan, 1e6 * spent[name] / asked, "", ""


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
