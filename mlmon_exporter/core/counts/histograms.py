"""Histograms with the same labels, observed together."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from mlmon_exporter.core.records import Exemplar, Histograms

from .table import Labels, Table

Bounds = tuple[float, ...]
Cell = list[float]
"""One histogram: observations per bucket, length bounds + 1, then their sum."""
Cells = tuple[Cell, ...]
"""One histogram of each metric of a family."""


class Family(NamedTuple):
    """Histograms that are observed together and have the same labels."""

    label_names: Labels
    bounds: Mapping[str, Bounds]
    """Metric -> upper bounds of its buckets."""


MANY = 16
"""From so many values on, NumPy counts them faster: a thousand in a fifth of the time."""

is_known = (0.0).__le__
"""False for NaN and negative values; written so for speed, it is asked four times a request."""


class HistogramTable(Table[Cells]):
    """The histograms of a family, by label values. Not thread-safe: its owner locks."""

    __slots__ = ("_bounds", "_names")

    def __init__(self, family: Family) -> None:
        super().__init__(family.label_names)
        self._names = tuple(family.bounds)
        self._bounds = tuple(family.bounds.values())

    def _zeros(self) -> Cells:
        return tuple([0] * (len(bounds) + 2) for bounds in self._bounds)

    def _sum(self, ours: Cells | None, theirs: Cells) -> Cells:
        return self._both(operator.add, ours, theirs)

    def _max(self, ours: Cells | None, theirs: Cells) -> Cells:
        return self._both(max, ours, theirs)

    def _both(
        self, both: Callable[[float, float], float], ours: Cells | None, theirs: Cells
    ) -> Cells:
        pairs = zip(ours or self._zeros(), theirs, strict=True)
        return tuple([both(a, b) for a, b in zip(*pair, strict=True)] for pair in pairs)

    def _read(self, form: Any) -> Cells:
        if not all(isfinite(sum(cell)) for cell in form):
            raise ValueError("histogram: expected finite counts")
        return tuple(form)

    def declare(self, labels: Labels) -> Cells:
        """Return the cells of some label values, which exist from now on."""
        if labels not in self.cells:
            self.cells[labels] = self._zeros()
        return self.cells[labels]

    def observe(self, labels: Labels, columns: Sequence[Sequence[float]]) -> None:
        """Count values, a column for each histogram; NaN and negative ones are left out."""
        count = _count_few if len(columns[0]) < MANY else _count_many
        for cell, bounds, values in zip(self.declare(labels), self._bounds, columns, strict=True):
            count(cell, bounds, values)

    def observe_times(self, labels: Labels, row: Sequence[float], times: int) -> None:
        """Count a row of a value for each histogram so many times."""
        for cell, bounds, value in zip(self.declare(labels), self._bounds, row, strict=True):
            cell[bisect_left(bounds, value)] += times
            cell[-1] += times * value

    def histograms(
        self, exemplars: Sequence[Mapping[int, Exemplar] | None] = ()
    ) -> Iterator[Histograms]:
        """Give each metric; the exemplars are the first one's."""
        labels = self.label_rows()
        for i, (name, bounds) in enumerate(zip(self._names, self._bounds, strict=True)):
            cells = [row[i] for row in self.cells.values()]
            yield Histograms(
                name,
                self.label_names,
                labels,
                [bounds] * len(cells),
                [[int(count) for count in cell[:-1]] for cell in cells],
                [float(cell[-1]) for cell in cells],
                exemplars if i == 0 else (),
            )


def _count_few(cell: Cell, bounds: Bounds, values: Sequence[float]) -> None:
    known = [*filter(is_known, values)]
    for bucket, count in Counter(map(bisect_left, repeat(bounds), known)).items():
        cell[bucket] += count
    cell[-1] += sum(known)


def _count_many(cell: Cell, bounds: Bounds, values: Sequence[float]) -> None:
    known = np.asarray(values, np.float64)
    known = known[known >= 0.0]
    buckets = np.bincount(np.searchsorted(bounds, known), minlength=len(bounds) + 1)
    for bucket in buckets.nonzero()[0].tolist():
        cell[bucket] += int(buckets[bucket])
    cell[-1] += float(known.sum())
