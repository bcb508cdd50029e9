"""The categories of a column, counted by name: the most frequent of them if they are very many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import is_missing, scalar
from mlmon_exporter.core.settings import NAMED_ROWS

from .bins import CategoryBins
from .column import ColumnReference
from .hidden_names import hidden_names
from .names import category_name

MOST_NAMED = 10_000
"""Categories that are counted one by one."""


class CategoryCounts(NamedTuple):
    """A column of categories, counted already."""

    names: tuple[str, ...]
    rows: tuple[int, ...]
    missing: int
    other: int = 0
    """Rows of categories that are not named: there were too many of them."""
    codes: NDArray[np.intp] | None = None
    """For each row the index of its name, or the number of names where it has none."""
    numbers: int = 0
    """Rows whose text spells a number, in a source without types such as CSV."""


def count_categories(values: Any) -> CategoryCounts:
    """Count a column's categories by name; what is missing or no scalar counts as missing."""
    if isinstance(values, CategoryCounts):
        return values
    if _TEXTS.issuperset(map(type, values)):
        return _count_texts(Counter(values))
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


_TEXTS = frozenset((str, type(None)))


def _count_texts(counted: Mapping[str | None, int]) -> CategoryCounts:
    """Return texts that are counted as they are written as categories."""
    rows: dict[str, int] = {}
    missing = 0
    for text, count in counted.items():
        name = None if is_missing(text) else category_name(text)
        if name is None:
            missing += count
        else:
            rows[name] = rows.get(name, 0) + count
    return CategoryCounts(tuple(rows), tuple(rows.values()), missing)


class UncountedRows(NamedTuple):
    """Rows of a categorical column that are not counted by category."""

    other: int
    """Rows of categories that are not named."""
    missing: int
    is_complete: bool
    """True if all categories are named."""


def category_column(
    name: str,
    rows: Mapping[str, int],
    max_categories: int,
    rest: UncountedRows,
    min_rows: int = NAMED_ROWS,
) -> ColumnReference:
    """Return a categorical column's reference that keeps its most frequent categories.

    These are at most `max_categories`, of `min_rows` rows or more. Of the others, only the most
    frequent are remembered where there are more than `MOST_NAMED`.
    """
    ranked = sorted(rows, key=lambda category: (-rows[category], category))
    shown = min(max_categories, sum(count >= min_rows for count in rows.values()))
    top, low = ranked[:shown], {category: rows[category] for category in ranked[shown:MOST_NAMED]}
    other = rest.other + sum(rows[category] for category in ranked[shown:])
    counts = [*(rows[category] for category in top), other, 0, rest.missing]
    is_complete = rest.is_complete and len(rows) <= MOST_NAMED
    return ColumnReference(
        name,
        CategoryBins(tuple(top), frozenset(low), is_complete),
        np.array(counts, dtype=np.int64),
        rare_rows=low,
        max_categories=max_categories,
    )


def without_names(column: ColumnReference) -> ColumnReference:
    """Return a categorical column of which only the missing share is watched."""
    counts = [column.rows - column.missing, 0, column.missing]
    return ColumnReference(
        column.name,
        CategoryBins((), is_complete=False),
        np.array(counts, dtype=np.int64),
        max_categories=column.max_categories,
    )


def with_hidden_names(column: ColumnReference, key: bytes) -> ColumnReference:
    """Return a column that keeps of each rare category a hash in place of its name."""
    if not isinstance(column.bins, CategoryBins) or not column.rare_rows:
        return column
    hidden = hidden_names(column.rare_rows, key)
    bins = replace(column.bins, rare=frozenset(), hidden=hidden)
    return replace(column, bins=bins, rare_rows={})


class CategoryProfile:
    """The categories of a column, the most frequent of them if they are very many."""

    def __init__(
        self,
        name: str,
        max_categories: int,
        only: Collection[str] | None = None,
        min_rows: int = NAMED_ROWS,
    ) -> None:
        """Start without rows; if names are given, `only` they are counted one by one."""
        self.name = name
        self._max_categories = max_categories
        self._min_rows = min_rows
        self._only = only
        self._rows: dict[str, int] = {}
        self._is_complete = only is None
        self._missing = 0
        self._total = 0

    is_exact = True
    """A second pass would count nothing anew."""

    @property
    def values(self) -> int:
        """Rows that are not missing."""
        return self._total

    @property
    def missing(self) -> int:
        """Rows without a category."""
        return self._missing

    @property
    def is_complete(self) -> bool:
        """All categories are counted."""
        return self._is_complete

    @property
    def rows_by_name(self) -> Mapping[str, int]:
        """Rows of each category that is counted."""
        return self._rows

    def categories(self) -> CategoryCounts:
        """Return all that is counted."""
        other = self._total - sum(self._rows.values())
        return CategoryCounts(tuple(self._rows), tuple(self._rows.values()), self._missing, other)

    def add_missing(self, rows: int) -> None:
        """Add rows without a category."""
        self._missing += rows

    def count(self, values: Any) -> None:
        """Do nothing: categories are counted in the first pass."""

    def profile(self, values: Any) -> None:
        """Learn from values: an array, a list, or counted categories."""
        column = count_categories(values)
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

    def references(self) -> tuple[ColumnReference, ...]:
        """Return the column's reference, alone."""
        return (self.reference(),)

    def reference(self) -> ColumnReference:
        other = self._total - sum(self._rows.values())
        rest = UncountedRows(other, self._missing, self._is_complete)
        return category_column(self.name, self._rows, self._max_categories, rest, self._min_rows)
