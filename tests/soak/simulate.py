"""Days of traffic through a real monitor in seconds, and the alarms that it raises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlmon_exporter import Config, Monitor, Reference
from mlmon_exporter.core.records import Readings

from .streams import DAY, Change, Columns, Shape, ticks

START = 1_700_006_400.0  # midnight UTC
LOOK_SECONDS = 900.0


@dataclass(frozen=True)
class Cell:
    """One kind of traffic."""

    shape: Shape
    rows_a_day: float
    reference_rows: int
    windows: tuple[str, ...] = ("1h", "24h")
    engine: str = "fastdigest"
    days: float = 30.0


class Look(NamedTuple):
    """What came since the last look, and what was seen at this one."""

    at: float
    """Seconds since the start."""
    rows: int
    """Rows so far."""
    columns: Columns
    alarms: tuple[tuple[str, str], ...]
    """Feature and window of each rise of `drifted` to 1."""


def build_monitor(cell: Cell, reference: Columns, path: str) -> Monitor:
    """Return a monitor with a reference of its own, as a user would build it."""
    Reference.build(reference, engine=cell.engine).save(path)
    return Monitor(
        Config.from_options(
            None, model="soak", reference=path, windows=list(cell.windows), digest=cell.engine
        )
    )


def traffic(
    cell: Cell, rng: np.random.Generator, change: Change | None, change_after: float
) -> Iterator[tuple[float, Columns, int]]:
    """Give the time, the columns and the rows of each tick; the change begins after some days."""
    for now, rows in ticks(cell.rows_a_day, cell.days, LOOK_SECONDS, rng):
        columns = cell.shape.draw(rows, rng)
        days = now / DAY - change_after
        if change is not None and days > 0:
            columns = change(columns, days, rng)
        yield now, columns, rows


def stream(
    cell: Cell,
    monitor: Monitor,
    rng: np.random.Generator,
    change: Change | None = None,
    change_after: float = 0.0,
) -> Iterator[Look]:
    """Send a cell's traffic through a monitor, looking each quarter of an hour."""
    drifted, total = frozenset[tuple[str, str]](), 0
    for now, columns, rows in traffic(cell, rng, change, change_after):
        if rows:
            # Rows are seen just before the look.
            monitor.observe(columns, now=START + now - 1.0)
        total += rows
        seen = _drifted(monitor, START + now)
        yield Look(now, total, columns, tuple(sorted(seen - drifted)))
        drifted = seen


def run(
    cell: Cell, seed: int, path: str, change: Change | None = None, change_after: float = 0.0
) -> Iterator[Look]:
    """Run a cell once, with a reference and traffic of its own."""
    rng = np.random.default_rng(seed)
    reference = cell.shape.draw(cell.reference_rows, rng)
    yield from stream(cell, build_monitor(cell, reference, path), rng, change, change_after)


def _drifted(monitor: Monitor, now: float) -> frozenset[tuple[str, str]]:
    return frozenset(
        (block.labels[i][2], block.labels[i][3])
        for block in monitor.models["soak"].readings(now)
        if block.name == "mlmon_feature_drifted" and isinstance(block, Readings)
        for i in np.flatnonzero(np.asarray(block.values) == 1.0)
    )
