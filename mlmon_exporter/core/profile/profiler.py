"""Profiles of columns, learned from chunks of rows, from which a reference is made.

Two passes over the rows, each in constant memory: `profile` learns the shape, from which cells
are chosen, and `count` counts them exactly. A column with at most `DISTINCT` different values is
known exactly after the first pass; where there is no second, the counts of the others are read
off their digests. Columns that are profiled `like` those of a reference have its cells, and are
counted exactly in the first pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from mlmon_exporter.core.coerce import numbers
from mlmon_exporter.core.settings import NAMED_ROWS

from .bins import NumericBins
from .categories import CategoryProfile
from .column import ColumnReference
from .edges import Cells
from .free_text import is_secret
from .mixed import MixedProfile
from .numeric import NumericProfile
from .text_profile import TextProfile

Profile = MixedProfile | CategoryProfile | TextProfile


class KindError(ValueError):
    """Columns that were taken for categories spell numbers in most of their rows."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Take the columns, each with the most frequent text that is no number."""
        self.texts = texts
        super().__init__(f"reference: expected categories, got numbers in {', '.join(texts)}")


class Profiler:
    """The profiles of all columns. The majority of a column's values settles its kind.

    A column that is profiled `like` a reference has the kind and the cells of that. Of more
    columns than allowed, those with fewest values are dropped.
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
        """Start without rows; `with_texts` tells free texts from categories, see `free_text`."""
        self._engine = engine
        self._with_texts = with_texts
        self._categorical = frozenset(categorical)
        self._max_categories, self._min_rows = max_categories, min_rows
        self._max_columns = columns
        self._profiles = {column.name: _profile_like(column, engine) for column in like}
        self.rows = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The columns so far."""
        return tuple(self._profiles)

    def profile(self, columns: Mapping[str, Any], rows: int) -> None:
        """Learn from rows: name -> values, each an array, a list or `CategoryCounts`."""
        for name in dict.fromkeys((*self._profiles, *columns)):
            if is_secret(name):
                continue
            profile = self._profiles.get(name) or self._start(name)
            values = columns.get(name)
            if values is None:
                profile.add_missing(rows)
            else:
                profile.profile(values)
        self.rows += rows
        self._drop_emptiest()

    def _start(self, name: str) -> Profile:
        texts = partial(self._start_texts, name)
        is_category = name in self._categorical
        profile = (
            texts() if is_category else MixedProfile(NumericProfile(name, self._engine), texts)
        )
        profile.add_missing(self.rows)
        self._profiles[name] = profile
        return profile

    def _start_texts(self, name: str) -> CategoryProfile | TextProfile:
        if self._with_texts:
            return TextProfile(name, self._engine, self._max_categories, self._min_rows)
        return CategoryProfile(name, self._max_categories, min_rows=self._min_rows)

    def _drop_emptiest(self) -> None:
        over = len(self._profiles) - self._max_columns
        if over > 0:
            # A client that makes names up cannot take the place of features that all send.
            latest = [*self._profiles.items()][::-1]
            latest.sort(key=lambda column: column[1].values)
            for name, _ in latest[:over]:
                del self._profiles[name]

    def check(self) -> None:
        """Raise KindError where most of what was counted as texts spells numbers."""
        each = self._profiles.items()
        mixed = {name: p for name, p in each if isinstance(p, MixedProfile)}
        misread = {name: p.stray_text for name, p in mixed.items() if p.is_misread}
        if misread:
            raise KindError(misread)

    @property
    def is_exact(self) -> bool:
        """True if no column needs a second pass."""
        return all(profile.is_exact for profile in self._profiles.values())

    def count(self, columns: Mapping[str, Any], rows: int) -> None:
        """Count rows again for exact cells, after all were profiled."""
        for name, profile in self._profiles.items():
            if not profile.is_exact:
                profile.count(numbers(columns.get(name, np.full(rows, np.nan))))

    def references(self) -> tuple[ColumnReference, ...]:
        """Return the reference of each column, in the order in which they came."""
        made: list[ColumnReference] = []
        for profile in self._profiles.values():
            columns = profile.references()
            # A column of the data may be called as its characters are.
            made += (c for c in columns if self._profiles.get(c.name, profile) is profile)
        return tuple(made)


def _profile_like(column: ColumnReference, engine: str) -> Profile:
    if isinstance(column.bins, NumericBins):
        cells = Cells(column.bins.edges, column.bins.atoms)
        numeric = NumericProfile(column.name, engine, cells)
        return MixedProfile(numeric, lambda: CategoryProfile(column.name, 0), is_numeric=True)
    only = None if column.bins.names_all else column.rows_by_category
    return CategoryProfile(column.name, column.max_categories, only)
