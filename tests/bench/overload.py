"""Three times the requests that intake can take: `make bench ARGS=overload`."""

from __future__ import annotations

import gzip
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import orjson

from mlmon_exporter.core.records import Exchange
from tests.e2e.load import counters, total
from tests.e2e.servers import wait_until

from .asgi import FEATURES
from .latency import quantiles_ms, server
from .open_loop import latencies, post
from .peers import OURS, ours, reference_file

ROWS = 1000
"""A body of so many rows is a few kB when compressed, and takes intake many times what the app."""
TIMES = 3.0
SECONDS = 10.0
QUEUE = 50
BODY = gzip.compress(
    orjson.dumps({"instances": [{f"feature_{i}": 0.5 for i in range(FEATURES)}] * ROWS})
)
JSON = "application/json"
ANSWER = orjson.dumps({"predictions": [0.5] * ROWS})


class Overloaded(NamedTuple):
    """What became of requests that were too many."""

    rate: float
    """Requests a second."""
    sent: int
    taken_in: float
    dropped: float
    other_losses: float
    """What else was dropped, not read, or went wrong."""
    without_ms: tuple[float, float]
    """Median and 99th percentile of the same server without us, at the same rate."""
    with_ms: tuple[float, float]


def run(seconds: float = SECONDS) -> Overloaded:
    """Send at three times what intake can take, to a server with us and to one without."""
    sent = post("/fixed", BODY, {"content-encoding": "gzip"})
    rate = TIMES * intake_rate()
    count = int(rate * seconds)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        app = {"ROWS": str(ROWS)}
        watched = app | {
            "EXPORTER": OURS,
            "REFERENCE": str(reference_file(folder, rows=5000)),
            "MLMON_QUEUE_EXCHANGES": str(QUEUE),
        }
        bare, _ = stack.enter_context(server(folder, **app))
        port, _ = stack.enter_context(server(folder, **watched))
        without_ms = quantiles_ms(latencies(bare, sent, count, rate))
        with_ms = quantiles_ms(latencies(port, sent, count, rate))
        rows, dropped, other = _counted(f"http://127.0.0.1:{port}/metrics", count)
    return Overloaded(rate, count, rows / ROWS, dropped, other, without_ms, with_ms)


def intake_rate(count: int = 50) -> float:
    """Return how many of these bodies a core takes in, in a second."""
    _, monitor = ours()
    told = {b"content-type": JSON.encode()}
    asked = told | {b"content-encoding": b"gzip"}
    exchange = Exchange(
        time.time(), "bench", "/predict", "/predict", 200, "", asked, [BODY], told, [ANSWER]
    )
    monitor._intake.submit(*exchange.waiting)
    monitor.flush(timeout=60)
    started = time.process_time()
    for _ in range(count):
        monitor._intake.submit(*exchange.waiting)
    monitor.flush(timeout=60)
    taken = time.process_time() - started
    monitor.close()
    return count / taken


def _counted(url: str, sent: int) -> tuple[float, float, float]:
    """Return rows taken in, exchanges dropped as too many, and other losses, once all is done."""

    def read() -> tuple[float, float, float]:
        found = counters(httpx.get(url, timeout=30).text)
        dropped = total(found, "mlmon_dropped_total", reason="queue_full")
        names = ("mlmon_dropped_total", "mlmon_parse_errors_total", "mlmon_internal_errors_total")
        losses = sum(total(found, name) for name in names) - dropped
        return total(found, "mlmon_prediction_rows_total"), dropped, losses

    def is_done() -> bool:
        rows, dropped, _ = read()
        return rows / ROWS + dropped >= sent

    wait_until(is_done, what="all exchanges taken in or dropped")
    return read()


def table(seconds: float = SECONDS) -> None:
    """Print what was measured as Markdown."""
    found = run(seconds)
    print(
        f"\n| {TIMES:g} times what intake can take, bodies of {ROWS} rows | measured |\n|---|---|"
    )
    print(f"| requests a second | {found.rate:,.0f} |")
    print(f"| sent | {found.sent:,} |")
    print(f"| taken in + dropped | {found.taken_in:,.0f} + {found.dropped:,.0f} |")
    print(f"| lost otherwise | {found.other_losses:,.0f} |")
    both = tuple(zip(found.without_ms, found.with_ms, strict=True))
    for what, (without, ours_) in zip(("p50", "p99"), both, strict=True):
        print(f"| {what}, ms: without us, with | {without:.2f}, {ours_:.2f} |")
