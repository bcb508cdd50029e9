"""Estimated quality beside the real one and NannyML's, as the mix of inputs shifts.

A model is trained on some rows; others are the reference, and the rest, drawn with weights that
depend on inputs alone, the traffic. So outcomes go with inputs as ever, and quality still changes.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from mlmon_exporter.cli.demo.datasets import DATA
from tests.core.outcome_rows import NOW, model_of, overall, predicted, tell, told

from .compare import NO_TELEMETRY

DRAWN = 6000
"""Rows of a shift."""
HOURS = 7200.0
"""Seconds after which a window of an hour has no row of before."""
TEXTS = "workclass education marital_status relationship race sex income".split()
NUMBERS = "age education_num capital_gain capital_loss hours_per_week".split()
BIKES = "season yr mnth hr holiday weekday workingday weathersit temp atemp hum windspeed".split()
SIDE = 8
"""Pixels of a digit's side."""

Floats = NDArray[np.float64]
Rows = dict[str, NDArray[Any]]
Weigh = Callable[[Rows], Floats]
"""Returns the logarithms of rows' weights."""


class Trial(NamedTuple):
    """A model's reference, and rows of each shift. `predicted` and `truth` are columns as well."""

    reference: Rows
    shifted: Mapping[str, Rows]
    features: Sequence[str]
    classes: Sequence[str] = ()
    """The probability of class `a` is the column `chance_a`."""

    @property
    def qualities(self) -> tuple[str, ...]:
        """Those that are compared."""
        return ("accuracy", "f1") if self.classes else ("mae", "rmse")


def bikes(seed: int, shifts: Mapping[str, Weigh] | None = None) -> Trial:
    """Rented bikes by hour, Washington 2011 and 2012: a regression. Shifts are six if not given."""
    records = _records("bike_sharing_hour")
    rows: Rows = {name: np.array([float(r[name]) for r in records]) for name in (*BIKES, "cnt")}
    rows["truth"] = rows.pop("cnt")
    parts = parts_of(rows, (5500, 11500), seed)
    model = HistGradientBoostingRegressor(max_iter=150, random_state=0)
    with threadpool_limits(1):  # several wait for each other where cores are busy
        model.fit(table_of(parts[0], BIKES), parts[0]["truth"])
        for part in parts:
            part["predicted"] = model.predict(table_of(part, BIKES))
    return _trial(parts, BIKES_SHIFTS if shifts is None else shifts, BIKES, seed)


BIKES_SHIFTS: Mapping[str, Weigh] = {
    "winter": lambda rows: 2.0 * (rows["season"] == 1),
    "nights": lambda rows: -rows["hr"] / 5,
    "hot": lambda rows: 6 * rows["temp"],
    "weekends": lambda rows: -2 * rows["workingday"],
    "humid": lambda rows: 5 * rows["hum"],
    "the first year": lambda rows: -2 * (rows["yr"] - 2011),
}


def occupations(seed: int) -> Trial:
    """The occupation of people in the American census of 1994: 14 classes."""
    records = [r for r in _records("adult_census_income") if r["occupation"] != "?"]
    rows: Rows = {name: np.array([float(r[name]) for r in records]) for name in NUMBERS}
    for name in TEXTS:
        rows[name] = np.unique([r[name] for r in records], return_inverse=True)[1].astype(float)
    rows["truth"] = np.array([r["occupation"] for r in records])
    model = HistGradientBoostingClassifier(max_iter=40, random_state=0)
    return _classes(parts_of(rows, (8000, 18_000), seed), model, OCCUPATION_SHIFTS, seed)


OCCUPATION_SHIFTS: Mapping[str, Weigh] = {
    "older": lambda rows: rows["age"] / 12,
    "younger": lambda rows: -rows["age"] / 12,
    "educated": lambda rows: rows["education_num"] / 2,
    "less educated": lambda rows: -rows["education_num"] / 2,
    "women": lambda rows: 3.0 * (rows["sex"] == 0),
    "longer hours": lambda rows: rows["hours_per_week"] / 20,
}


def digits(seed: int) -> Trial:
    """Written digits, by a model that saw 150 of them: 10 classes."""
    pixels, digit = load_digits(return_X_y=True)
    rows: Rows = {f"x{i}": values for i, values in enumerate(pixels.T)}
    rows["truth"] = digit.astype(str)
    model = LogisticRegression(C=0.001, max_iter=500)
    return _classes(parts_of(rows, (150, 970), seed), model, DIGIT_SHIFTS, seed)


def _ink(rows: Rows, lines: slice, columns: slice, scale: float) -> Floats:
    """Return the ink of a part of the picture, over its mean in so many units."""
    picture = np.array([rows[f"x{i}"] for i in range(SIDE * SIDE)]).reshape(SIDE, SIDE, -1)
    ink = picture[lines, columns].sum(axis=(0, 1))
    return np.asarray((ink - ink.mean()) / scale)


ALL, CENTER = slice(None), slice(3, 5)
DIGIT_SHIFTS: Mapping[str, Weigh] = {
    "heavy ink": lambda rows: _ink(rows, ALL, ALL, 40),
    "light ink": lambda rows: _ink(rows, ALL, ALL, -40),
    "ink on the left": lambda rows: _ink(rows, ALL, slice(3), 25),
    "ink at the foot": lambda rows: _ink(rows, slice(5, None), ALL, 25),
    "dark centers": lambda rows: _ink(rows, CENTER, CENTER, 8),
    "faint centers": lambda rows: _ink(rows, CENTER, CENTER, -8),
}
TRIALS: Mapping[str, Callable[[int], Trial]] = {
    "Rented bikes, a regression": bikes,
    "Occupations of the census, 14 classes": occupations,
    "Written digits, 10 classes": digits,
}


