"""Traffic that changes after ten days: how soon it is seen, next to an exact test on raw rows."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from mlmon_exporter.core.stats.thresholds import level

from .simulate import LOOK_SECONDS, Cell, run, traffic
from .streams import CHANGES, DAY, Shape

CALM_DAYS = 4.0
FEATURES = 5
KS_FLOOR = 0.1


class Delay(NamedTuple):
    """From the beginning of a change to its alarm; NaN where it was missed."""

    rows: float
    minutes: float


def ours(change: str, rows_a_day: float, seed: int, request_rows: int = 1) -> Delay:
    """Return when our monitor saw the changed feature drift; all rows are independent."""
    apply, feature = CHANGES[change]
    began = 0
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "reference.json")
        for look in run(_cell(rows_a_day, request_rows), seed, path, apply, CALM_DAYS):
            if look.at <= CALM_DAYS * DAY:
                began = look.rows
            elif any(name == feature for name, _ in look.alarms):
                return Delay(look.rows - began, (look.at - CALM_DAYS * DAY) / 60)
    return Delay(math.nan, math.nan)


def _cell(rows_a_day: float, request_rows: int = 1) -> Cell:
    shape = Shape(FEATURES, request_rows=request_rows, alike=0.0)
    return Cell(shape, rows_a_day, 100_000, days=CALM_DAYS + 12.0)


def exact_ks(change: str, rows_a_day: float, seed: int, floor: float = KS_FLOOR) -> Delay:
    """Return when a KS test on the raw rows sees it: the same looks, windows, budget and floor.

    Windows slide row by row; the level is ours, for one test a feature.
    """
    apply, feature = CHANGES[change]
    cell, rng = _cell(rows_a_day), np.random.default_rng(seed)
    reference = np.sort(cell.shape.draw(cell.reference_rows, rng)[feature].astype(np.float64))
    held: list[tuple[float, NDArray[np.float64]]] = []
    total = began = 0
    for now, columns, rows in traffic(cell, rng, apply, CALM_DAYS):
        total += rows
        held.append((now, columns[feature].astype(np.float64)))
        if now <= CALM_DAYS * DAY:
            began = total
            continue
        for seconds in (3600.0, DAY):
            values = np.concatenate([v for at, v in held if at > now - seconds])
            values = values[~np.isnan(values)]
            if len(values) < 100:
                continue
            chance = level(seconds, 30 * DAY, FEATURES * 2)
            bar = math.sqrt(-math.log(chance / 2) / 2 * (1 / len(values) + 1 / len(reference)))
            if ks_2samp(values, reference, method="asymp").statistic > max(floor, bar):
                return Delay(total - began, (now - CALM_DAYS * DAY) / 60)
        held = [(at, v) for at, v in held if at > now - DAY + LOOK_SECONDS]
    return Delay(math.nan, math.nan)


def _median(delays: list[Delay]) -> str:
    seen = [d for d in delays if d.rows == d.rows]
    if len(seen) <= len(delays) // 2:
        return f"missed {len(delays) - len(seen)} of {len(delays)}"
    rows = float(np.median([d.rows for d in seen]))
    minutes = float(np.median([d.minutes for d in seen]))
    missed = f", missed {len(delays) - len(seen)}" if len(seen) < len(delays) else ""
    return f"{rows:,.0f} rows, {minutes:,.0f} min{missed}"


def table(runs: int, traffic: tuple[float, ...] = (2000.0, 20_000.0)) -> None:
    """Print a row a change as Markdown."""
    print("| change | rows a day | mlmon-exporter | exact KS, same floor | exact KS, no floor |")
    print("|---|---|---|---|---|")
    for change, (_, feature) in CHANGES.items():
        for rows_a_day in traffic:
            mine = _median([ours(change, rows_a_day, seed) for seed in range(runs)])
            exact = ["", ""]
            if feature != "x4":
                exact = [
                    _median([exact_ks(change, rows_a_day, s, floor) for s in range(runs)])
                    for floor in (KS_FLOOR, 0.0)
                ]
            print(
                f"| {change} | {rows_a_day:,.0f} | {mine} | {exact[0]} | {exact[1]} |", flush=True
            )
    half = "mean +0.5 sd"
    for size in (10, 50):
        for rows_a_day in traffic:
            mine = _median([ours(half, rows_a_day, seed, size) for seed in range(runs)])
            print(f"| {half}, {size} rows a request | {rows_a_day:,.0f} | {mine} | | |", flush=True)
