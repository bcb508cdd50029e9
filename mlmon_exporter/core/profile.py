"""A reference in the making: what its rows look like, then how many fall into each cell.

Two passes over the rows, each in constant memory: `profile` learns the shape, from which cells
are chosen, and `count` counts them exactly. A column with at most `DISTINCT` different values is
known exactly after the first pass; where there is no second, the counts of the others are read
off their digests. Columns that are profiled `like` those of a reference have its cells, and are
counted exactly in the first pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bins import CELLS, NumericBins, atom_edges, category_name
from .digests import ENGINES, REFERENCE_CENTROIDS, cdf_of
from .reference import (
    MOST_NAMED,
    ColumnReference,
    UncountedRows,
    category_column,
    choose_edges,
    edge_ranks,
    numeric_column,
)
from .values import is_missing, numbers, scalar, summable

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

DISTINCT = 10_000
"""Different values of a numeric column that are counted one by one."""
BY_VALUE = 256
"""A numeric column with at most so many different values has a cell for each."""
CLUSTERS = 2 * REFERENCE_CENTROIDS
"""What a digest is given of more values than these."""


class CategoryCounts(NamedTuple):
    """A column of categories, counted already."""

    names: tuple[str, ...]
    rows: tuple[int, ...]
    missing: int
    other: int = 0
    """Rows of categories that are not named: there were too many of them."""
    codes: NDArray[np.intp] | None = None
    """For each row the index of its name, or the number of names where it has none."""


class NumericProfile:
    """The shape of a numeric column."""

    def __init__(
        self, name: str, engine: str, missing: int = 0, edges: Floats | None = None
    ) -> None:
        """Start with some missing rows; the cells are chosen later if no `edges` are given."""
        self.name = name
        self._digest = ENGINES[engine](REFERENCE_CENTROIDS)
        self._values: Floats = np.empty(0)
        self._rows: Counts = np.empty(0, dtype=np.int64)
        self._is_complete = True
        self._missing = missing
        self._finite = 0
        self._mean = 0.0
        self._squares = 0.0  # sum of squared distances to the mean
        self._cells: tuple[NumericBins, Counts] | None = None
        self._is_settled = edges is not None
        if edges is not None:
            self._cells = _no_rows(edges)
            self._cells[1][-1] = missing

    def profile(self, values: Floats) -> None:
        """Learn from values, shape (rows,); NaN and infinities are missing."""
        if self._is_settled:
            self.count(values)
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
        self._add_values(finite[starts], np.diff(starts, append=len(finite)))

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
        """Whether a second pass would count nothing anew."""
        return self._is_complete or self._is_settled

    def choose(self) -> tuple[NumericBins, Counts]:
        """Choose the cells, once all was profiled; return them and their rows so far."""
        if self._cells is None:
            self._cells = _no_rows(self._edges())
        return self._cells

    def count(self, values: Floats) -> None:
        """Count values into the cells."""
        bins, counts = self.choose()
        counts += bins.count(values)[0]

    def _edges(self) -> Floats:
        if not self._finite:
            return np.empty(0)
        if self._is_complete and len(self._values) <= BY_VALUE:
            return atom_edges(self._values)
        if self._is_complete:
            ranks = np.searchsorted(np.cumsum(self._rows), edge_ranks() * self._finite)
            quantiles = self._values[ranks]
        else:
            quantiles = np.array(self._digest.quantiles(edge_ranks().tolist()))
        return choose_edges(quantiles, self._atoms()[0], self._values[0], self._values[-1])

    def _atoms(self) -> tuple[Floats, Counts]:
        """Return the values that have more rows than a cell, and their rows."""
        is_atom = self._rows >= self._finite / CELLS
        return self._values[is_atom], self._rows[is_atom]

    def reference(self) -> ColumnReference:
        bins, counts = self.choose()
        edges, rank_error = bins.edges, 0.0
        if not counts.sum():
            counts, rank_error = self._counts_from_profile(edges)
        if not self._finite:
            return numeric_column(self.name, edges, counts)
        mean, sd = self._mean, float(np.sqrt(self._squares / self._finite))
        if self._values[0] == self._values[-1]:  # but for the rounding of sums
            mean, sd = float(self._values[0]), 0.0
        return numeric_column(self.name, edges, counts, self._digest, mean, sd, rank_error)

    def _counts_from_profile(self, edges: Floats) -> tuple[Counts, float]:
        total, rank_error = self._finite, 0.0
        if self._is_complete:
            sums = np.concatenate(([0], np.cumsum(self._rows)))
            below = sums[np.searchsorted(self._values, edges, side="right")].astype(np.float64)
        else:
            shares, rank_error = cdf_of(*self._digest.centroids(), edges, self._atoms())
            below = np.rint(shares * total)
        counts = np.diff(np.concatenate(([0], below, [total]))).astype(np.int64)
        return np.append(counts, self._missing), rank_error


def _no_rows(edges: Floats) -> tuple[NumericBins, Counts]:
    bins = NumericBins(edges, np.empty(0))
    return bins, np.zeros(bins.cell_count, dtype=np.int64)


@lru_cache(maxsize=64)
def _cluster_starts(rows: int) -> Counts:
    """Return where clusters of ordered rows start: small at the ends, as a t-digest wants them."""
    shares = (1 - np.cos(np.pi * np.arange(CLUSTERS) / CLUSTERS)) / 2
    return np.unique((shares * rows).astype(np.int64))


class CategoryProfile:
    """The categories of a column, the most frequent of them if they are very many."""

    def __init__(self, name: str, kept: int, only: Collection[str] | None = None) -> None:
        """Start without rows; if names are given, `only` they are counted one by one."""
        self.name = name
        self._kept = kept
        self._only = only
        self._rows: dict[str, int] = {}
        self._is_complete = only is None
        self._missing = 0
        self._total = 0

    def profile(self, column: CategoryCounts) -> None:
        self._missing += column.missing
        self._total += column.other
        self._is_complete &= not column.other
        for name, rows in zip(column.names, column.rows, strict=True):
            self._total += rows
            if self._only is None or name in self._only:
                self._rows[name] = self._rows.get(name, 0) + rows
        if len(self._rows) > 2 * MOST_NAMED:
            self._prune()

    def _prune(self) -> None:
        self._is_complete = False
        ranked = sorted(self._rows, key=lambda name: (-self._rows[name], name))
        self._rows = {name: self._rows[name] for name in ranked[:MOST_NAMED]}

    def reference(self) -> ColumnReference:
        other = self._total - sum(self._rows.values())
        rest = UncountedRows(other, self._missing, self._is_complete)
        return category_column(self.name, self._rows, self._kept, rest)


class Profiler:
    """The profiles of all columns; a column's kind is settled by its first usable value.

    Or by a reference that it is profiled `like`: its cells are those of that reference, too.
    """

    def __init__(
        self,
        engine: str = "fastdigest",
        categorical: Iterable[str] = (),
        kept: int = 50,
        columns: int = 10_000,
        like: Iterable[ColumnReference] = (),
    ) -> None:
        self._engine = engine
        self._categorical = frozenset(categorical)
        self._kept = kept
        self._max_columns = columns
        self._profiles = {column.name: _profile_like(column, engine) for column in like}
        self._expect_numbers = {
            n for n, p in self._profiles.items() if isinstance(p, NumericProfile)
        }
        self._rows: dict[str, int] = {}  # rows of columns that have no kind yet, all missing
        self.rows = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The columns so far."""
        return (*self._profiles, *self._rows)

    def profile(self, columns: Mapping[str, Any], rows: int) -> None:
        """Learn from rows: name -> values, each an array, a list or `CategoryCounts`."""
        for name in dict.fromkeys((*columns, *self._profiles, *self._rows)):
            self._profile_column(name, columns.get(name), rows)
        self.rows += rows

    def _profile_column(self, name: str, values: Any, rows: int) -> None:
        known = name in self._profiles or name in self._rows
        if not known and len(self._profiles) + len(self._rows) >= self._max_columns:
            return
        if values is None:
            values = [None] * rows
        profile = self._profiles.get(name) or self._start(name, values)
        if profile is None:
            self._rows[name] = self._rows.get(name, self.rows) + rows
        elif isinstance(profile, NumericProfile):
            if name in self._expect_numbers:
                self._check_kind(name, values)
            profile.profile(numbers(_uncounted(values)))
        else:
            profile.profile(count_categories(values))

    def _check_kind(self, name: str, values: Any) -> None:
        """Raise ValueError if the first usable value would make the column a category."""
        names = values.names if isinstance(values, CategoryCounts) else values
        first = _first_usable(names)
        if isinstance(first, str | bytes):
            raise ValueError(f"reference: {name}: expected numbers as in `like`, got {first!r:.80}")
        if first is not None:
            self._expect_numbers.discard(name)

    def _start(self, name: str, values: Any) -> NumericProfile | CategoryProfile | None:
        if name in self._categorical or isinstance(values, CategoryCounts):
            is_category = True
        else:
            first = _first_usable(values)
            if first is None:
                return None
            is_category = isinstance(first, str | bytes)
        before = self._rows.pop(name, self.rows)
        profile: NumericProfile | CategoryProfile
        if is_category:
            profile = CategoryProfile(name, self._kept)
            profile.profile(CategoryCounts((), (), before))
        else:
            profile = NumericProfile(name, self._engine, missing=before)
        self._profiles[name] = profile
        return profile

    @property
    def is_exact(self) -> bool:
        """Whether no column needs a second pass."""
        profiles = self._profiles.values()
        return all(not isinstance(p, NumericProfile) or p.is_exact for p in profiles)

    def count(self, columns: Mapping[str, Any], rows: int) -> None:
        """Count rows again for exact cells, after all were profiled."""
        for name, profile in self._profiles.items():
            if isinstance(profile, NumericProfile) and not profile.is_exact:
                profile.count(numbers(columns.get(name, [None] * rows)))

    def references(self) -> tuple[ColumnReference, ...]:
        """Return the reference of each column that had a usable value, in order of the first."""
        return tuple(profile.reference() for profile in self._profiles.values())


def _profile_like(column: ColumnReference, engine: str) -> NumericProfile | CategoryProfile:
    if isinstance(column.bins, NumericBins):
        return NumericProfile(column.name, engine, edges=column.bins.edges)
    only = None if column.bins.is_complete else column.rows_by_category
    return CategoryProfile(column.name, column.max_categories, only)


def _first_usable(values: Any) -> Any:
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        values = values[~np.isnan(values)][:1]
    return next((plain for plain in map(scalar, values) if not is_missing(plain)), None)


def _uncounted(values: Any) -> Any:
    """Return values for a numeric column; categories cannot be read as numbers."""
    if isinstance(values, CategoryCounts):
        return [None] * (sum(values.rows) + values.other + values.missing)
    return values


def count_categories(values: Any) -> CategoryCounts:
    """Count a column's categories by name; what is missing or no scalar counts as missing."""
    if isinstance(values, CategoryCounts):
        return values
    rows: dict[str, int] = {}
    missing = 0
    for value in values:
        plain = scalar(value)
        name = None if is_missing(plain) else category_name(plain)
        if name is None:
            missing += 1
        else:
            rows[name] = rows.get(name, 0) + 1
    return CategoryCounts(tuple(rows), tuple(rows.values()), missing)
