"""Requests that stand for others: the newest of each bucket whose trace is known."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlmon_exporter.core.labels import read_labels
from mlmon_exporter.core.records import Exemplar

from .histograms import Bounds, is_known

EXEMPLAR_SECONDS = 600.0
"""An exemplar older than this is not shown: its trace tells nothing about the present."""

Labels = tuple[str, ...]


class Exemplars:
    """The newest exemplar of each bucket of each histogram of one metric. Not thread-safe."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.marks: dict[Labels, dict[int, Exemplar]] = {}
        """Labels -> number of the bucket -> exemplar."""

    def mark(self, labels: Labels, exemplar: Exemplar) -> None:
        """Have one for its bucket; a value that is not known has none."""
        if is_known(exemplar.value):
            self._put(labels, bisect_left(self._bounds, exemplar.value), exemplar)

    def merge(self, labels: Labels, marks: Mapping[int, Exemplar]) -> None:
        """Take those of another that are newer."""
        ours = self.marks.get(labels, {})
        for bucket, mark in marks.items():
            if bucket not in ours or mark.timestamp > ours[bucket].timestamp:
                self._put(labels, bucket, mark)

    def _put(self, labels: Labels, bucket: int, exemplar: Exemplar) -> None:
        self.marks.setdefault(labels, {})[bucket] = exemplar

    def since(self, rows: Iterable[Labels], oldest: float) -> list[Mapping[int, Exemplar] | None]:
        """Return those of each of some labels, from `oldest`, Unix seconds; None for none."""
        return [
            {i: mark for i, mark in marks.items() if mark.timestamp >= oldest} or None
            for marks in (self.marks.get(labels, {}) for labels in rows)
        ]

    def to_list(self) -> list[Any]:
        """Return all as plain lists, for the state on disk."""
        return [
            [list(labels), i, list(mark)]
            for labels, marks in self.marks.items()
            for i, mark in marks.items()
        ]

    def read(self, form: Sequence[Any]) -> None:
        """Add those of that form; raises ValueError or TypeError where it is damaged."""
        for labels, i, (*ids, value, timestamp) in form:
            trace, span = read_labels(ids, 2)
            mark = Exemplar(trace, span, float(value), float(timestamp))
            self._put(read_labels(labels, 3), int(i), mark)
