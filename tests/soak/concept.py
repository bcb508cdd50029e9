"""Concept drift on the electricity market: false alarms while nothing changes, and the delay after.

Elec2 has a real change with a known time: at row 17 424 the neighbouring state's market opens, and
the rules by which prices rise change soon after. Rows of before, in random order, are a stream in
which nothing changes; then come the rows of after. A classifier that was trained on some of the
rows before gives the predictions, and ground truth follows at once.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.core.records import Batch, Readings
from mlmon_exporter.core.settings import ModelSettings, Policy, window_names
from mlmon_exporter.reference.reference import Reference

ELEC = Path(__file__).parents[1] / "data" / "elec.csv.gz"
CHANGED_AT = 17_424
FEATURES = ("period", "nswprice", "nswdemand")
TRAINING, REFERENCE = 6000, 5000
ROWS_A_DAY = 2000.0
DAY = 86400.0
LOOK_ROWS = 100

Columns = dict[str, NDArray[np.float64]]


class Stream(NamedTuple):
    """Predictions with their outcomes, in order."""

    reference: Columns
    rows: Columns
    changed_at: int
    """The row of the change."""

    @property
    def errors(self) -> NDArray[np.float64]:
        """1 for each wrong class."""
        return np.asarray((self.rows["p"] >= 0.5) != (self.rows["class"] > 0), dtype=np.float64)


class Alarm(NamedTuple):
    """Something went over its threshold."""

    row: int
    name: str


@cache
def elec() -> Columns:
    """All rows in time order."""
    with gzip.open(ELEC, "rt", newline="") as file:
        records = [*csv.DictReader(file)]
    return {name: np.array([float(r[name]) for r in records]) for name in (*FEATURES, "class")}


def stream(seed: int, calm_rows: int, changed_rows: int = 0) -> Stream:
    """Train on rows of before, hold some out as the reference, and stream draws of the rest."""
    rng, rows = np.random.default_rng(seed), elec()
    before = rng.permutation(CHANGED_AT)
    training, reference, rest = np.split(before, [TRAINING, TRAINING + REFERENCE])
    classifier = HistGradientBoostingClassifier(max_iter=60, random_state=seed)
    classifier.fit(_table(rows, training), rows["class"][training])
    after = np.arange(CHANGED_AT, CHANGED_AT + changed_rows)
    shown = np.concatenate((rng.choice(rest, calm_rows), after))

    def scored(chosen: NDArray[np.intp]) -> Columns:
        p = classifier.predict_proba(_table(rows, chosen))[:, 1]
        return {**{name: values[chosen] for name, values in rows.items()}, "p": p}

    return Stream(scored(reference), scored(shown), calm_rows)


def _table(rows: Columns, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.column_stack([rows[name][chosen] for name in FEATURES])


def ours(shown: Stream) -> list[Alarm]:
    """Return each rise over a threshold: of errors, and of the qualities of all and of segments."""
    reference = Reference.build(
        shown.reference,
        features=FEATURES,
        predictions="p",
        ground_truth="class",
        segments=[("period", (0.25, 0.5, 0.75))],
    )
    windows = window_names([("24h", DAY)])
    settings = ModelSettings("elec", windows=windows, policy=Policy())
    model = Model(settings, reference.for_model("elec"))
    alarms: list[Alarm] = []
    were: set[str] = set()
    for start in range(0, len(shown.errors), LOOK_ROWS):
        now = start / ROWS_A_DAY * DAY
        part = {name: values[start : start + LOOK_ROWS] for name, values in shown.rows.items()}
        features = {name: part[name] for name in FEATURES}
        count = len(part["p"])
        batch = Batch(features, {"p": part["p"]}, count, None, [str(i) for i in range(count)])
        model.observe(batch, now)
        waiting = model.pending_of(batch, now)
        parts, _ = model.outcome_tallies([*zip(waiting, part["class"], strict=True)], now)
        model.versions.restore(parts)
        over = _over(model, now)
        alarms += [Alarm(start + count, name) for name in sorted(over - were)]
        were = over
    return alarms


def _over(model: Model, now: float) -> set[str]:
    """Return what is on the wrong side of its threshold."""
    blocks = {b.name: b for b in model.readings(now) if isinstance(b, Readings)}
    drifted = blocks["mlmon_concept_drifted"].values[0] == 1
    over = {"errors"} if drifted else set()
    for name, quality in QUALITY.items():
        found, bars = (blocks.get(f"mlmon_quality_{name}{end}") for end in ("", "_threshold"))
        if found is None or bars is None:
            continue
        for labels, value, bar in zip(found.labels, found.values, bars.values, strict=True):
            if quality.sign * (value - bar) < 0:
                over.add(f"{name} {labels[-1]}".strip())
    return over


def theirs(shown: Stream, python: Path) -> list[Alarm]:
    """Return the detections of river's ADWIN, with its defaults, on the same errors."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "errors.npz"
        arrays: dict[str, Any] = {"errors": shown.errors}
        np.savez(file, **arrays)
        script = str(Path(__file__).with_name("peers.py"))
        done = subprocess.run(
            [str(python), script, str(file)], capture_output=True, text=True, check=True
        )
    return [Alarm(row, "ADWIN") for row in json.loads(done.stdout)]


def delay(alarms: list[Alarm], changed_at: int) -> float:
    """Return the rows from the change to the first alarm after it; NaN if there is none."""
    return next((float(a.row - changed_at) for a in alarms if a.row > changed_at), math.nan)


def table(python: Path, runs: int) -> None:
    """Print false alarms in 30 unchanged days, and the delay after the market opened."""
    calm = [stream(seed, int(30 * ROWS_A_DAY)) for seed in range(runs)]
    changed = [stream(seed, 6000, 6000) for seed in range(runs)]
    print("| rule | false alarms in 30 unchanged days | rows until the change is seen |")
    print("|---|---|---|")
    for rule, find in (("mlmon-exporter", ours), ("river ADWIN", lambda s: theirs(s, python))):
        false = [len(find(each)) for each in calm]
        delays = [delay(find(each), each.changed_at) for each in changed]
        shown = ", ".join(f"{each:,.0f}" for each in delays)
        print(f"| {rule} | {np.mean(false):.1f} | {shown} |", flush=True)
