"""Changes that no single feature shows, and false alarms of the columns that do."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from mlmon_exporter.core.derived.joint import JointColumns

from . import dependent
from .simulate import Cell, run
from .streams import DAY, Change, Columns, Rows, Shape, mean_shift

CALM_DAYS, DAYS = 1.0, 4.0
ROWS_A_DAY = 2000.0
REFERENCE_ROWS = 20_000
UNKNOWN_DIGIT, UNKNOWN_SHARE = 7, 0.1
PIXEL_NOISE = 0.5
TOPICS = 10


@dataclass(frozen=True)
class Related(Shape):
    """Eight normal features: two pairs that go together, and two causes of all."""

    features: int = 8
    loading: float = 0.6

    def draw(self, rows: int, rng: np.random.Generator) -> Columns:
        causes = rng.standard_normal((2, rows))
        own = rng.standard_normal((self.features, rows))
        mixed = self.loading * causes[np.arange(self.features) % 2] + 0.8 * own
        mixed[1] = 0.8 * mixed[0] + 0.6 * own[1]
        mixed[5] = 0.8 * mixed[4] + 0.6 * own[5]
        return dict(zip(self.names, mixed, strict=True))


@dataclass(frozen=True)
class HeavyTails(Related):
    """The same with tails of a Student's t of few degrees of freedom."""

    def draw(self, rows: int, rng: np.random.Generator) -> Columns:
        return {name: np.sinh(1.5 * values) for name, values in super().draw(rows, rng).items()}


@dataclass(frozen=True)
class Digits(Shape):
    """Pixels of written digits, one of which the reference does not have."""

    features: int = 64

    def draw(self, rows: int, rng: np.random.Generator) -> Columns:
        images, digits = _images()
        return _pixels(images[digits != UNKNOWN_DIGIT], rows, rng)


@dataclass(frozen=True)
class Embeddings(Shape):
    """Vectors of unit length about ten topics, and a feature that has nothing to do with them."""

    features: int = 1
    vectors: tuple[str, ...] = ("embedding",)
    width: int = 768
    noise: float = 2.0

    def draw(self, rows: int, rng: np.random.Generator) -> Columns:
        return self.about(rng.integers(0, TOPICS, rows), rng)

    def about(self, topics: NDArray[np.int64], rng: np.random.Generator) -> Columns:
        """Return rows about these topics, numbers up to `TOPICS`, which the reference has not."""
        centers = np.random.default_rng(0).standard_normal((TOPICS + 1, self.width))
        found = centers[topics] + self.noise * rng.standard_normal((len(topics), self.width))
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        return {"embedding": found, "x0": rng.standard_normal(len(topics))}


@cache
def _images() -> tuple[Rows, Rows]:
    found = load_digits()
    return found.data, found.target


def _pixels(images: Rows, rows: int, rng: np.random.Generator) -> Columns:
    drawn = images[rng.integers(0, len(images), rows)]
    drawn = drawn + PIXEL_NOISE * rng.standard_normal(drawn.shape)
    return {f"x{i}": values for i, values in enumerate(drawn.T)}


def _flip(columns: Columns, days: float, rng: np.random.Generator) -> Columns:
    return columns | {"x1": -columns["x1"]}


def _swap(columns: Columns, days: float, rng: np.random.Generator) -> Columns:
    return columns | {"x1": columns["x4"], "x4": columns["x1"]}


def _unknown(columns: Columns, days: float, rng: np.random.Generator) -> Columns:
    images, digits = _images()
    rows = len(columns["x0"])
    others = _pixels(images[digits == UNKNOWN_DIGIT], rows, rng)
    is_other = rng.random(rows) < UNKNOWN_SHARE
    return {name: np.where(is_other, others[name], columns[name]) for name in columns}


def _new_topic(columns: Columns, days: float, rng: np.random.Generator) -> Columns:
    rows = len(columns["x0"])
    topics = rng.integers(0, TOPICS, rows)
    return Embeddings().about(np.where(rng.random(rows) < UNKNOWN_SHARE, TOPICS, topics), rng)


