"""Rules of others that look at all columns at once, beside derived columns on the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mlmon_exporter.core.derived.joint import JointColumns

from . import mmd
from .compare import NO_TELEMETRY
from .dependent import Stream, rises, rows_of
from .joint import CALM_DAYS, CASES, DAYS, REFERENCE_ROWS, ROWS_A_DAY
from .simulate import Cell, build_host, stream
from .streams import DAY, Columns, Rows

CHANGES = (
    "correlation flips",
    "two features are swapped",
    "an unknown digit in 10 % of rows",
    "mean +0.5 sd",
    "mean +0.25 sd",
)
UNCHANGED = ("independent", "AR(1) .99", "days differ by .3 sd")
SIZES = (2000, 200)
"""Rows of a chunk: others have no windows that overlap."""
OURS, ALL = "derived columns", "all columns"
Alarms = dict[str, list[int]]
"""Rule -> rows so far at each alarm, in order."""


def changed(python: Path, case: str, seed: int) -> Alarms:
    """Return the alarms after a change, by rows since then."""
    shape, change = CASES[case]
    cell = Cell(shape, ROWS_A_DAY, REFERENCE_ROWS, days=DAYS)
    rng = np.random.default_rng(seed)
    reference = shape.draw(cell.reference_rows, rng)
    with tempfile.TemporaryDirectory() as folder:
        host = build_host(cell, reference, str(Path(folder) / "reference.json"))
        looks = [*stream(cell, host, rng, change, CALM_DAYS)]
        host.close()
    after = [look for look in looks if look.at > CALM_DAYS * DAY]
    began = looks[len(looks) - len(after) - 1].rows
    alarms = [(look.rows - began, name) for look in after for name, _ in look.alarms]
    ours = {OURS: [rows for rows, name in alarms if name in JointColumns.names]}
    ours[ALL] = [rows for rows, _ in alarms]
    rows = {name: np.concatenate([look.columns[name] for look in after]) for name in reference}
    return ours | theirs(python, reference, rows)


def unchanged(python: Path, process: str, seed: int) -> Alarms:
    """Return the alarms in 30 days of rows that come about as those of the reference."""
    found = Stream(process, is_joint=True)
    rng = np.random.default_rng(seed)
    _, reference = rows_of(found, found.reference_days, rng)
    times, rows = rows_of(found, found.days, rng)
    at = [rise.day * DAY for rise in rises(found, seed)]
    ours = {OURS: [int((times <= seconds).sum()) for seconds in at]}
    ours[ALL] = ours[OURS] + [0 for _ in rises(Stream(process), seed)]
    return ours | theirs(python, reference, rows)


def theirs(python: Path, reference: Columns, rows: Columns) -> Alarms:
    """Return the alarms of others."""
    sides = _table(reference), _table(rows)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npz"
        np.savez(file, reference=sides[0], rows=sides[1], sizes=np.array(SIZES))
        script = str(Path(__file__).with_name("nannyml_multivariate.py"))
        done = subprocess.run(
            [str(python), script, str(file)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **NO_TELEMETRY},
        )
    found: Alarms = json.loads(done.stdout.splitlines()[-1])
    return found | {
        f"MMD, chunks of {size}": mmd.alarms(*sides, size, ROWS_A_DAY) for size in SIZES
    }


def _table(columns: Columns) -> Rows:
    return np.column_stack([*columns.values()])


def table(python: Path, runs: int = 2) -> None:
    """Print rows until each change is seen, and alarms in unchanged traffic, of each run."""
    lines: dict[str, list[str]] = {}
    for case in CHANGES:
        _add(lines, [changed(python, case, seed) for seed in range(runs)], _first)
    for process in UNCHANGED:
        _add(lines, [unchanged(python, process, seed) for seed in range(runs)], _count)
    heads = ["rule", *CHANGES, *(f"in 30 days: {process}" for process in UNCHANGED)]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for rule, cells in lines.items():
        print(f"| {rule} | {' | '.join(cells)} |", flush=True)


def _add(lines: dict[str, list[str]], runs: list[Alarms], said: Callable[..., str]) -> None:
    for rule in runs[0]:
        lines.setdefault(rule, []).append(said([alarms[rule] for alarms in runs]))


def _first(runs: Sequence[Sequence[int]]) -> str:
    return ", ".join(f"{min(alarms):,}" if alarms else "missed" for alarms in runs)


def _count(runs: Sequence[Sequence[int]]) -> str:
    return ", ".join(str(len(alarms)) for alarms in runs)
