"""A column whose kind the majority of its values decides, whatever their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import Cell, is_missing, number, numbers, scalar

from .categories import CategoryCounts, CategoryProfile
from .column import ColumnReference, empty_column
from .numeric import NumericProfile
from .text_profile import TextProfile

Floats = NDArray[np.float64]

Texts = CategoryProfile | TextProfile

_NUMBERS = frozenset((float, int, type(None)))
_TEXTS = frozenset((str, type(None)))
_AT_ONCE = 65_536
MOST_EXACT = 2**53
"""Floats tell integers apart up to here."""


class MixedProfile:
    """Numbers and texts of one column, profiled apart until its kind is asked for.

    Booleans and times are numbers. Texts that spell numbers are texts, as bodies and tables have
    types for a reason, but for the `Cell`s of a source without types.
    """

    def __init__(
        self, numeric: NumericProfile, start_texts: Callable[[], Texts], *, is_numeric: bool = False
    ) -> None:
        """Start without rows.

        Args:
            numeric: The profile of its numbers.
            start_texts: Makes the profile of its texts, once there is one.
            is_numeric: Its kind is settled: it may not be mostly other texts.
        """
        self._numeric = numeric
        self._start_texts = start_texts
        self._named = CategoryProfile(numeric.name, 0)
        """Booleans, times and long integers: numbers whose names would be lost among those."""
        self._is_numeric = is_numeric

    @cached_property
    def _texts(self) -> Texts:
        return self._start_texts()

    @property
    def _has_texts(self) -> bool:
        return "_texts" in self.__dict__

    @property
    def values(self) -> int:
        """Rows that are not missing."""
        texts = self._texts.values if self._has_texts else 0
        return self._numeric.values + self._named.values + texts

    def add_missing(self, rows: int) -> None:
        """Add rows without a value."""
        self._numeric.add_missing(rows)

    def profile(self, values: Any) -> None:
        """Learn from values: an array, a list, or counted categories."""
        kind = values.dtype.kind if isinstance(values, np.ndarray) else ""
        if isinstance(values, CategoryCounts):
            self._texts.profile(values)
        elif kind == "b":
            self._named.profile(values.tolist())
        elif kind in ("i", "u", "f", "m", "M", "c") or _NUMBERS.issuperset(
            kinds := set(map(type, values))
        ):
            self._numeric.profile(numbers(values))
        elif _TEXTS.issuperset(kinds):
            self._texts.profile(values)
        else:
            self._profile_each([scalar(value) for value in values])

    def _profile_each(self, values: Sequence[Any]) -> None:
        texts: list[Any] = []
        plain: list[Any] = []
        named: list[Any] = []
        for value in values:
            kind = texts if _is_text(value) else plain if _is_plain_number(value) else named
            kind.append(value)
        if texts:
            self._texts.profile(texts)
        self._numeric.profile(numbers(plain))
        self._named.profile(named)

    @cached_property
    def _settled(self) -> NumericProfile | Texts:
        """The profile of the majority, once the minority's values were given to it."""
        is_text = self._has_texts and self._texts.values > self.values / 2
        if is_text and not self._is_numeric:
            self._texts.profile(self._numeric.categories())
            self._texts.profile(self._named.categories())
            return self._texts
        others = (self._named, self._texts) if self._has_texts else (self._named,)
        names = [pair for profile in others for pair in profile.rows_by_name.items()]
        spelt = np.array([number(name) for name, _ in names])
        rows = np.array([count for _, count in names], dtype=np.int64)
        self._check(int(rows[np.isinf(spelt)].sum()), names, spelt)
        total = sum(profile.values + profile.missing for profile in others)
        for value, count in zip(spelt.tolist(), rows.tolist(), strict=True):
            for start in range(0, count, _AT_ONCE):
                self._numeric.profile(np.full(min(_AT_ONCE, count - start), value))
        self._numeric.add_missing(total - int(rows.sum()))
        return self._numeric

    def _check(self, unreadable: int, names: Sequence[tuple[str, int]], spelt: Floats) -> None:
        """Raise ValueError where a column that must be numeric holds mostly other texts."""
        if self._is_numeric and 2 * unreadable > self.values:
            first = names[int(np.argmax(np.isinf(spelt)))][0]
            raise ValueError(
                f"reference: {self._numeric.name}: expected numbers as in `like`, got {first!r:.80}"
            )

    @property
    def is_exact(self) -> bool:
        """A second pass would count nothing anew."""
        return self._settled.is_exact

    def count(self, values: Floats) -> None:
        """Count values again, for exact cells."""
        self._settled.count(values)

    def references(self) -> tuple[ColumnReference, ...]:
        """Return the column's reference; one that never had a value holds its missing rows."""
        settled = self._settled
        if not self._is_numeric and not settled.values:
            return (empty_column(self._numeric.name, self._numeric.missing),)
        return settled.references()


def _is_plain_number(value: Any) -> bool:
    """Return whether a value is a number that has its name as a float, too; or missing."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return bool(abs(int(value)) <= MOST_EXACT)
    return isinstance(value, float | np.floating) or is_missing(value)


def _is_text(value: Any) -> bool:
    """Return whether a value speaks for a category."""
    if not isinstance(value, str | bytes) or is_missing(value):
        return False
    return not (isinstance(value, Cell) and np.isfinite(number(value)))
