"""Natural variation of all columns of a side, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.column import Lengths, natural

Floats = NDArray[np.float64]
Fields = tuple[Floats, Floats, Floats]
"""The fields of `Scatter`, each by column."""


class NaturalVariation:
    """Natural variation of the scores of all columns, at lengths that were measured."""

    def __init__(self, by_column: Sequence[Lengths], reference_seconds: float = 0.0) -> None:
        """Take the variation of each column.

        Args:
            by_column: Length -> deciding score -> its scatter, of each column.
            reference_seconds: Time that the reference is of, if it is so short that the reference
                is one more stretch that varies; else 0.
        """
        self._by_column = by_column
        self._reference_seconds = reference_seconds
        self._kept: dict[tuple[str, float], Fields] = {}

    def of(self, score: str, seconds: float) -> Fields:
        """Return the scatter of a score between the reference and so many seconds of traffic."""
        # A window holds one of its panes' multiples: few spans, asked for at each scrape.
        kept = self._kept.get((score, seconds))
        if kept is None:
            variance, degrees, strongest = self._at(score, seconds)
            if self._reference_seconds:
                more, _, strong = self._at(score, self._reference_seconds)
                variance, strongest = variance + more, strongest + strong
            kept = self._kept[score, seconds] = variance, degrees, strongest
        return kept

    def _at(self, score: str, seconds: float) -> Fields:
        found = [natural(each, score, seconds) for each in self._by_column]
        variance, degrees, strongest = np.array(found).reshape(-1, 3).T
        return variance, degrees, strongest
