"""What rows, scrapes and features cost on their own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import orjson

from mlmon_exporter import Config, Monitor
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.metrics.detail import shown
from mlmon_exporter.metrics.text import Exposition

from .asgi import ANSWER, BODY
from .peers import ours, reference_file

MILLION = 1e6


class ExchangeCosts(NamedTuple):
    """What single-row JSON exchanges cost from the queue to the counts."""

    per_second: float
    """Exchanges that a core takes in."""
    by_parsing: float
    """CPU time of one by that of `orjson.loads` of its two bodies, measured in turns."""


def exchange_costs(count: int = 5_000, rounds: int = 9) -> ExchangeCosts:
    """Take in so many exchanges a round; return the costs of the median round."""
    _, monitor = ours(queue_exchanges=count + 1, queue_bytes=2**30)
    headers = {b"content-type": b"application/json"}
    exchange = Exchange(
        time.time(), "bench", "/predict", "/predict", 200, "id", headers, [BODY], headers, [ANSWER]
    )
    monitor._intake.submit(*exchange.waiting)
    monitor.flush(timeout=60)
    waiting = exchange.waiting
    taken, parsed = [], []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(count):
            monitor._intake.submit(*waiting)
        monitor.flush(timeout=60)
        between = time.process_time()
        for _ in range(count):
            orjson.loads(BODY)
            orjson.loads(ANSWER)
        taken.append(between - started)
        parsed.append(time.process_time() - between)
    monitor.close()
    return ExchangeCosts(count / median(taken), median(taken) / median(parsed))


IMPORTS = {
    "numpy": ("", "import numpy"),
    "instrument": ("import fastapi, numpy", "from mlmon_exporter import instrument"),
    "monitor": (
        "import fastapi, numpy; app = fastapi.FastAPI()",
        "from mlmon_exporter import instrument; instrument(app)",
    ),
}
"""What is loaded before, and the code whose CPU time is taken."""


def import_ratios(starts: int = 9) -> dict[str, float]:
    """Return the CPU time of each of IMPORTS by that of NumPy's import, in new processes."""
    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(starts):
        for name, (before, code) in IMPORTS.items():
            timed = f"import time\n{before}\nstarted = time.process_time()\n{code}"
            taken[name].append(_printed(f"{timed}\nprint(time.process_time() - started)"))
    return {name: median(times) / median(taken["numpy"]) for name, times in taken.items()}


def _printed(code: str) -> float:
    """Run code in a new process, which may keep bytecode; return the number that it prints."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def values_per_second(rows: int = 200_000) -> float:
    """Return how many values of arrays a core takes in through `observe`, in a second."""
    _, monitor = ours()
    rng = np.random.default_rng(1)
    columns = {f"feature_{i}": rng.standard_normal(rows) for i in range(30)}
    monitor.observe({name: values[:2000] for name, values in columns.items()})
    started = time.process_time()
    for start in range(0, rows, 1000):
        monitor.observe({name: values[start : start + 1000] for name, values in columns.items()})
    return rows * 30 / (time.process_time() - started)


def scrape_milliseconds(features: int = 1000, detail: str = "normal") -> dict[str, float]:
    """Return the CPU time of a scrape with two windows, and its size, at a detail."""
    with tempfile.TemporaryDirectory() as folder:
        path = reference_file(Path(folder), features, rows=5000)
        monitor = Monitor(Config.from_options(None, model="bench", reference=str(path)))
    rng = np.random.default_rng(2)
    now = time.time()
    exposition = Exposition(is_open_metrics=False, metrics=shown(detail))

    def feed(at: float) -> None:
        names = [f"feature_{i}" for i in range(features)]
        monitor.observe(dict(zip(names, rng.standard_normal((features, 500)), strict=True)), now=at)
        for model in monitor.models.values():
            model.versions.drain()

    def scrape() -> tuple[float, int]:
        started = time.process_time()
        body = exposition.render(monitor._readout.blocks(now))
        return (time.process_time() - started) * 1e3, len(body.splitlines())

    for pane in range(12):
        feed(now - 300.0 * pane)
    scrape()
    changed = []
    for _ in range(5):
        feed(now)
        changed.append(scrape()[0])
    unchanged = sorted(scrape()[0] for _ in range(5))
    return {
        "all changed": sorted(changed)[2],
        "nothing changed": unchanged[2],
        "lines": float(scrape()[1]),
    }


def kibibytes_per_feature(low: int = 100, high: int = 600) -> float:
    """Return the memory of one more feature with both windows full, each in a new process."""
    return (_peak(high) - _peak(low)) / (high - low)


def _peak(features: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        # By this process: what the other had freed of building it would hide what it takes.
        path = reference_file(Path(folder), features, rows=2000)
        return _printed(f"from tests.bench.costs import fill; fill({str(path)!r}, {features})")


def fill(path: str, features: int) -> None:
    """Print the resident memory, KiB, that a monitor with full windows takes."""
    before = _resident()
    monitor = Monitor(Config.from_options(None, model="bench", reference=path))
    rng = np.random.default_rng(3)
    names = [f"feature_{i}" for i in range(features)]
    start = 1_700_000_000.0
    for pane in range(24 * 12):
        rows = rng.standard_normal((features, 200))
        monitor.observe(dict(zip(names, rows, strict=True)), now=start + pane * 300.0)
    list(monitor._readout.blocks(start + 24 * 3600.0))
    print(_resident() - before)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


class SharedCosts(NamedTuple):
    """What sharing the state of eight workers with 200 features each costs."""

    flush_share: float
    """Of a core, for the flushes of all of them."""
    changed_milliseconds: float
    """CPU time of a scrape after all workers had rows; what they flushed before is not in it."""
    unchanged_milliseconds: float


def shared_costs(
    features: int = 200, workers: int = 8, flush_seconds: float = 5.0, rounds: int = 5
) -> SharedCosts:
    """Have workers add to one state directory, and scrape one of them."""
    rng = np.random.default_rng(4)
    names = [f"feature_{i}" for i in range(features)]
    exposition = Exposition(is_open_metrics=False, metrics=shown("normal"))
    with tempfile.TemporaryDirectory() as folder:
        path = reference_file(Path(folder), features, rows=2000)
        options: dict[str, Any] = {
            "reference": str(path),
            "state_dir": folder,
            "flush_seconds": 3600,
        }
        monitors = [
            Monitor(Config.from_options(None, model="bench", **options)) for _ in range(workers)
        ]
        others = monitors[1:] or monitors  # a scrape flushes the worker that it asks

        def flush(at: float) -> float:
            """Return the CPU seconds of all flushes but the scraped worker's."""
            for monitor in monitors:
                rows = rng.standard_normal((features, 200))
                monitor.observe(dict(zip(names, rows, strict=True)), now=at)
                monitor.models["bench"].versions.drain()
            started = time.process_time()
            for monitor in others:
                monitor._upkeep.tick()
            return time.process_time() - started

        def scrape() -> float:
            started = time.process_time()
            exposition.render(monitors[0]._readout.blocks(now))
            return (time.process_time() - started) * 1e3

        now = time.time()
        for pane in range(12):
            flush(now - 300.0 * pane)
        scrape()
        flushed, changed = zip(*((flush(now), scrape()) for _ in range(rounds)), strict=True)
        unchanged = [scrape() for _ in range(rounds)]
        for monitor in monitors:
            monitor.close()
    share = median(flushed) / len(others) * workers / flush_seconds
    return SharedCosts(share, median(changed), median(unchanged))
