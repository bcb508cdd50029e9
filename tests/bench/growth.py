"""How costs grow with features, rows, models, workers and series: `make bench ARGS=growth`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from mlmon_exporter import Config, Monitor
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.intake.waiting import GROUP
from mlmon_exporter.runtime.pace import Pace
from tests.intake.waiting import waiting

from .asgi import FEATURES
from .costs import scrape_milliseconds, shared_costs
from .peers import reference_file
from .picture import draw

SECONDS = 0.3
"""For how long each point of the first three is measured; the least of many times counts."""
LINEAR = 1.1
"""The greatest exponent that is called linear."""
JSON = {b"content-type": b"application/json"}


class Growth(NamedTuple):
    """A cost against a size."""

    name: str
    title: str
    size: str
    unit: str
    sizes: tuple[int, ...]
    costs: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """Slope of the cost between the last three sizes, both as logarithms; 1 is linear."""
        logs = np.log(self.sizes[-3:]), np.log(self.costs[-3:])
        return float(np.polyfit(*logs, 1)[0])


def intake_microseconds(features: int, rows: int, models: int = 1) -> float:
    """Return the CPU time of taking in a JSON request, by one of so many models in turns."""
    with tempfile.TemporaryDirectory() as folder:
        reference = str(reference_file(Path(folder), features, rows=1000))
        tables = [{"name": f"m{i}", "reference": reference} for i in range(models)]
        monitor = Monitor(Config.from_options(None, models=tables, max_rows=rows))
    names = [f"feature_{i}" for i in range(features)]
    values = np.random.default_rng(0).standard_normal((rows, features)).tolist()
    body = orjson.dumps({"instances": [dict(zip(names, row, strict=True)) for row in values]})
    answer, now = orjson.dumps({"predictions": [0.5] * rows}), time.time()
    exchanges = [
        Exchange(now, f"m{i}", f"/m{i}", f"/m{i}", 200, "", JSON, [body], JSON, [answer])
        for i in range(models)
    ]

    # Enough rows for each measurement to hold its share of tallying.
    count = max(1, 2048 // rows)
    pace = Pace()

    def take_in() -> None:
        every = exchanges * count
        for start in range(0, len(every), GROUP):
            left = waiting(every[start : start + GROUP])
            while left.fields:
                left = left.without(monitor._consumer(left, pace))

    return _least_seconds(take_in) / (count * models) * 1e6


def _least_seconds(call: Callable[[], object]) -> float:
    call()
    taken: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(taken) < 3 or time.perf_counter() < end:
        started = time.thread_time()
        call()
        taken.append(time.thread_time() - started)
    return min(taken)


def by_features(sizes: Sequence[int] = (1, 3, 10, 30, 100, 300, 1000)) -> Growth:
    """Return what a request of one row costs."""
    costs = tuple(intake_microseconds(features, 1) for features in sizes)
    return Growth("features", "CPU to take in a row", "features", "us", tuple(sizes), costs)


def by_rows(sizes: Sequence[int] = (1, 3, 10, 30, 100, 300, 1000)) -> Growth:
    """Return what a request of so many rows costs."""
    costs = tuple(intake_microseconds(FEATURES, rows) for rows in sizes)
    return Growth("rows", "CPU to take in a request", "rows", "us", tuple(sizes), costs)


def by_models(sizes: Sequence[int] = (1, 2, 5, 10, 20, 50)) -> Growth:
    """Return what a request costs beside so many models."""
    costs = tuple(intake_microseconds(FEATURES, 1, models) for models in sizes)
    return Growth("models", "CPU to take in a row", "models", "us", tuple(sizes), costs)


def by_workers(sizes: Sequence[int] = (1, 2, 4, 8)) -> Growth:
    """Return what a scrape costs, whose numbers so many workers have put on disk."""
    costs = tuple(
        shared_costs(100, workers=workers, rounds=3).changed_milliseconds for workers in sizes
    )
    return Growth("workers", "CPU of a scrape of all workers", "workers", "ms", tuple(sizes), costs)


def by_series(features: Sequence[int] = (12, 40, 125, 400, 1250)) -> Growth:
    """Return what a scrape costs, all of whose lines changed."""
    found = [scrape_milliseconds(count) for count in features]
    sizes = tuple(int(scrape["lines"]) for scrape in found)
    costs = tuple(scrape["all changed"] for scrape in found)
    return Growth("series", "CPU of a scrape, all changed", "lines", "ms", sizes, costs)


ALL = (by_features, by_rows, by_models, by_workers, by_series)


def table(folder: Path | None = None) -> None:
    """Print each growth as Markdown, and draw it into a folder."""
    for measure in ALL:
        found = measure()
        print(f"\n| {found.title}: {found.size} | {' | '.join(f'{s:,}' for s in found.sizes)} |")
        print("|---" * (len(found.sizes) + 1) + "|")
        print(f"| {found.unit} | " + " | ".join(f"{cost:,.1f}" for cost in found.costs) + " |")
        verdict = "no more than linear" if found.exponent <= LINEAR else "MORE THAN LINEAR"
        print(f"\nExponent {found.exponent:.2f}: {verdict}.", flush=True)
        if folder is not None:
            (folder / f"costs-{found.name}.svg").write_text(draw(found))
