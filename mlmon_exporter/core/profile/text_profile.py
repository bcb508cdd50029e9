"""Profile of a column of texts: of categories, or of free text, whose sizes are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlmon_exporter.core.coerce import Floats

from .bins import Bins, CategoryBins
from .categories import CategoryCounts, CategoryProfile, count_categories
from .column import ID_ROWS, ID_SHARE, ColumnReference
from .free_text import CHARACTERS, WORDS, all_sizes, is_long, is_text_name
from .numeric import NumericProfile

LONG_SHARE = 0.1
"""A column in which more than this share of values is long is free text."""


class TextProfile:
    """The categories of a column, and the characters and words of its values."""

    is_exact = True
    """A second pass would count nothing anew."""

    def __init__(self, name: str, engine: str, max_categories: int, min_rows: int) -> None:
        """Start without rows."""
        self.name = name
        self._categories = CategoryProfile(name, max_categories, min_rows=min_rows)
        self._sizes = [NumericProfile(name + ending, engine) for ending in (CHARACTERS, WORDS)]
        self._long_rows = 0

    @property
    def values(self) -> int:
        """Rows that are not missing."""
        return self._categories.values + self._long_rows

    @property
    def missing(self) -> int:
        """Rows without a text."""
        return self._categories.missing

    @property
    def rows_by_name(self) -> Mapping[str, int]:
        """Rows of each text that is counted."""
        return self._categories.rows_by_name

    def add_missing(self, rows: int) -> None:
        """Add rows without a text."""
        self._categories.add_missing(rows)
        for profile in self._sizes:
            profile.add_missing(rows)

    def count(self, values: Any) -> None:
        """Do nothing: texts are counted in the first pass."""

    def profile(self, values: Any) -> None:
        """Learn from values: an array, a list, or counted categories. Long ones have no name."""
        column = count_categories(values)
        counted = zip(column.names, column.rows, strict=True)
        short = {name: rows for name, rows in counted if not is_long(name)}
        self._long_rows += sum(column.rows) - sum(short.values())
        names, rows = tuple(short), tuple(short.values())
        self._categories.profile(column._replace(names=names, rows=rows, codes=None))
        for profile, sizes in zip(self._sizes, all_sizes(column.names), strict=True):
            profile.profile(_all_rows(sizes, column))

    def references(self) -> tuple[ColumnReference, ...]:
        """Return the column of categories, or those of characters and words."""
        column = self._categories.reference()
        if self._is_text(column):
            return tuple(profile.reference() for profile in self._sizes)
        if not self._long_rows:
            return (column,)
        counts = column.counts.copy()
        counts[-3] += self._long_rows  # `other`
        # Long values are not remembered, so that none is known to be new.
        return (replace(column, counts=counts, bins=_incomplete(column.bins)),)

    def _is_text(self, column: ColumnReference) -> bool:
        values = column.rows - column.missing + self._long_rows
        if self._long_rows > LONG_SHARE * values or (values and is_text_name(self.name)):
            return True
        # Of very many categories, those that are still known tell for all.
        named = sum(column.rows_by_category.values())
        return values >= ID_ROWS and column.singletons > ID_SHARE * named


def _incomplete(bins: Bins) -> Bins:
    return replace(bins, is_complete=False) if isinstance(bins, CategoryBins) else bins


def without_long_names(column: ColumnReference) -> ColumnReference:
    """Return a column in which long texts are `other`: older versions built references of them."""
    bins = column.bins
    if not isinstance(bins, CategoryBins) or not any(map(is_long, (*bins.categories, *bins.rare))):
        return column
    kept = [cell for cell, name in enumerate(bins.categories) if not is_long(name)]
    counts = np.concatenate((column.counts[kept], column.counts[-3:]))
    counts[-3] += column.rows - counts.sum()
    categories = tuple(bins.categories[cell] for cell in kept)
    rare = frozenset(name for name in bins.rare if not is_long(name))
    return replace(
        column,
        bins=replace(bins, categories=categories, rare=rare, is_complete=False),
        counts=counts,
        rare_rows={name: rows for name, rows in column.rare_rows.items() if name in rare},
    )


def _all_rows(values: Floats, column: CategoryCounts) -> Floats:
    """Return a value for each row, given one for each name.

    Rows whose texts are not named are taken to be as those that are; missing ones are NaN.
    """
    named = np.repeat(values, column.rows)
    others = np.resize(named, column.other) if len(named) else np.full(column.other, np.nan)
    return np.concatenate((named, others, np.full(column.missing, np.nan)))
