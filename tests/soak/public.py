"""Public data that statsmodels ships: a known change, joint drift, and what estimates say of it.

Women's marriages (Fair, 1978: how happy, five classes) and visits to a doctor (the RAND health
insurance experiment: a regression). One column is joined from another person, or two are swapped:
each column alone is distributed as ever, or nearly.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from mlmon_exporter.core.model import Model
from tests.core.outcome_rows import NOW, model_of, overall, predicted, tell, told

from .estimates import Rows, parts_of, table_of

FAIR, RAND = "fair", "randhie"
TRUTHS = {FAIR: "rate_marriage", RAND: "mdvis"}
ENDS = {FAIR: (1500, 4800), RAND: (6000, 13_000)}
"""Rows that end the training, and the reference."""
DRAWN, AT_ONCE, CALM = 3000, 50, 1000
SECONDS = 43.2
"""Between rows: 2000 a day."""
SIDES = ("feature", "derived", "prediction")
Change = Callable[[Rows, np.random.Generator], Rows]


def _other(name: str) -> Change:
    return lambda rows, rng: {**rows, name: rng.permutation(rows[name])}


def _swap(a: str, b: str) -> Change:
    return lambda rows, rng: {**rows, a: rows[b], b: rows[a]}


CHANGES: Mapping[str, tuple[str, Change]] = {
    "marriages, unchanged": (FAIR, lambda rows, rng: rows),
    "marriages: years married of another": (FAIR, _other("yrs_married")),
    "marriages: her and his occupation swapped": (FAIR, _swap("occupation", "occupation_husb")),
    "doctors, unchanged": (RAND, lambda rows, rng: rows),
    "doctors: coinsurance of another": (RAND, _other("lncoins")),
    "doctors: good and fair health swapped": (RAND, _swap("hlthg", "hlthf")),
}


class Served:
    """A model of one data set that was trained on a part of it, and rows that it never saw."""

    def __init__(self, name: str, folder: Path, seed: int) -> None:
        with (folder / name / f"{name}.csv").open(newline="") as file:
            records = [*csv.DictReader(file)]
        truth = TRUTHS[name]
        self.features = [column for column in records[0] if column != truth]
        rows: Rows = {c: np.array([float(r[c]) for r in records]) for c in self.features}
        self.classes = ("1", "2", "3", "4", "5") if name == FAIR else ()
        truths = [str(int(float(r[truth]))) if self.classes else float(r[truth]) for r in records]
        rows["truth"] = np.array(truths)
        training, self.reference, self.rest = parts_of(rows, ENDS[name], seed)
        made = HistGradientBoostingClassifier if self.classes else HistGradientBoostingRegressor
        self._model = made(max_iter=40, random_state=0)
        with threadpool_limits(1):
            self._model.fit(table_of(training, self.features), training["truth"])

    def answers(self, rows: Rows) -> Rows:
        """Return what the model predicts."""
        table = table_of(rows, self.features)
        with threadpool_limits(1):
            if not self.classes:
                return {"visits": self._model.predict(table)}
            return dict(zip(self.classes, self._model.predict_proba(table).T, strict=True))

    def watched(self) -> Model:
        """Return what watches the model, with its reference."""
        outputs = self.answers(self.reference)
        names = [*outputs]
        return model_of({**self.reference, **outputs}, names, ground_truth="truth")

    def send(self, model: Model, rows: Rows, at: float, with_truth: bool = False) -> None:
        """Have rows watched, and their outcomes."""
        inputs = {name: rows[name] for name in self.features}
        waiting = predicted(model, inputs, self.answers(rows), at=at)
        if with_truth:
            tell(model, waiting, rows["truth"], now=at)


def rows_until(served: Served, change: Change, seed: int) -> dict[str, tuple[int, str]]:
    """Return side -> rows since the change until its first column drifted, and that column."""
    rng, model, found = np.random.default_rng(seed), served.watched(), {}
    for start in range(0, CALM + DRAWN, AT_ONCE):
        drawn = _drawn(served.rest, AT_ONCE, rng)
        rows = drawn if start < CALM else change(drawn, rng)
        at = NOW + start * SECONDS
        served.send(model, rows, at)
        for (name, *labels), value in told(model, at, "24h").items():
            side = name.removesuffix("_drifted")
            if name.endswith("_drifted") and value == 1.0 and side not in found:
                found[side] = (start + AT_ONCE - CALM, labels[1] if len(labels) > 1 else "")
    return found


def _drawn(rows: Rows, count: int, rng: np.random.Generator) -> Rows:
    at = rng.integers(0, len(rows["truth"]), count)
    return {name: values[at] for name, values in rows.items()}


class Run(NamedTuple):
    """One run of a change."""

    until: Mapping[str, tuple[int, str]]
    """See `rows_until`."""
    reference: Mapping[str, float]
    real: Mapping[str, float]
    estimate: Mapping[str, float]
    """Quality -> its value, of rows after the change; no estimate where it is in doubt."""
    doubt: float


def run(served: Served, change: Change, seed: int) -> Run:
    """Serve a change once."""
    until, rng = rows_until(served, change, seed), np.random.default_rng(seed)
    model = served.watched()
    served.send(model, change(_drawn(served.rest, DRAWN, rng), rng), NOW, with_truth=True)
    said = told(model)
    reference, real, estimate = (
        overall(said, prefix) for prefix in ("reference_quality_", "quality_", "estimated_quality_")
    )
    return Run(until, reference, real, estimate, overall(said, "estimate_doubt_")["ratio"])


def table(folder: Path, runs: int) -> None:
    """Print rows until each side drifts, and estimates, as Markdown.

    Args:
        folder: The data sets of statsmodels.
        runs: Rows are medians of so many, the rest their means.
    """
    print("| change | features | derived | predictions | quality | real | estimate | doubt |")
    print("|---|---|---|---|---|---|---|---|")
    for title, (name, change) in CHANGES.items():
        each = [run(Served(name, folder, seed), change, seed) for seed in range(runs)]
        until = [_until([one.until.get(side) for one in each]) for side in SIDES]
        quality = "accuracy" if name == FAIR else "mae"
        reference, real, estimate = (
            _mean([of(one).get(quality, math.nan) for one in each]) for of in QUALITIES
        )
        doubt = f"{np.mean([one.doubt for one in each]):.3f}"
        cells = [title, *until, f"{quality} {reference}", real, estimate, doubt]
        print(f"| {' | '.join(cells)} |", flush=True)


QUALITIES: Sequence[Callable[[Run], Mapping[str, float]]] = (
    lambda one: one.reference,
    lambda one: one.real,
    lambda one: one.estimate,
)


def _mean(values: list[float]) -> str:
    known = [value for value in values if value == value]
    return f"{np.mean(known):.3g}" if known else "none"


def _until(found: list[tuple[int, str] | None]) -> str:
    rows = sorted(each[0] if each else DRAWN + 1 for each in found)
    middle = rows[len(rows) // 2]
    columns = {each[1] for each in found if each}
    return f"{middle} ({', '.join(sorted(columns))})" if middle <= DRAWN else "missed"
