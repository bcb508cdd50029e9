"""Expected losses of a regression: functions of a row, fitted on the reference, no outcome needed.

The absolute and the squared error that a row leads to expect are sums of numbers, one for the bin
of each of its features and outputs. Their means over a window follow from its counts alone, which
panes, workers and hosts add up: no row is read again.

Sources: Hastie and Tibshirani (1990), Generalized Additive Models; Hoerl and Kennard (1970), Ridge
Regression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.profile.categories import CategoryCounts
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.variation import cells_of

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

LEAST_ROWS = 1000
RIDGE = 10.0
"""Rows of no loss but the mean that each bin is given: few real ones say little."""
MOST_BINS = 1024
"""Of all columns that take part, the most important features first."""
MOST_PRODUCTS = 2**32
"""Of a chunk: with many bins fewer rows are fitted to, evenly spaced; see `rows_at_once`."""
MOST_AT_ONCE, LEAST_AT_ONCE = 2**14, 2**10


@dataclass(frozen=True)
class ColumnLosses:
    """Losses to be added for the value of one column."""

    name: str
    places: tuple[float, ...] | tuple[str, ...]
    """Edges between intervals, ascending, each the upper one of its interval; or categories."""
    losses: Floats
    """Shape (2, places + 2): absolute and squared, of each interval or of each category and all
    others, then of missing values."""

    def of_places(self) -> Floats:
        """Return the losses, and 0 for what is not known at the end, shape (2, places + 3)."""
        return np.column_stack((self.losses, np.zeros(2)))

    def places_of(self, column: ColumnReference) -> Sequence[int]:
        """Return which of these each cell of a column has."""
        last, bins = len(self.places), column.bins
        missing, unknown = last + 1, last + 2
        if isinstance(bins, CategoryBins):
            known = {place: i for i, place in enumerate(self.places)}
            which = [known.get(name, last) for name in bins.categories]
            return [*which, last, unknown, missing]
        inner = np.searchsorted(np.array(self.places, dtype=np.float64), bins.edges)
        return [*inner.tolist(), last, missing]

    def fits(self, column: ColumnReference) -> bool:
        """Return whether a column is of the kind that places are of."""
        is_category = bool(self.places) and isinstance(self.places[0], str)
        return not self.places or is_category == isinstance(column.bins, CategoryBins)

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds them."""
        return {"name": self.name, "places": [*self.places], "losses": self.losses.tolist()}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        places, losses = tuple(form["places"]), np.array(form["losses"], dtype=np.float64)
        kinds = {*map(type, places)}
        if losses.shape != (2, len(places) + 2) or not np.isfinite(losses).all():
            raise ValueError(f"{form['name']}: expected two losses for each place, got others")
        if not (kinds <= {str} or kinds <= {int, float}):
            raise ValueError(f"{form['name']}: expected numbers or texts as places")
        return cls(str(form["name"]), places, losses)


