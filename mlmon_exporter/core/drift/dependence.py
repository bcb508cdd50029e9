"""Dependence in time, measured from live traffic where the reference does not know it.

Each stretch of traffic is compared with its neighbours, three days either side, rather than with
all others: a week has its weekend in it, but a standing change is two or three odd stretches at
its begin, and not a difference between two halves. So a change does not explain itself. What
stretches differ by beyond chance is the natural variation, as in a reference with times, with
Student's doubt while few days were seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.column import Lengths
from mlmon_exporter.core.profile.variation import LEAST_ROWS, LEAST_STRETCHES
from mlmon_exporter.core.stats.scatter import (
    Scatter,
    Sides,
    mean_scatter,
    psi_scatter,
    shape_scatter,
    share_scatter,
)
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.natural import NaturalVariation
from mlmon_exporter.core.windows.stretches import DAY_SECONDS, Counted, Stretches
from mlmon_exporter.core.windows.window import Memo

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

NEIGHBOUR_DAYS = 3
LEAST_DAYS = 6
"""Days that were compared, from which dependence is known: with those at both ends a week."""


class LiveDependence:
    """Natural variation of one side's columns, measured from the stretches of its traffic."""

    def __init__(
        self,
        matrix: ReferenceMatrix,
        stretches: Stretches,
        reference_seconds: float = 0.0,
        values: Mapping[str, Floats] = MappingProxyType({}),
    ) -> None:
        """Take the traffic of the columns of a reference.

        Args:
            matrix: The reference.
            stretches: The traffic.
            reference_seconds: Time that the reference is of, where that is short; else 0.
            values: Quality -> value of the rows of each bin, of a single column; its mean varies.
        """
        self.stretches = stretches
        self._matrix = matrix
        self._reference_seconds = reference_seconds
        self._values = values
        self._known: Memo[bool] = Memo()
        self._kept: Memo[NaturalVariation] = Memo()

    def is_known(self, now: float) -> bool:
        """Tell whether enough days were seen to say how rows depend on each other."""
        days = self.stretches.numbers(now)[DAY_SECONDS]
        return self._known.get(days, lambda: self._days(days) >= LEAST_DAYS)

    def _days(self, numbers: Sequence[int]) -> int:
        return int(_used(self.stretches.of(DAY_SECONDS, numbers)).sum())

    def at(self, now: float, effects: Floats) -> NaturalVariation:
        """Return the variation that stretches until `now`, Unix seconds, show.

        Args:
            now: Unix seconds.
            effects: Design effects of requests, by column.
        """
        # Few days bring great doubt: chance in them would hide all changes.
        numbers = self.stretches.numbers(now) if self.is_known(now) else {}
        return self._kept.get(numbers, lambda: self._measured(numbers, effects))

    def _measured(
        self, numbers: Mapping[float, Sequence[int]], effects: Floats
    ) -> NaturalVariation:
        found: list[dict[float, dict[str, Scatter]]] = [{} for _ in self._matrix.references]
        # Longest first: a part varies no less than the whole.
        for seconds in sorted(numbers, reverse=True):
            counted = self.stretches.of(seconds, numbers[seconds])
            is_used = _used(counted)
            degrees = len(np.unique(counted.starts[is_used] // DAY_SECONDS)) - 1.0
            if is_used.sum() < LEAST_STRETCHES or degrees < 2:
                continue
            here = counted.bins[is_used]
            near = _neighbours(counted.starts, counted.bins)[is_used]
            for j, column in enumerate(found):
                start, end = self._matrix.layout.bin_starts[j : j + 2]
                sides = Sides(here[:, start:end], near[:, start:end], float(effects[j]))
                own = {
                    **scatters(sides, degrees, is_numeric=bool(self._matrix.is_numeric[j])),
                    **mean_scatters(sides, degrees, self._values),
                }
                longer = column[min(column)] if column else {}
                column[seconds] = _greatest(own, longer)
        by_column: list[Lengths] = [*found]
        return NaturalVariation(by_column, self._reference_seconds)


def _used(counted: Counted) -> NDArray[np.bool_]:
    """Return the stretches that have rows enough, and neighbours."""
    near = _neighbours(counted.starts, counted.rows)
    return np.asarray((counted.rows >= LEAST_ROWS) & (near >= LEAST_ROWS))


def _neighbours(starts: Floats, rows: Counts) -> Counts:
    """Return for each stretch the rows of those up to `NEIGHBOUR_DAYS` away.

    Args:
        starts: Unix seconds, ascending.
        rows: Of the stretches, the first axis.
    """
    reach = NEIGHBOUR_DAYS * DAY_SECONDS
    before = np.concatenate((np.zeros_like(rows[:1]), np.cumsum(rows, axis=0)))
    first = np.searchsorted(starts, starts - reach, side="left")
    last = np.searchsorted(starts, starts + reach, side="right")
    return np.asarray(before[last] - before[first] - rows)


def scatters(sides: Sides, degrees: float, *, is_numeric: bool) -> dict[str, Scatter]:
    """Return the scatter of each deciding score that independent rows do not explain.

    Tails are not told by bins: they vary as the shape does.

    Args:
        sides: Bins of one column, missing last, unseen before it where it is not numeric.
        degrees: How many of the stretches are independent.
        is_numeric: Of the column.
    """
    count = sides.stretches.shape[1]
    place = np.arange(count)
    shares = (
        {"missing_ratio": count - 1}
        if is_numeric
        else {
            "missing_ratio": count - 1,
            "unseen_ratio": count - 2,
        }
    )
    found = {
        score: share_scatter(*sides.share(place == at), sides.noise, degrees)
        for score, at in shares.items()
    }
    found["psi"] = psi_scatter(sides, place, degrees)
    if is_numeric:
        values = Sides(sides.stretches[:, :-1], sides.rest[:, :-1], sides.effect)
        has_rows = (values.stretches.sum(axis=1) > 0) & (values.rest.sum(axis=1) > 0)
        values = Sides(values.stretches[has_rows], values.rest[has_rows], sides.effect)
        found["ks_statistic"] = shape_scatter(values, degrees)
    return {score: scatter for score, scatter in found.items() if scatter is not None}


def mean_scatters(sides: Sides, degrees: float, values: Mapping[str, Floats]) -> dict[str, Scatter]:
    """Return the scatter of the mean of each value that independent rows do not explain.

    Args:
        sides: Bins of one column.
        degrees: How many of the stretches are independent.
        values: Name -> value of the rows of each bin.
    """
    shares = sides.stretches.sum(axis=0) / sides.stretches.sum()
    found: dict[str, Scatter] = {}
    for name, value in values.items():
        off = value - shares @ value
        variance = float(shares @ off**2)
        if variance <= 0:
            continue
        here, near = (rows @ off / rows.sum(axis=1) for rows in sides[:2])
        excess_kurtosis = float(shares @ off**4) / variance**2 - 3
        gaps = (here - near) / math.sqrt(variance)
        scatter = mean_scatter(gaps, sides.noise, degrees, excess_kurtosis)
        found |= {name: scatter} if scatter is not None else {}
    return found


class Followed:
    """Live dependence as some readings know it; their verdicts are judged anew when that changes.

    Those made before it was known took rows for independent.
    """

    def __init__(self, dependence: LiveDependence) -> None:
        self._dependence = dependence
        self._was_known: bool | None = None

    def at(self, now: float, effects: Floats) -> tuple[NaturalVariation, bool]:
        """Return the variation until `now`, and true if verdicts must be judged anew.

        The arguments are those of `LiveDependence.at`.
        """
        was_known, self._was_known = self._was_known, self._dependence.is_known(now)
        return self._dependence.at(now, effects), self._was_known != was_known


def _greatest(own: Mapping[str, Scatter], longer: Mapping[str, Scatter]) -> dict[str, Scatter]:
    """Return of each score the greater scatter."""
    merged = {**longer, **own}
    return {
        score: max(
            (s for s in (own.get(score), longer.get(score)) if s is not None),
            key=lambda scatter: scatter.variance,
        )
        for score in merged
    }