def _records(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def parts_of(rows: Rows, ends: Sequence[int], seed: int) -> list[Rows]:
    """Return rows at random: for training, the reference, and the traffic."""
    order = np.random.default_rng(seed).permutation(len(rows["truth"]))
    return [{n: v[own] for n, v in rows.items()} for own in np.split(order, [*ends])]


def table_of(rows: Rows, names: Sequence[str]) -> Floats:
    return np.column_stack([rows[name] for name in names])


def _classes(parts: list[Rows], model: Any, shifts: Mapping[str, Weigh], seed: int) -> Trial:
    features = [name for name in parts[0] if name != "truth"]
    model.fit(table_of(parts[0], features), parts[0]["truth"])
    classes = [str(name) for name in model.classes_]
    for part in parts:
        chances = model.predict_proba(table_of(part, features))
        part |= {f"chance_{name}": own for name, own in zip(classes, chances.T, strict=True)}
        part["predicted"] = model.classes_[chances.argmax(axis=1)]
    return _trial(parts, shifts, features, seed)._replace(classes=classes)


def _trial(
    parts: list[Rows], shifts: Mapping[str, Weigh], features: Sequence[str], seed: int
) -> Trial:
    _, reference, traffic = parts
    rng, shifted = np.random.default_rng(seed), {}
    for name, log_weights in shifts.items():
        logs = log_weights(traffic)
        weights = np.exp(logs - logs.max())
        drawn = rng.choice(len(weights), DRAWN, p=weights / weights.sum())
        shifted[name] = {column: values[drawn] for column, values in traffic.items()}
    return Trial(reference, shifted, features)


class Found(NamedTuple):
    """Quality -> its value, of one shift."""

    real: Mapping[str, float]
    reference: Mapping[str, float]
    estimate: Mapping[str, float]
    """Empty where it is in doubt."""
    doubt: float


def ours(trial: Trial, labels_alone: bool = False) -> dict[str, Found]:
    """Return what a model of ours says of each shift, which it is sent in windows of their own."""
    chances = [] if labels_alone else [f"chance_{name}" for name in trial.classes]
    outputs = [*chances, "predicted"]
    kept = {name: trial.reference[name] for name in (*trial.features, *outputs, "truth")}
    renamed = {f"chance_{name}": name for name in trial.classes}  # as a model server answers
    model = model_of(
        {renamed.get(name, name): values for name, values in kept.items()},
        [renamed.get(name, name) for name in outputs],
        ground_truth="truth",
    )
    found = {}
    for i, (shift, rows) in enumerate(trial.shifted.items()):
        at = NOW + (i + 1) * HOURS
        answers = {renamed.get(name, name): rows[name] for name in outputs}
        waiting = predicted(model, {n: rows[n] for n in trial.features}, answers, at=at)
        tell(model, waiting, rows["truth"], now=at)
        said = told(model, now=at)
        real, reference, estimate = (
            overall(said, f"{side}quality_") for side in ("", "reference_", "estimated_")
        )
        found[shift] = Found(real, reference, estimate, overall(said, "estimate_doubt_")["ratio"])
    return found


def theirs(trial: Trial, python: Path) -> dict[str, list[float]]:
    """Return NannyML's estimates: quality -> that of each shift."""
    names = [name for name in trial.reference if name in {*trial.features} or "chance_" in name]
    names += ["predicted", "truth"]
    parts = [*trial.shifted.values()]
    arrays: dict[str, Any] = {f"reference_{name}": trial.reference[name] for name in names}
    arrays |= {name: np.concatenate([part[name] for part in parts]) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npz"
        np.savez(file, chunks=len(parts), classes=np.array([*trial.classes], dtype=str), **arrays)
        command = [str(python), str(Path(__file__).with_name("nannyml_estimates.py")), str(file)]
        environment = {**os.environ, **NO_TELEMETRY}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def gaps(found: Mapping[str, Found], quality: str) -> Floats:
    """Return how far ours, and "as in the reference", are off on the mean of shifts."""
    each = [
        (abs(f.estimate[quality] - f.real[quality]), abs(f.reference[quality] - f.real[quality]))
        for f in found.values()
    ]
    return np.asarray(np.mean(each, axis=0))


def table(python: Path, runs: int) -> None:
    """Print, for each trial and shift, how far estimates are off: means of runs, as Markdown."""
    for title, make in TRIALS.items():
        trials = [make(seed) for seed in range(runs)]
        known = [ours(trial) for trial in trials]
        others = [theirs(trial, python) for trial in trials]
        name = "CBPE" if trials[0].classes else "DLE"
        for quality in trials[0].qualities:
            print(f"\n{title}: {quality}, {runs} runs\n")
            print(f"| shift | real | as in the reference | estimate | NannyML's {name} |")
            print("|---|---|---|---|---|")
            off = []
            for i, shift in enumerate(trials[0].shifted):
                real = np.array([found[shift].real[quality] for found in known])
                sides = (
                    [found[shift].reference[quality] for found in known],
                    [found[shift].estimate[quality] for found in known],
                    [found[quality][i] for found in others],
                )
                off.append([np.abs(np.array(side) - real).mean() for side in sides])
                _line(shift, f"{real.mean():.3g}", off[-1])
            _line("**on average**", "", np.mean(off, axis=0))
        if trials[0].classes:
            labels = [gaps(ours(trial, labels_alone=True), "accuracy")[0] for trial in trials]
            print(f"\nBy labels alone, accuracy is off by {np.mean(labels):.3f}.")


def _line(shift: str, real: str, off: Sequence[float] | Floats) -> None:
    print(f"| {shift} | {real} | {' | '.join(f'{each:.3g}' for each in off)} |", flush=True)
