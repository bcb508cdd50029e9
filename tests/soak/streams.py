"""Made-up traffic: features of many shapes, day and night, and the changes that may come."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]
Change = Callable[[Columns, float, np.random.Generator], Columns]
"""Takes columns, the days since the change began, and randomness; returns changed columns."""

DAY = 86400.0
MISSING_SHARE = 0.01
CATEGORIES = np.array(["card", "cash", "invoice", "transfer", "voucher", "crypto"])
CATEGORY_SHARES = np.array([0.5, 0.25, 0.15, 0.07, 0.029, 0.001])


@dataclass(frozen=True)
class Shape:
    """A model's features: how many, whether they move together, and whether rows of one do."""

    features: int
    is_correlated: bool = False
    request_rows: int = 1
    """Rows of a request."""
    alike: float = 0.8
    """Of a feature's variance, what requests of several rows differ by; the rest is within them."""
    vectors: tuple[str, ...] = ()
    """Columns of vectors, which are no features."""

    def draw(self, rows: int, rng: np.random.Generator) -> Columns:
        """Return rows of all features: normal, lognormal, heavy-tailed, counts and categories."""
        requests = math.ceil(rows / self.request_rows)
        normal = rng.standard_normal((self.features, requests))
        if self.is_correlated:
            normal = math.sqrt(0.7) * rng.standard_normal(requests) + math.sqrt(0.3) * normal
        if self.request_rows > 1:
            shared = np.repeat(normal, self.request_rows, axis=1)[:, :rows]
            own = rng.standard_normal((self.features, rows))
            normal = math.sqrt(self.alike) * shared + math.sqrt(1 - self.alike) * own
        return {
            name: _KINDS[i % len(_KINDS)](z, rng)
            for i, (name, z) in enumerate(zip(self.names, normal, strict=True))
        }

    @property
    def names(self) -> list[str]:
        """Names of the features: `x0` is normal, `x1` lognormal, ..."""
        return [f"x{i}" for i in range(self.features)]


def _normal(z: Rows, rng: np.random.Generator) -> Rows:
    return z


def _lognormal(z: Rows, rng: np.random.Generator) -> Rows:
    values = np.exp(z)
    values[rng.random(len(z)) < MISSING_SHARE] = np.nan
    return values


def _heavy(z: Rows, rng: np.random.Generator) -> Rows:
    return z / np.sqrt(rng.chisquare(2, len(z)) / 2)  # Student's t with 2 degrees of freedom


def _count(z: Rows, rng: np.random.Generator) -> Rows:
    return np.floor(np.exp(0.8 * z + 0.5))


def _category(z: Rows, rng: np.random.Generator) -> NDArray[Any]:
    share = np.interp(z, _GRID, _CDF)
    last = len(CATEGORIES) - 1
    picked = np.minimum(np.searchsorted(np.cumsum(CATEGORY_SHARES), share), last)
    return np.asarray(CATEGORIES[picked])


_GRID = np.linspace(-6, 6, 4001)
_CDF = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in _GRID])
_KINDS: tuple[Callable[[Rows, np.random.Generator], NDArray[Any]], ...] = (
    _normal,
    _lognormal,
    _heavy,
    _count,
    _category,
)


def ticks(
    rows_a_day: float, days: float, seconds: float, rng: np.random.Generator
) -> Iterator[tuple[float, int]]:
    """Give the end of each tick and the rows in it: by day four times those by night."""
    for tick in range(int(days * DAY / seconds)):
        middle = (tick + 0.5) * seconds / DAY
        volume = 1 - 0.6 * math.cos(2 * math.pi * middle)
        yield (tick + 1) * seconds, int(rng.poisson(rows_a_day * volume * seconds / DAY))


def mean_shift(sd: float) -> Change:
    """Shift the normal feature `x0` by so many standard deviations."""
    return lambda columns, days, rng: columns | {"x0": columns["x0"] + sd}


def variance(factor: float) -> Change:
    """Widen `x0`."""
    return lambda columns, days, rng: columns | {"x0": columns["x0"] * factor}


def segment(share: float, sd: float = 3.0) -> Change:
    """Move a share of the rows of `x0`: Dunning's case."""
    return lambda columns, days, rng: (
        columns | {"x0": columns["x0"] + sd * (rng.random(len(columns["x0"])) < share)}
    )


def new_category(share: float) -> Change:
    """Give a share of the rows of `x4` a category that never was."""

    def change(columns: Columns, days: float, rng: np.random.Generator) -> Columns:
        values = columns["x4"].astype(object)
        values[rng.random(len(values)) < share] = "giro"
        return columns | {"x4": values}

    return change


def missing(share: float) -> Change:
    """Raise the missing share of `x1` to `share`."""

    def change(columns: Columns, days: float, rng: np.random.Generator) -> Columns:
        values = columns["x1"].copy()
        values[rng.random(len(values)) < (share - MISSING_SHARE) / (1 - MISSING_SHARE)] = np.nan
        return columns | {"x1": values}

    return change


def slow_drift(sd: float, days_long: float = 7.0) -> Change:
    """Shift `x0` little by little, to `sd` after so many days."""
    return lambda columns, days, rng: (
        columns | {"x0": columns["x0"] + sd * min(1.0, days / days_long)}
    )


CHANGES: Mapping[str, tuple[Change, str]] = {
    "mean +0.1 sd": (mean_shift(0.1), "x0"),
    "mean +0.25 sd": (mean_shift(0.25), "x0"),
    "mean +0.5 sd": (mean_shift(0.5), "x0"),
    "mean +1 sd": (mean_shift(1.0), "x0"),
    "variance x 2": (variance(math.sqrt(2)), "x0"),
    "2 % of rows +3 sd": (segment(0.02), "x0"),
    "new category 2 %": (new_category(0.02), "x4"),
    "missing 1 to 5 %": (missing(0.05), "x1"),
    "+1 sd over a week": (slow_drift(1.0), "x0"),
    "+1 sd over four weeks": (slow_drift(1.0, 28.0), "x0"),
}
"""Name -> the change and the feature that it changes."""
