"""Readings by name and label values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from mlmon_exporter.core.records import Histograms, Readings

Block = Readings | Histograms
Labels = tuple[str, ...]


class Numbers:
    """Readings by name and label values, without NaN."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._by_name: dict[str, list[Readings]] = {}
        for block in blocks:
            if isinstance(block, Readings):
                self._by_name.setdefault(block.name, []).append(block)
        self._rows: dict[str, dict[Labels, float]] = {}

    def rows(self, name: str) -> Mapping[Labels, float]:
        """Return all numbers of a name by label values, in the order of the reading's labels."""
        if name not in self._rows:
            self._rows[name] = {
                labels: float(value)
                for block in self._by_name.get(name, ())
                for labels, value in zip(block.labels, block.values, strict=True)
                if value == value
            }
        return self._rows[name]

    def get(self, name: str, *labels: str) -> float:
        """Return one number, NaN where it is absent."""
        return self.rows(name).get(labels, math.nan)
