"""Histograms with the same labels, observed together."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from math import isfinite
from typing import Any, NamedTuple

from mlmon_exporter.core.labels import read_labels
from mlmon_exporter.core.records import Exemplar, Histograms

Bounds = tuple[float, ...]
Cell = list[float]
"""One histogram: observations per bucket, length bounds + 1, then their sum."""
Both = Callable[[Any, Any], Any]
"""Makes one number of two."""


class Family(NamedTuple):
    """Histograms that are observed together and have the same labels."""

    label_names: tuple[str, ...]
    bounds: Mapping[str, Bounds]
    """Metric -> upper bounds of its buckets."""


is_known = (0.0).__le__
"""False for NaN and negative values; written so for speed, it is asked four times a request."""


class HistogramTable:
    """The histograms of a family, by label values. Not thread-safe: its owner locks."""

    __slots__ = ("_bounds", "_family", "_labels", "cells")

    def __init__(self, family: Family) -> None:
        self._family = family
        self._bounds = tuple(family.bounds.values())
        self._labels: tuple[tuple[str, ...], ...] = ()
        self.cells: dict[tuple[str, ...], tuple[Cell, ...]] = {}

    def add(self, labels: tuple[str, ...]) -> tuple[Cell, ...]:
        """Return the cells of some label values, which exist from now on."""
        if labels not in self.cells:
            self.cells[labels] = tuple([0] * (len(bounds) + 2) for bounds in self._bounds)
        return self.cells[labels]

    def observe(self, labels: tuple[str, ...], rows: Iterable[Sequence[float]]) -> None:
        """Count rows of a value for each histogram; NaN and negative values are left out."""
        columns = zip(*rows, strict=True)
        for cell, bounds, values in zip(self.add(labels), self._bounds, columns, strict=True):
            known = [*filter(is_known, values)]
            for bucket, count in Counter(map(bisect_left, repeat(bounds), known)).items():
                cell[bucket] += count
            cell[-1] += sum(known)

    def merge(
        self, labels: tuple[str, ...], theirs: Iterable[Cell], both: Both = operator.add
    ) -> None:
        """Add another's cells of some label values, or make something else of each two numbers."""
        for ours, cell in zip(self.add(labels), theirs, strict=True):
            ours[:] = [both(a, b) for a, b in zip(ours, cell, strict=True)]

    def drop(self, versions: Collection[tuple[str, ...]]) -> None:
        """Drop the cells whose first label values, model and version, are among these."""
        self.cells = {k: cells for k, cells in self.cells.items() if k[:2] not in versions}
        self._labels = ()

    def read(self, form: Iterable[Any]) -> None:
        """Add cells, each with its label values, of the state on disk.

        Raises:
            ValueError: They are damaged; or TypeError.
        """
        for labels, cells in form:
            if not all(isfinite(sum(cell)) for cell in cells):
                raise ValueError("histogram: expected finite counts")
            self.merge(read_labels(labels, len(self._family.label_names)), cells)

    def label_rows(self) -> tuple[tuple[str, ...], ...]:
        """Return all label values: the same object until there are new ones."""
        if len(self._labels) != len(self.cells):
            self._labels = tuple(self.cells)
        return self._labels

    def histograms(
        self, exemplars: Sequence[Mapping[int, Exemplar] | None]
    ) -> Iterator[Histograms]:
        """Give each metric; the exemplars are the first one's."""
        labels = self.label_rows()
        for i, (name, bounds) in enumerate(self._family.bounds.items()):
            cells = [row[i] for row in self.cells.values()]
            yield Histograms(
                name,
                self._family.label_names,
                labels,
                [bounds] * len(cells),
                [[int(count) for count in cell[:-1]] for cell in cells],
                [float(cell[-1]) for cell in cells],
                exemplars if i == 0 else (),
            )