def _blur(columns: Columns, days: float, rng: np.random.Generator) -> Columns:
    square = np.array([*columns.values()]).reshape(8, 8, -1)
    near = [np.roll(square, step, axis) for step in (-1, 1) for axis in (0, 1)]
    blurred = (square + sum(near)) / 5
    return dict(zip(columns, blurred.reshape(64, -1), strict=True))


NEW_TOPIC = "a new topic in 10 % of embeddings of 768 numbers"
CASES: Mapping[str, tuple[Shape, Change]] = {
    "correlation flips": (Related(), _flip),
    "two features are swapped": (Related(), _swap),
    "correlation flips, heavy tails": (HeavyTails(), _flip),
    "two features are swapped, heavy tails": (HeavyTails(), _swap),
    "an unknown digit in 10 % of rows": (Digits(), _unknown),
    "blurred digits": (Digits(), _blur),
    NEW_TOPIC: (Embeddings(), _new_topic),
    "mean +0.5 sd": (Related(), mean_shift(0.5)),
    "mean +0.25 sd": (Related(), mean_shift(0.25)),
}


def rows_until_seen(case: str, seed: int, *, joint: bool = True) -> dict[str, float]:
    """Return the rows from the change to the first alarm of each column that alarmed.

    Args:
        case: A key of `CASES`.
        seed: Of the reference and the traffic.
        joint: Columns are derived; without them thresholds are those of features alone.
    """
    shape, change = CASES[case]
    cell = Cell(shape, ROWS_A_DAY, REFERENCE_ROWS, days=DAYS, joint=joint)
    began, found = 0, dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "reference.json")
        for look in run(cell, seed, path, change, CALM_DAYS):
            if look.at <= CALM_DAYS * DAY:
                began = look.rows
            for name, _ in look.alarms:
                found.setdefault(name, float(look.rows - began))
    return found


def first_of(found: Mapping[str, float], is_ours: Callable[[str], bool]) -> float:
    """Return the rows until the first of some columns alarmed; NaN if none did."""
    return min((rows for name, rows in found.items() if is_ours(name)), default=math.nan)


def table(runs: int) -> None:
    """Print the rows that each change takes, then false alarms, as Markdown."""
    derived = JointColumns.names
    print(f"| change | features alone | {' | '.join(derived)} | any |")
    print("|---|" + "---|" * (len(derived) + 2))
    for case, (shape, _) in CASES.items():
        alone = [rows_until_seen(case, seed, joint=False) for seed in range(runs)]
        found = [rows_until_seen(case, seed) for seed in range(runs)]
        cells = [_median([first_of(each, shape.names.__contains__) for each in alone])]
        cells += [_median([each.get(name, math.nan) for each in found]) for name in derived]
        cells.append(_median([first_of(each, lambda name: True) for each in found]))
        print(f"| {case} | {' | '.join(cells)} |", flush=True)
    print("\n| unchanged traffic | false alarms of derived columns in 30 days |\n|---|---|")
    for name, alarms in _false_alarms(runs):
        print(f"| {name} | {alarms} |", flush=True)


def _median(rows: list[float]) -> str:
    missed = sum(map(math.isnan, rows))
    if missed > len(rows) / 2:
        return "missed"
    middle = float(np.nanmedian(rows))
    return f"{middle:,.0f}" + (f", missed {missed} of {len(rows)}" if missed else "")


def _false_alarms(runs: int) -> Iterator[tuple[str, str]]:
    for shape in (Related(), HeavyTails(), Embeddings()):
        cell, found = Cell(shape, ROWS_A_DAY, REFERENCE_ROWS), 0
        for seed in range(runs):
            with tempfile.TemporaryDirectory() as folder:
                looks = run(cell, 100 + seed, str(Path(folder) / "reference.json"))
                alarms = [name for look in looks for name, _ in look.alarms]
            found += sum(name not in shape.names for name in alarms)
        yield f"{type(shape).__name__}, independent rows", f"{found} in {runs} runs"
    for process in ("AR(1) .99", "days differ by .3 sd", "nights +1.5 sd"):
        for is_timed in (True, False):
            stream = dependent.Stream(process, is_timed=is_timed, is_joint=True)
            found = sum(len(dependent.rises(stream, seed)) for seed in range(runs))
            said = "reference with times" if is_timed else "without"
            yield f"{process}, {said}", f"{found} in {runs} runs"
