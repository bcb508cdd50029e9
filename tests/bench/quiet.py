"""All goals of speed in a quiet hour, in ten minutes: `make bench ARGS=quiet`.

By the clock, so nothing else may run. Ratios are medians of eight processes; latencies have a
second bare server beside, whose ratio to the first one says what is noise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

import orjson

from . import overload
from .asgi import App, cpu_microseconds, microseconds, new_app
from .costs import exchange_costs, import_ratios
from .latency import BARE, PATHS, compare
from .peers import INSTRUMENTATOR, OURS, instrumented, ours

RUNS, OVERLOADS, CALLS = 8, 3, 5000
AGAIN = "without, too"
FEATURES, ROWS = 30, (1, 64)
SECONDS = 1.2


class Ratios(NamedTuple):
    """One process; by prometheus-fastapi-instrumentator unless noted."""

    path: float
    cpu: float
    single_rows: float
    """CPU of a single-row exchange by `orjson.loads` of its bodies."""
    wake_ups: float
    """`voluntary_ctxt_switches` a request while requests come as fast as they can."""


GOALS = Ratios(0.22, 0.50, 3.0, float("nan"))


def once() -> None:
    """Print the ratios of this process as JSON."""
    watched, monitor = ours()
    apps: dict[str, App] = {BARE: new_app(), OURS: watched, INSTRUMENTATOR: instrumented()}
    path = microseconds(apps)
    cpu = {
        name: cpu_microseconds(apps[name], CALLS, lambda: None) for name in (BARE, INSTRUMENTATOR)
    }
    monitor.flush()
    before = voluntary_switches()
    cpu[OURS] = cpu_microseconds(watched, CALLS, monitor.flush)
    wake_ups = (voluntary_switches() - before) / CALLS
    monitor.close()
    by_peer = [
        (taken[OURS] - taken[BARE]) / (taken[INSTRUMENTATOR] - taken[BARE]) for taken in (path, cpu)
    ]
    print(orjson.dumps([*by_peer, exchange_costs().by_parsing, wake_ups]).decode())


def voluntary_switches() -> int:
    """Return how often threads of this process have given their core away."""
    tasks = Path("/proc/self/task").iterdir()
    lines = (line for task in tasks for line in (task / "status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))


def table() -> None:
    """Print what was measured as Markdown."""
    print(f"Cores: {os.cpu_count()}; waiting for them before: {os.getloadavg()[0]:.2f}\n")
    command = [sys.executable, "-c", "from tests.bench.quiet import once; once()"]
    runs = [
        Ratios(*orjson.loads(subprocess.run(command, capture_output=True, check=True).stdout))
        for _ in range(RUNS)
    ]
    print(f"| ratio, {RUNS} runs | median (least to greatest) | goal |\n|---|---|---|")
    for name, goal, values in zip(Ratios._fields, GOALS, zip(*runs, strict=True), strict=True):
        spread = f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
        print(f"| {name} | {spread} | {goal:g} |")
    print(f"| import | {import_ratios()['instrument']:.2f} | 0.3 |", flush=True)
    _print_latencies()
    _print_overload()


def _print_latencies() -> None:
    print("\n| p99 at 70 % by the bare server's | requests/s | with us | another bare server |")
    print("|---|---|---|---|")
    for path, kind in PATHS.items():
        for rows in ROWS:
            servers = (BARE, AGAIN, OURS)
            rate, found = compare(path, FEATURES, rows, servers, seconds=SECONDS)
            ours_, again = (median(found[name].ratios) for name in (OURS, AGAIN))
            row = f"| {kind}, {FEATURES} x {rows} | {rate:,.0f} | {ours_:.2f} | {again:.2f} |"
            print(row, flush=True)


def _print_overload() -> None:
    runs = [overload.run(seconds=5.0) for _ in range(OVERLOADS)]
    ratios = [run.with_ms[1] / run.without_ms[1] for run in runs]
    share = median(run.taken_in / run.sent for run in runs)
    print(f"\nToo many requests, p99 by the bare server's: {median(ratios):.2f} (goal 2);", end=" ")
    print(f"{share:.0%} of the bodies were read.")