@dataclass(frozen=True)
class ExpectedLosses:
    """Absolute and squared error to be expected, by the values of a row."""

    means: Floats
    """Of the reference, shape (2,)."""
    columns: tuple[ColumnLosses, ...]
    """Differences from the means, features and outputs."""

    def by_place(self, side: Sequence[ColumnReference]) -> tuple[Floats, NDArray[np.uint32]]:
        """Return the losses of places, shape (2, places), and the place of each of a side's cells.

        Cells are those of its columns, one after another; where nothing is known losses are 0.
        """
        known = {each.name: each for each in self.columns}
        losses, which, places = [np.zeros((2, 1))], [np.empty(0, dtype=np.uint32)], 1
        for column in side:
            own = known.get(column.name)
            if own is None or not own.fits(column):
                which.append(np.zeros(column.bins.cell_count, dtype=np.uint32))
                continue
            which.append(np.array(own.places_of(column), dtype=np.uint32) + np.uint32(places))
            losses.append(own.of_places())
            places += losses[-1].shape[1]
        return np.concatenate(losses, axis=1), np.concatenate(which)

    def of_cells(self, side: Sequence[ColumnReference]) -> Floats:
        """Return the losses of all cells of a side's columns, one after another: (2, cells)."""
        losses, which = self.by_place(side)
        return losses[:, which]

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds them."""
        columns = [each.to_dict() for each in self.columns]
        return {"means": self.means.tolist(), "columns": columns}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        means = np.array(form["means"], dtype=np.float64)
        if means.shape != (2,) or not np.isfinite(means).all():
            raise ValueError("expected: means: expected two finite numbers")
        return cls(means, tuple(map(ColumnLosses.from_dict, form["columns"])))


class LossFit:
    """Fits expected losses to rows in one pass, in memory that does not grow with them."""

    def __init__(
        self, features: Sequence[ColumnReference], outputs: Sequence[ColumnReference]
    ) -> None:
        self._columns = [*_chosen(features, outputs)]
        sizes = [len(column.bins.bin_starts) for column in self._columns]
        self._starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.intp)
        bins = int(self._starts[-1])
        self._rows = 0
        self._products = np.zeros((bins, bins))
        """Rows by bins of two columns; on its diagonal rows by bin."""
        self._losses = np.zeros((2, bins))
        """Sums by bin."""
        self._total = np.zeros(2)

    @property
    def rows_at_once(self) -> int:
        """Rows of a chunk that are enough."""
        wanted = MOST_PRODUCTS // max(1, len(self._products) ** 2)
        return min(MOST_AT_ONCE, max(LEAST_AT_ONCE, wanted))

    def add(self, columns: Mapping[str, Any], at: Index, errors: Floats) -> None:
        """Add some rows of a chunk.

        Args:
            columns: The chunk: name -> a value for each row; categories have their codes.
            at: The rows.
            errors: Absolute error of each.
        """
        with np.errstate(over="ignore"):
            losses = np.array((errors, np.square(errors)))
        is_finite = np.isfinite(losses[1])
        at, losses = at[is_finite], losses[:, is_finite]
        is_in = np.zeros((len(at), len(self._products)), dtype=np.float32)
        for column, start in zip(self._columns, self._starts, strict=False):
            cells = cells_of(column.bins, _some(columns[column.name], at))
            bins = np.searchsorted(column.bins.bin_starts, cells, side="right") - 1
            is_in[np.arange(len(at)), start + bins] = 1.0
        self._rows += len(at)
        self._products += is_in.T @ is_in
        self._losses += losses @ is_in
        self._total += losses.sum(axis=1)

    def fitted(self, means: Floats) -> ExpectedLosses | None:
        """Return the losses; None if rows are too few, or losses too large for numbers.

        Args:
            means: Absolute and squared error of all rows of the reference, shape (2,).
        """
        if self._rows < LEAST_ROWS or not len(self._products):
            return None
        shares, own = np.diag(self._products) / self._rows, self._total / self._rows
        scatter = self._products - self._rows * np.outer(shares, shares)
        together = self._losses - self._rows * np.outer(own, shares)
        solved = np.linalg.solve(scatter + RIDGE * np.eye(len(shares)), together.T)
        weights = np.asarray(solved.T, dtype=np.float64)
        if not np.isfinite(weights).all() or not np.isfinite(means).all():
            return None
        return ExpectedLosses(means, tuple(self._by_column(weights)))

    def _by_column(self, weights: Floats) -> Iterator[ColumnLosses]:
        """Give the losses of each column, of mean 0 over its rows in the reference."""
        for column, own in zip(
            self._columns, np.split(weights, self._starts[1:-1], 1), strict=True
        ):
            bins = column.bins
            shares = np.add.reduceat(column.counts, bins.bin_starts) / column.rows
            losses = own - (own @ shares)[:, None]
            places: Any = () if isinstance(bins, CategoryBins) else bins.bin_edges.tolist()
            if isinstance(bins, CategoryBins):
                # Unseen values have no rows, and no loss.
                losses, places = np.delete(losses, -2, axis=1), bins.categories
            yield ColumnLosses(column.name, tuple(places), losses)


def _chosen(
    features: Sequence[ColumnReference], outputs: Sequence[ColumnReference]
) -> Iterator[ColumnReference]:
    """Give the columns that take part: they tell rows apart, and have few enough bins."""
    weighty = sorted(features, key=lambda column: -np.nan_to_num(column.importance))
    left = MOST_BINS
    for column in (*outputs, *weighty):
        size = len(column.bins.bin_starts)
        is_varied = np.count_nonzero(column.counts) > 1
        if is_varied and size <= left and not column.looks and not column.is_id_like:
            left -= size
            yield column


def _some(values: Any, at: Index) -> Any:
    """Return some rows of a column."""
    if isinstance(values, CategoryCounts) and values.codes is not None:
        return values._replace(codes=values.codes[at])
    return values[at] if isinstance(values, np.ndarray) else [values[i] for i in at.tolist()]
