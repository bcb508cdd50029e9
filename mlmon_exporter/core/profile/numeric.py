"""The shape of a numeric column, learned from its rows in one pass or two."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from mlmon_exporter.core.coerce import summable
from mlmon_exporter.core.stats.centroids import cdf_of
from mlmon_exporter.core.stats.digests import ENGINES, REFERENCE_CENTROIDS

from .bins import NumericBins
from .categories import CategoryCounts
from .column import ID, ID_ROWS, TIME, ColumnReference, numeric_column
from .edges import (
    Cells,
    Counts,
    Floats,
    atoms_among,
    cells_of,
    choose_edges,
    edge_ranks,
    rows_up_to,
)
from .names import category_name

DISTINCT = 10_000
"""Different values of a numeric column that are counted one by one."""
CLUSTERS = 2 * REFERENCE_CENTROIDS
"""More values than these are given to a digest as so many clusters."""


NEARLY_ALL = 0.99
"""In ids and times so large a share of the values comes just once."""
ID_ENDINGS = ("_id", ".id", "-id", "number", "_no", "index", "key")
EPOCHS = tuple((1e9 * scale, 4.2e9 * scale) for scale in (1.0, 1e3, 1e6, 1e9))
"""Seconds, milliseconds, microseconds and nanoseconds since 1970, from 2001 to 2103."""


class NumericProfile:
    """The shape of a numeric column."""

    def __init__(self, name: str, engine: str, cells: Cells | None = None) -> None:
        """Start without rows; the cells are chosen later if none are given."""
        self.name = name
        self._digest = ENGINES[engine](REFERENCE_CENTROIDS)
        self._values: Floats = np.empty(0)
        self._rows: Counts = np.empty(0, dtype=np.int64)
        self._is_complete = True
        self._missing = 0
        self._finite = 0
        self._mean = 0.0
        self._squares = 0.0  # sum of squared distances to the mean
        self._distinct_rows = 0
        self._is_whole = self._is_rising = True
        self._latest = -np.inf
        self._cells: tuple[NumericBins, Counts] | None = None
        self._is_settled = cells is not None
        if cells is not None:
            self._cells = _no_rows(cells)

    @property
    def values(self) -> int:
        """Rows that are not missing."""
        return self._finite

    @property
    def missing(self) -> int:
        """Rows without a number."""
        return self._missing

    def add_missing(self, rows: int) -> None:
        """Add rows without a number."""
        self._missing += rows
        if self._is_settled:
            self.choose()[1][-1] += rows

    def categories(self) -> CategoryCounts:
        """Return the numbers as categories; those that are not counted have no name."""
        names = [category_name(value) or "" for value in self._values.tolist()]
        other = self._finite - int(self._rows.sum())
        return CategoryCounts(tuple(names), tuple(self._rows.tolist()), self._missing, other)

    def profile(self, values: Floats) -> None:
        """Learn from values, shape (rows,); NaN and infinities are missing."""
        if self._is_settled:
            self.count(values)
        self._follow(values)
        ordered = np.sort(values)  # NaN last
        low = np.searchsorted(ordered, -np.inf, side="right")
        finite = ordered[low : np.searchsorted(ordered, np.inf)]
        self._missing += len(values) - len(finite)
        if not len(finite):
            return
        self._add_moments(summable(finite))
        self._add_to_digest(summable(finite))
        is_first = np.concatenate(([True], finite[1:] != finite[:-1]))
        starts = np.flatnonzero(is_first)
        self._distinct_rows += len(starts)
        self._is_whole = self._is_whole and not (finite[starts] % 1).any()
        self._add_values(finite[starts], np.diff(starts, append=len(finite)))

    def _follow(self, values: Floats) -> None:
        """Note whether values still only rise."""
        if self._is_rising:
            known = values[np.isfinite(values)]
            if len(known):
                self._is_rising = known[0] > self._latest and bool((known[1:] > known[:-1]).all())
                self._latest = float(known[-1])

    def _looks(self) -> str:
        """Return `ID` or `TIME` where numbers seem to be that; empty where they describe rows."""
        if self._finite < ID_ROWS or self._distinct_rows < NEARLY_ALL * self._finite:
            return ""
        if self._is_rising and any(
            low <= self._values[0] and self._values[-1] < high for low, high in EPOCHS
        ):
            return TIME
        is_named = self.name.lower().endswith(ID_ENDINGS) or self.name.lower() == "id"
        return ID if self._is_whole and (is_named or self._is_rising) else ""

    def _add_moments(self, finite: Floats) -> None:
        n, m = self._finite, len(finite)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(finite.mean())
            gap = mean - self._mean
            self._squares += float(np.square(finite - mean).sum()) + gap * gap * n * m / (n + m)
            self._mean += gap * m / (n + m)
        self._finite = n + m

    def _add_to_digest(self, ordered: Floats) -> None:
        if len(ordered) <= CLUSTERS:
            self._digest.add(ordered)
            return
        # The engine takes 80 ns a value. Taking in clusters of neighbours, twice as many as its
        # centroids, makes that 10 ns and leaves its rank error where it was.
        starts = _cluster_starts(len(ordered))
        rows = np.diff(starts, append=len(ordered)).astype(np.float64)
        with np.errstate(over="ignore"):
            means = np.add.reduceat(ordered, starts) / rows
        # A sum may round to just beyond the values that were added, or overflow.
        means = np.clip(means, ordered[starts], np.append(ordered[starts[1:] - 1], ordered[-1]))
        part = type(self._digest).from_centroids(means, rows, REFERENCE_CENTROIDS)
        self._digest.merge(part)  # type: ignore[arg-type]

    def _add_values(self, distinct: Floats, rows: Counts) -> None:
        if len(distinct) > DISTINCT:
            distinct, rows = self._most_frequent(distinct, rows)
        values = np.concatenate((self._values, distinct))
        order = np.argsort(values, kind="stable")  # two sorted runs: a merge
        values, counts = values[order], np.concatenate((self._rows, rows))[order]
        starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
        values, counts = values[starts], np.add.reduceat(counts, starts)
        if len(values) > DISTINCT:
            values, counts = self._most_frequent(values, counts)
        self._values, self._rows = values, counts

    def _most_frequent(self, values: Floats, rows: Counts) -> tuple[Floats, Counts]:
        # Misra-Gries: what all values lose is at most rows / DISTINCT, far under a cell's
        # rows. The ends stay known. Source: Agarwal et al. (2012), Mergeable Summaries.
        self._is_complete = False
        left = rows - np.partition(rows, -DISTINCT)[-DISTINCT]
        keep = left > 0
        keep[[0, -1]] = True
        return values[keep], left[keep]

    @property
    def is_exact(self) -> bool:
        """True if a second pass would change no count."""
        return self._is_complete or self._is_settled

    def choose(self) -> tuple[NumericBins, Counts]:
        """Choose the cells, once all rows were profiled; return them and their rows so far."""
        if self._cells is None:
            self._cells = _no_rows(self._choose_cells())
        return self._cells

    def count(self, values: Floats) -> None:
        """Count values into the cells."""
        bins, counts = self.choose()
        counts += bins.count(values)[0]

    def _choose_cells(self) -> Cells:
        if not self._finite:
            return Cells(np.empty(0))
        if self._is_complete:
            return cells_of(self._values, self._rows)
        quantiles = np.array(self._digest.quantiles(edge_ranks().tolist()))
        atoms = self._atoms()[0]
        return Cells(choose_edges(quantiles, atoms, self._values), atoms)

    def _atoms(self) -> tuple[Floats, Counts]:
        """Return the values that have more rows than a cell, and their rows."""
        return atoms_among(self._values, self._rows, self._finite)

    def references(self) -> tuple[ColumnReference, ...]:
        """Return the column's reference, alone."""
        return (self.reference(),)

    def reference(self) -> ColumnReference:
        """Return the column's reference."""
        bins, counts = self.choose()
        cells, rank_error = Cells(bins.edges, bins.atoms), 0.0
        if not counts.sum():
            counts, rank_error = self._counts_from_profile(bins.edges)
        if not self._finite:
            return numeric_column(self.name, cells, counts)
        mean, sd = self._mean, float(np.sqrt(self._squares / self._finite))
        if self._values[0] == self._values[-1]:  # but for the rounding of sums
            mean, sd = float(self._values[0]), 0.0
        column = numeric_column(self.name, cells, counts, self._digest, mean, sd, rank_error)
        return replace(column, looks=self._looks())

    def _counts_from_profile(self, edges: Floats) -> tuple[Counts, float]:
        total, rank_error = self._finite, 0.0
        if self._is_complete:
            below = rows_up_to(self._values, self._rows, edges).astype(np.float64)
        else:
            shares, rank_error = cdf_of(*self._digest.centroids(), edges, self._atoms())
            below = np.rint(shares * total)
        counts = np.diff(np.concatenate(([0], below, [total]))).astype(np.int64)
        return np.append(counts, self._missing), rank_error


def _no_rows(cells: Cells) -> tuple[NumericBins, Counts]:
    bins = NumericBins(cells.edges, np.empty(0), cells.atoms)
    return bins, np.zeros(bins.cell_count, dtype=np.int64)


@lru_cache(maxsize=64)
def _cluster_starts(rows: int) -> Counts:
    """Return where clusters of ordered rows start: small at the ends, as in a t-digest."""
    shares = (1 - np.cos(np.pi * np.arange(CLUSTERS) / CLUSTERS)) / 2
    return np.unique((shares * rows).astype(np.int64))
