"""Our rule and those of others on the same streams, as a table."""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .dependent import Stream, rises, rows_of
from .simulate import Cell, build_host, stream
from .streams import CHANGES, DAY, Shape

OURS = "mlmon-exporter"
BEGAN = "began"
CALM_DAYS = 30.0
FEATURES = 20
DEPENDENT = (
    "independent",
    "AR(1) .9",
    "AR(1) .99",
    "days differ by .3 sd",
    "nights +1.5 sd",
    "weekends +1 sd",
)
COMPARED = ("mean +0.25 sd", "mean +0.5 sd", "2 % of rows +3 sd", "missing 1 to 5 %")
NO_TELEMETRY = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
"""Environment in which NannyML and Evidently send nothing of their use anywhere."""
Alarms = dict[str, list[tuple[float, float, str]]]
Pythons = Mapping[str, Path]
"""Script that has rules of others -> the Python of its environment."""


def tables(pythons: Pythons) -> None:
    """Print both tables."""
    dependent_table(pythons)
    table(pythons)


def table(pythons: Pythons, rows_a_day: float = 2000.0, runs: int = 2) -> None:
    """Print alarms in 30 unchanged days, then delay after each change, for each rule."""
    lines: dict[str, list[str]] = {}
    for change in (None, *COMPARED):
        found = [_run(pythons, rows_a_day, seed, change) for seed in range(runs)]
        for rule in (rule for rule in found[0] if rule != BEGAN):
            cell = _false(found, rule) if change is None else _delay(found, rule, change)
            lines.setdefault(rule, []).append(cell)
    heads = ["rule", "false alarms in 30 days", *COMPARED]
    print(f"{FEATURES} features, {rows_a_day:,.0f} rows a day, {runs} runs\n")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for rule, cells in lines.items():
        print(f"| {rule} | {' | '.join(cells)} |")


def dependent_table(pythons: Pythons, runs: int = 2) -> None:
    """Print alarms in 30 unchanged days of rows that depend on each other, for each rule."""
    lines: dict[str, list[str]] = {}
    for process in DEPENDENT:
        found = [_run_dependent(pythons, Stream(process), seed) for seed in range(runs)]
        for rule in found[0]:
            lines.setdefault(rule, []).append(_false(found, rule))
    print(f"\n5 features, 2,000 rows a day, references of 14 days with times, {runs} runs\n")
    print(f"| rule | {' | '.join(DEPENDENT)} |\n|{'---|' * (1 + len(DEPENDENT))}")
    for rule, cells in lines.items():
        print(f"| {rule} | {' | '.join(cells)} |")


def _run_dependent(pythons: Pythons, stream: Stream, seed: int) -> Alarms:
    rng = np.random.default_rng(seed)
    reference_times, reference = rows_of(stream, stream.reference_days, rng)
    times, columns = rows_of(stream, stream.days, rng)
    kept = {f"reference_{name}": values for name, values in reference.items()}
    ours = [(rise.day * DAY, math.nan, rise.column) for rise in rises(stream, seed)]
    kept |= {"times": times, "reference_times": reference_times}
    return {OURS: ours, **_theirs(pythons, {**columns, **kept})}


def _theirs(pythons: Pythons, arrays: dict[str, Any]) -> Alarms:
    found: Alarms = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stream.npz"
        np.savez(file, **arrays)
        for script, python in pythons.items():
            command = [str(python), str(Path(__file__).with_name(script)), str(file)]
            environment = {**os.environ, **NO_TELEMETRY}
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment
            )
            found |= json.loads(done.stdout.splitlines()[-1])
    return found


def _false(found: list[Alarms], rule: str) -> str:
    return f"{np.mean([len(alarms[rule]) for alarms in found]):.1f}"


def _delay(found: list[Alarms], rule: str, change: str) -> str:
    delays = []
    for alarms in found:
        after = [a for a in alarms[rule] if a[0] > DAY * 2 and a[2] == CHANGES[change][1]]
        delays.append(after[0][1] - alarms[BEGAN][0][1] if after else math.nan)
    seen = [d for d in delays if d == d]
    return f"{np.median(seen):,.0f} rows" if len(seen) > len(delays) / 2 else "missed"


def _run(pythons: Pythons, rows_a_day: float, seed: int, change: str | None) -> Alarms:
    days = CALM_DAYS if change is None else 6.0
    cell = Cell(Shape(FEATURES), rows_a_day, 20_000, ("24h",), days=days)
    apply = None if change is None else CHANGES[change][0]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "reference.json")
        rng = np.random.default_rng(seed)
        reference = cell.shape.draw(cell.reference_rows, rng)
        host = build_host(cell, reference, path)
        seen = list(stream(cell, host, rng, apply, 2.0))
        ours = [(a.at, float(a.rows), name) for a in seen for name, _ in a.alarms]
        began = float(next(a.rows for a in seen if a.at >= 2 * DAY))
    columns = {n: np.concatenate([a.columns[n] for a in seen]) for n in _numeric(cell)}
    times = np.concatenate([np.full(len(a.columns["x0"]), a.at) for a in seen])
    kept = {f"reference_{name}": reference[name] for name in columns}
    theirs = _theirs(pythons, {"times": times, **columns, **kept})
    return {OURS: ours, **theirs} | ({BEGAN: [(0.0, began, "")]} if change else {})


def _numeric(cell: Cell) -> Iterator[str]:
    return (name for i, name in enumerate(cell.shape.names) if i % 5 != 4)
