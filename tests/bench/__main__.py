"""Print the table of costs: `make bench`.

`make bench ARGS=p99` prints the latency of a real server with and without us, `ARGS=overload` what
becomes of too many requests, `ARGS=growth` how costs grow (and draws docs/costs-*.svg),
`ARGS=pending` what outcomes cost, and `ARGS="proxy 2"` a server behind the proxy, whose memory is
looked at for two minutes. `ARGS=quiet` measures all goals by the clock, in ten minutes in which
nothing else may run.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from . import growth, latency, overload, pending, proxy, quiet, size
from .asgi import App, cpu_microseconds, microseconds, new_app
from .costs import (
    MILLION,
    exchange_costs,
    import_ratios,
    kibibytes_per_feature,
    scrape_milliseconds,
    shared_costs,
    values_per_second,
)
from .parsing import BINARY_V2, JSON_V2
from .parsing import microseconds as parsing_microseconds
from .peers import INSTRUMENTATOR, OURS, ours, peers

CALLS = 5000
PARTS: Mapping[str, Callable[[], None]] = {
    "p99": latency.table,
    "proxy": proxy.table,
    "overload": overload.table,
    "growth": partial(growth.table, Path("docs")),
    "pending": pending.table,
    "size": size.table,
    "quiet": quiet.table,
}
"""What is measured when it is named; with all of it a run takes some minutes."""


def main(words: list[str]) -> None:
    """Measure and print Markdown tables: costs, or the parts that are named."""
    parts = [word for word in words if not word.isdigit()]
    minutes = [int(word) for word in words if word.isdigit()]
    for name in parts:
        if name == "proxy" and minutes:
            proxy.table(minutes[0])
        else:
            PARTS[name]()
    if parts:
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.python_implementation()}", end=" ")
    print(f"{platform.python_version()}, {platform.machine()}, {platform.system()}\n")
    _print_path()
    _print_costs()
    _print_parsing()
    latency.table()


def _print_path() -> None:
    watched, monitor = ours()
    apps: dict[str, App] = {"bare app": new_app(), OURS: watched, **peers()}
    path = microseconds(apps)
    bare = path["bare app"]
    print("| exporter | us in the request's path | us of CPU in all | features recorded |")
    print("|---|---|---|---|")
    cpu = {}
    for name, app in apps.items():
        finish = monitor.flush if name == OURS else lambda: None
        cpu[name] = cpu_microseconds(app, CALLS, finish)
        if name != "bare app":
            recorded = 30 if name == OURS else 0
            added = cpu[name] - cpu["bare app"]
            print(f"| {name} | +{path[name] - bare:.1f} | +{added:.1f} | {recorded} |")
    ratio = (path[OURS] - bare) / (path[INSTRUMENTATOR] - bare)
    spent = (cpu[OURS] - cpu["bare app"]) / (cpu[INSTRUMENTATOR] - cpu["bare app"])
    print(f"\nBare app: {bare:.1f} us. In the path {ratio:.2f} (goal 0.22) and in all {spent:.2f}")
    print(f"(goal 0.50) of what {INSTRUMENTATOR} adds.\n")
    monitor.close()


def _print_costs() -> None:
    scrape = scrape_milliseconds()
    shared = shared_costs()
    exchanges = exchange_costs()
    imports = import_ratios()
    rows = [
        ("single-row JSON exchanges a second and core", exchanges.per_second, "150000 or more"),
        ("CPU of one by orjson.loads of its bodies", exchanges.by_parsing, "3 or less"),
        ("`observe`, million values a second", values_per_second() / MILLION, "3 or more"),
        ("scrape, 1000 features x 2 windows, all changed, ms", scrape["all changed"], "250"),
        ("scrape, nothing changed, ms", scrape["nothing changed"], "60"),
        ("lines of that scrape", scrape["lines"], ""),
        ("memory a feature, 2 windows, KiB", kibibytes_per_feature(), "96"),
        ("importing `instrument` after FastAPI, by NumPy's import", imports["instrument"], "0.3"),
        ("importing and calling it, by the same", imports["monitor"], ""),
        ("flushes of 8 workers x 200 features, % of a core", 100 * shared.flush_share, "3"),
        ("scrape of their shared state, all changed, ms", shared.changed_milliseconds, "50"),
        ("that scrape, nothing changed, ms", shared.unchanged_milliseconds, "12"),
    ]
    print("| what | measured | goal |")
    print("|---|---|---|")
    for what, measured, goal in rows:
        print(f"| {what} | {measured:,.1f} | {goal} |")


def _print_parsing() -> None:
    by_rows = [parsing_microseconds(rows) for rows in (1, 100, 1000)]
    print("\n| reading 30 features, us | 1 row | 100 rows | 1000 rows |")
    print("|---|---|---|---|")
    for name in by_rows[0]:
        print(f"| {name} | " + " | ".join(f"{taken[name]:,.1f}" for taken in by_rows) + " |")
    ratio = by_rows[-1][JSON_V2] / by_rows[-1][BINARY_V2]
    print(f"\nBinary V2 is {ratio:.1f} times cheaper than JSON V2 at 1000 rows (goal 5.0).")


if __name__ == "__main__":
    main(sys.argv[1:])
