"""A reference in the making: what its rows look like, then how many fall into each cell.

Two passes over the rows, each in constant memory: `profile` learns the shape, from which cells
are chosen, and `count` counts them exactly. A column with at most `DISTINCT` different values is
known exactly after the first pass; where there is no second, the counts of the others are read
off their digests. Columns that are profiled `like` those of a reference have its cells, and are
counted exactly in the first pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mlmon_exporter.core.coerce import is_missing, numbers, scalar
from mlmon_exporter.core.settings import NAMED_ROWS

from .bins import NumericBins
from .categories import CategoryCounts, CategoryProfile, count_categories
from .column import ColumnReference
from .free_text import is_secret
from .numeric import NumericProfile
from .text_profile import TextProfile

Profile = NumericProfile | CategoryProfile | TextProfile


class Profiler:
    """The profiles of all columns; a column's kind is settled by its first usable value.

    Or by a reference that it is profiled `like`: its cells are those of that reference, too.
    """

    def __init__(
        self,
        engine: str = "fastdigest",
        categorical: Iterable[str] = (),
        max_categories: int = 50,
        columns: int = 10_000,
        like: Iterable[ColumnReference] = (),
        min_rows: int = NAMED_ROWS,
        *,
        with_texts: bool = False,
    ) -> None:
        """Start without rows; `with_texts` tells free texts from categories, see `texts`."""
        self._engine = engine
        self._with_texts = with_texts
        self._categorical = frozenset(categorical)
        self._max_categories, self._min_rows = max_categories, min_rows
        self._max_columns = columns
        self._profiles: dict[str, Profile] = {
            column.name: _profile_like(column, engine) for column in like
        }
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
        if is_secret(name):
            return
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

    def _start(self, name: str, values: Any) -> Profile | None:
        if name in self._categorical or isinstance(values, CategoryCounts):
            is_category = True
        else:
            first = _first_usable(values)
            if first is None:
                return None
            is_category = isinstance(first, str | bytes)
        before = self._rows.pop(name, self.rows)
        profile: Profile
        if is_category and self._with_texts:
            profile = TextProfile(
                name, self._engine, self._max_categories, self._min_rows, missing=before
            )
        elif is_category:
            profile = CategoryProfile(name, self._max_categories, min_rows=self._min_rows)
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
        made: list[ColumnReference] = []
        for profile in self._profiles.values():
            if isinstance(profile, TextProfile):
                columns = profile.references()
                # A column of the data may be called as its characters are.
                made += (c for c in columns if self._profiles.get(c.name, profile) is profile)
            else:
                made.append(profile.reference())
        return tuple(made)


def _profile_like(column: ColumnReference, engine: str) -> NumericProfile | CategoryProfile:
    if isinstance(column.bins, NumericBins):
        return NumericProfile(column.name, engine, edges=column.bins.edges)
    only = None if column.bins.names_all else column.rows_by_category
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
