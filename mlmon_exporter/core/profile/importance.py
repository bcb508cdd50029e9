"""Importance of features: how much of a model's outputs each explains, told by bins alone.

Rows are counted by bin of a feature and bin of an output; Cramér's V of that table, corrected for
bias, is 0 where the output does not depend on the feature and 1 where it is a function of it. Its
square is to the feature what explained variance is. What a stronger feature says as well is taken
off: of two copies, a model may use either. Shares of the sum are the importance.

Source: Bergsma (2013), A bias-correction for Cramér's V and Tschuprow's T; redundancy as in Peng,
Long and Ding (2005), Feature selection based on mutual information.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .categories import CategoryCounts
from .column import ColumnReference
from .variation import cells_of

Floats = NDArray[np.float64]
AT_ONCE, LEAST_AT_ONCE = 4096, 1024
"""Rows of a chunk that are counted, evenly spaced: a V of so many is off by some hundredths."""
MOST_PRODUCTS = 2**33
MOST_BINS = 2048
"""Of all columns together: with more, features are held against outputs alone."""
MOST_CELLS = 2**22
"""Numbers in memory at once, of rows that are not counted yet."""


class Dependence:
    """Rows by bins of two columns, for all pairs. Memory does not grow with rows."""

    def __init__(
        self, features: Sequence[ColumnReference], outputs: Sequence[ColumnReference]
    ) -> None:
        self._outputs = len(outputs)
        self._columns = (*outputs, *features)
        sizes = [len(column.bins.bin_names) for column in self._columns]
        self._ends = np.cumsum(sizes)
        self._starts = self._ends - sizes
        every, of_outputs = int(self._ends[-1]), sum(sizes[: len(outputs)])
        self._knows_features = every <= MOST_BINS
        self._joint = np.zeros((every, every if self._knows_features else of_outputs))

    def count(self, columns: Mapping[str, Any], rows: int) -> None:
        """Count rows: name -> a value for each; categories that are counted have their codes."""
        every, sides = self._joint.shape
        wanted = min(AT_ONCE, max(LEAST_AT_ONCE, MOST_PRODUCTS // (every * sides)))
        step = max(1, rows // wanted)
        bins = np.array([_bins_of(column, columns[column.name], step) for column in self._columns])
        places = bins + self._starts[:, None]
        for some in np.array_split(places, 1 + places.shape[1] * every // MOST_CELLS, axis=1):
            is_in = np.zeros((some.shape[1], every), dtype=np.float32)
            is_in[np.arange(len(is_in)), some] = 1.0
            self._joint += is_in.T @ is_in[:, :sides]

    def weights(self) -> dict[str, float]:
        """Return feature -> its weight, 0 to 1."""
        features = range(self._outputs, len(self._columns))
        own = {
            i: float(np.mean([self._squared_v(i, output) for output in range(self._outputs)]))
            for i in features
        }
        found: dict[str, float] = {}
        stronger: list[int] = []
        for i in sorted(features, key=lambda i: -own[i]):
            said = max((self._squared_v(i, other) for other in stronger), default=0.0)
            found[self._columns[i].name] = float(own[i] * (1.0 - said))
            if self._knows_features:
                stronger.append(i)
        return found

    def _squared_v(self, i: int, j: int) -> float:
        rows, columns = (slice(self._starts[k], self._ends[k]) for k in (i, j))
        return squared_v(self._joint[rows, columns])


def squared_v(table: Floats) -> float:
    """Return the square of Cramér's V between the rows and columns of a table, without bias.

    0 where either side has one value, or the table has no rows.
    """
    used = table[table.any(axis=1)][:, table.any(axis=0)]
    total, (rows, columns) = used.sum(), used.shape
    if min(rows, columns) < 2 or total < 2:
        return 0.0
    expected = np.outer(used.sum(axis=1), used.sum(axis=0)) / total
    raw = float(((used - expected) ** 2 / expected).sum() / total)
    by_chance = (rows - 1) * (columns - 1) / (total - 1)
    most = min(side - (side - 1) ** 2 / (total - 1) for side in (rows, columns)) - 1
    return min(1.0, max(0.0, raw - by_chance) / most) if most > 0 else 0.0


def with_importance(
    features: Sequence[ColumnReference], weights: Mapping[str, float]
) -> tuple[ColumnReference, ...]:
    """Return features with shares of the weights' sum; unknown where that is 0.

    Args:
        features: All features of a model.
        weights: Feature -> 0 or more; 0 where it is not named.
    """
    own = [weights.get(column.name, 0.0) for column in features]
    total = sum(own)
    return tuple(
        replace(column, importance=float(weight / total) if total else np.nan)
        for column, weight in zip(features, own, strict=True)
    )


def _bins_of(column: ColumnReference, values: Any, step: int) -> NDArray[np.intp]:
    """Return the bin of each `step`-th value."""
    if isinstance(values, CategoryCounts) and values.codes is not None:
        some: Any = values._replace(codes=values.codes[::step])
    else:
        some = values[::step]
    return column.bins.bin_of_cell[cells_of(column.bins, some)]
