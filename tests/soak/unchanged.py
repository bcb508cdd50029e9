"""Thirty days of traffic in which nothing changes: how often a model raises a false alarm."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from .simulate import Cell, run
from .streams import Shape

MONTH = 30.0
# Upper 95 % bounds of a Poisson mean, by the events seen.
UPPER = (2.996, 4.744, 6.296, 7.754, 9.154, 10.513)


class Row(NamedTuple):
    """What the runs of one cell gave."""

    cell: Cell
    runs: int
    alarms: int

    @property
    def upper(self) -> float:
        """Alarms in 30 days that are not exceeded, with 95 % confidence."""
        events = UPPER[self.alarms] if self.alarms < len(UPPER) else 1.7 * self.alarms + 3
        return events / (self.runs * self.cell.days / MONTH)


def grid(quick: bool = False) -> Iterator[Cell]:
    """Give the cells: features, correlation, rows a day, reference rows."""
    features = (5, 30) if quick else (5, 30, 200)
    traffic = (200.0, 2000.0) if quick else (200.0, 2000.0, 200_000.0)
    for count, together, rows, reference in itertools.product(
        features, (False, True), traffic, (1000, 100_000)
    ):
        yield Cell(Shape(count, together), rows, reference)


def others() -> Iterator[Cell]:
    """Give cells of 8 workers that share their state, and of the pure-Python engine."""
    for count, together, rows, reference in itertools.product(
        (5, 30), (False, True), (200.0, 2000.0), (1000, 100_000)
    ):
        shape = Shape(count, together)
        yield Cell(shape, rows, reference, workers=8)
        if count == 5:
            yield Cell(shape, rows, reference, engine="tdigest")


def alike() -> Iterator[Cell]:
    """Give cells whose requests have several rows that are alike."""
    for size, rows, workers in itertools.product((10, 50), (2000.0, 20_000.0), (1, 8)):
        yield Cell(Shape(5, request_rows=size), rows, 100_000, workers=workers)


def measure(cell: Cell, runs: int, most: int = 12) -> Row:
    """Run a cell, each time with another reference and stream.

    At least `runs` times, and on until the bound is under one alarm a month or `most` were made.
    """
    row = Row(cell, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(most):
            looks = run(cell, seed, str(Path(folder) / "reference.json"))
            row = Row(cell, seed + 1, row.alarms + sum(len(look.alarms) for look in looks))
            if row.runs >= runs and row.upper <= 1.0:
                break
    return row


def table(runs: int, quick: bool = False) -> list[Row]:
    """Print a row a cell as Markdown; return them."""
    print("| engine | workers | features | correlated | rows a request | rows a day ", end="")
    print("| reference rows | runs of 30 days | false alarms | upper 95 % bound a month |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    cells = [*grid(quick), *([] if quick else [*others(), *alike()])]
    rows = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for row in pool.map(measure, cells, [runs] * len(cells)):
            c = row.cell
            print(
                f"| {c.engine} | {c.workers} | {c.shape.features} "
                f"| {'yes' if c.shape.is_correlated else 'no'} | {c.shape.request_rows} "
                f"| {c.rows_a_day:,.0f} | {c.reference_rows:,} | {row.runs} | {row.alarms} "
                f"| {row.upper:.2f} |",
                flush=True,
            )
            rows.append(row)
    return rows
