"""Days of traffic through a real monitor in seconds, and the alarms that it raises."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlmon_exporter import Config, Monitor, Reference
from mlmon_exporter.core.drift.readings import ROLES
from mlmon_exporter.core.records import Batch, Histograms, Readings

from .streams import DAY, Change, Columns, Shape, ticks

START = 1_700_006_400.0  # midnight UTC
LOOK_SECONDS = 900.0
DRIFTED = tuple(f"{role.prefix}_drifted" for role in ROLES)
NEVER_SECONDS = 3600.0
"""Longer than a run takes: the simulation flushes by its own clock."""


@dataclass(frozen=True)
class Cell:
    """One kind of traffic."""

    shape: Shape
    rows_a_day: float
    reference_rows: int
    windows: tuple[str, ...] = ("1h", "24h")
    engine: str = "fastdigest"
    days: float = 30.0
    workers: int = 1
    joint: bool = True
    """Columns are derived that tell how features go together."""


class Look(NamedTuple):
    """What came since the last look, and what was seen at this one."""

    at: float
    """Seconds since the start."""
    rows: int
    """Rows so far."""
    columns: Columns
    alarms: tuple[tuple[str, str], ...]
    """Feature and window of each rise of `drifted` to 1."""


class Host:
    """The monitors of one host's workers: rows are dealt out to them, each shows the sum."""

    def __init__(self, monitors: Sequence[Monitor], request_rows: int = 1) -> None:
        self._monitors = monitors
        self._request_rows = request_rows

    def observe(self, columns: Columns, now: float) -> None:
        """Deal rows out, or requests, if they have several rows."""
        if self._request_rows > 1:
            self._observe_requests(columns, now)
            return
        for i, monitor in enumerate(self._monitors):
            monitor.observe({n: v[i :: len(self._monitors)] for n, v in columns.items()}, now=now)

    def _observe_requests(self, columns: Columns, now: float) -> None:
        rows = len(next(iter(columns.values())))
        for i, start in enumerate(range(0, rows, self._request_rows)):
            part = {n: v[start : start + self._request_rows] for n, v in columns.items()}
            model = self._monitors[i % len(self._monitors)].models["soak"]
            # As the intake hands them on.
            model.observe(Batch(part, {}, self._request_rows), now, request_bytes=0)

    def blocks(self, now: float) -> Iterator[Readings | Histograms]:
        """Give what the last worker shows at `now`, once all have added what they have."""
        *others, shown = self._monitors
        for monitor in others:
            monitor._upkeep.tick(now)  # the flusher goes by the clock, not by the simulation
        return shown._readout.blocks(now)

    def close(self) -> None:
        """End the threads that would flush by the clock, an hour later."""
        for monitor in self._monitors:
            monitor.close()

    def drifted(self, now: float) -> frozenset[tuple[str, str]]:
        """Return column and window of each verdict that is 1, on features and derived columns."""
        return frozenset(
            (block.labels[i][2], block.labels[i][3])
            for block in self.blocks(now)
            if block.name in DRIFTED and isinstance(block, Readings)
            for i in np.flatnonzero(np.asarray(block.values) == 1.0)
        )


def build_host(cell: Cell, reference: Columns, path: str) -> Host:
    """Return monitors with one reference, as a user would build it."""
    vectors = cell.shape.vectors
    Reference.build(reference, engine=cell.engine, joint=cell.joint, vectors=vectors).save(path)
    shared: dict[str, Any] = {}
    if cell.workers > 1:
        folder = tempfile.mkdtemp(dir=Path(path).parent)
        shared = {"state_dir": folder, "flush_seconds": NEVER_SECONDS}
    config = Config.from_options(
        None, model="soak", reference=path, windows=list(cell.windows), digest=cell.engine, **shared
    )
    return Host([Monitor(config) for _ in range(cell.workers)], cell.shape.request_rows)


def traffic(
    cell: Cell, rng: np.random.Generator, change: Change | None, change_after: float
) -> Iterator[tuple[float, Columns, int]]:
    """Give the time, the columns and the rows of each tick; the change begins after some days."""
    size = cell.shape.request_rows
    for now, requests in ticks(cell.rows_a_day / size, cell.days, LOOK_SECONDS, rng):
        rows = requests * size
        columns = cell.shape.draw(rows, rng)
        days = now / DAY - change_after
        if change is not None and days > 0:
            columns = change(columns, days, rng)
        yield now, columns, rows


def stream(
    cell: Cell,
    host: Host,
    rng: np.random.Generator,
    change: Change | None = None,
    change_after: float = 0.0,
) -> Iterator[Look]:
    """Send a cell's traffic through a host's monitors, looking each quarter of an hour."""
    drifted, total = frozenset[tuple[str, str]](), 0
    for now, columns, rows in traffic(cell, rng, change, change_after):
        if rows:
            # Rows are seen just before the look.
            host.observe(columns, now=START + now - 1.0)
        total += rows
        seen = host.drifted(START + now)
        yield Look(now, total, columns, tuple(sorted(seen - drifted)))
        drifted = seen


def run(
    cell: Cell, seed: int, path: str, change: Change | None = None, change_after: float = 0.0
) -> Iterator[Look]:
    """Run a cell once, with a reference and traffic of its own."""
    rng = np.random.default_rng(seed)
    reference = cell.shape.draw(cell.reference_rows, rng)
    host = build_host(cell, reference, path)
    yield from stream(cell, host, rng, change, change_after)
    host.close()
