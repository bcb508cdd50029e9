"""Exemplars: the newest request of each bucket whose trace is known."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

from mlmon_exporter.core.labels import read_labels
from mlmon_exporter.core.records import Exemplar

from .histograms import Bounds, is_known
from .table import Labels, Table

EXEMPLAR_SECONDS = 600.0
"""An exemplar older than this is not shown: its trace tells nothing about the present."""

Marks = dict[int, Exemplar]
"""Number of a bucket -> its exemplar."""


class Exemplars(Table[Marks]):
    """The newest exemplar of each bucket of the histograms of one metric. Not thread-safe."""

    __slots__ = ("_bounds",)

    def __init__(self, label_names: Labels, bounds: Bounds) -> None:
        super().__init__(label_names)
        self._bounds = bounds

    def mark(self, labels: Labels, exemplar: Exemplar) -> None:
        """Make an exemplar that of its bucket; one without a known value has none."""
        if is_known(exemplar.value):
            bucket = bisect_left(self._bounds, exemplar.value)
            self.cells.setdefault(labels, {})[bucket] = exemplar

    def _sum(self, ours: Marks | None, theirs: Marks) -> Marks:
        newest = dict(ours or {})
        for bucket, mark in theirs.items():
            if bucket not in newest or mark.timestamp > newest[bucket].timestamp:
                newest[bucket] = mark
        return newest

    _max = _sum

    def since(self, rows: Iterable[Labels], oldest: float) -> Sequence[Marks | None]:
        """Return those of each of some labels, from `oldest`, Unix seconds; None for none."""
        return [
            {i: mark for i, mark in marks.items() if mark.timestamp >= oldest} or None
            for marks in (self.cells.get(labels, {}) for labels in rows)
        ]

    def to_form(self) -> list[Any]:
        """Return all as plain lists, one for each bucket."""
        return [
            [list(labels), i, list(mark)]
            for labels, marks in self.cells.items()
            for i, mark in marks.items()
        ]

    def read(self, form: Iterable[Any]) -> None:
        """Add those of that form; raises ValueError or TypeError where it is damaged."""
        for labels, *mark in form:
            self.merge(read_labels(labels, len(self.label_names)), self._read(mark))

    def _read(self, form: Any) -> Marks:
        i, (*ids, value, timestamp) = form
        trace, span = read_labels(ids, 2)
        return {int(i): Exemplar(trace, span, float(value), float(timestamp))}
