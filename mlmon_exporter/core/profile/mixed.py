"""A column whose kind the majority of its values decides, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import Cell, is_missing, number, numbers, scalar

from .categories import CategoryCounts, CategoryProfile
from .column import ColumnReference, empty_column
from .names import category_name
from .numeric import NumericProfile
from .text_profile import TextProfile

Floats = NDArray[np.float64]

Texts = CategoryProfile | TextProfile

_FLOATS = frozenset((float, type(None), "f"))
_WHOLE = _FLOATS | {int, "i", "u"}
_TYPED = frozenset("bmMc")
_TEXTS = frozenset((str, type(None)))
_AT_ONCE = 65_536
MOST_EXACT = 2**53
"""Floats tell integers apart up to here."""


class MixedProfile:
    """Numbers and texts of one column, profiled apart until its kind is needed.

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
        """Booleans, times and long integers: their names, which would be lost among the numbers."""
        self._is_numeric = is_numeric
        self._spelt = 0
        """Rows of counted texts that spell numbers."""

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
        return self._numeric.values + texts

    def add_missing(self, rows: int) -> None:
        """Add rows without a value."""
        self._numeric.add_missing(rows)

    def profile(self, values: Any) -> None:
        """Learn from values: an array, a list, or counted categories."""
        if isinstance(values, CategoryCounts):
            self._texts.profile(values)
            self._spelt += values.numbers
            return
        kinds = _kinds_of(values)
        if _WHOLE.issuperset(kinds):
            read = numbers(values)
            self._numeric.profile(read)
            if not _FLOATS.issuperset(kinds):
                self._profile_names(values, np.abs(read) > MOST_EXACT)
        elif _TYPED.issuperset(kinds):
            self._numeric.profile(numbers(values))
            self._profile_names(values, np.full(len(values), "b" in kinds))
        elif _TEXTS.issuperset(kinds):
            self._texts.profile(values)
        else:
            self._profile_each([scalar(value) for value in values])

    def _profile_names(self, values: Sequence[Any], is_named: NDArray[np.bool_]) -> None:
        """Count names, while they are few enough to be those of categories."""
        if self._named.is_complete and is_named.any():
            self._named.profile([values[i] for i in np.flatnonzero(is_named).tolist()])

    def _profile_each(self, values: Sequence[Any]) -> None:
        texts: list[Any] = []
        others: list[Any] = []
        for value in values:
            (texts if _is_text(value) else others).append(value)
        if texts:
            self._texts.profile(texts)
        self._numeric.profile(numbers(others))
        self._profile_names(others, np.array([not _is_plain_number(v) for v in others], bool))

    @property
    def is_text(self) -> bool:
        """Most values are texts that spell no numbers."""
        texts = self._texts.values - self._spelt if self._has_texts else 0
        return texts > self.values / 2 and not self._is_numeric

    @property
    def is_misread(self) -> bool:
        """Most values are numbers, of which some were counted as texts."""
        return self._spelt > 0 and not self.is_text

    @property
    def stray_text(self) -> str:
        """The most frequent text that spells no number; empty if all do."""
        rows = self._texts.rows_by_name
        return max((t for t in rows if np.isinf(number(t))), key=lambda t: rows[t], default="")

    @cached_property
    def _settled(self) -> NumericProfile | Texts:
        """The profile of the majority, once the minority's values were given to it."""
        if self.is_text:
            self._texts.profile(self._numbers_as_categories())
            return self._texts
        if self._has_texts:
            self._add_texts(self._texts)
        return self._numeric

    def _numbers_as_categories(self) -> CategoryCounts:
        """Return the numbers by name, those whose names would be lost by the names they came by."""
        plain = self._numeric.categories()
        named = self._named.rows_by_name
        rows = dict(zip(plain.names, plain.rows, strict=True))
        missing = plain.missing
        for name, count in named.items():
            read = category_name(number(name))
            if read is None:  # too long for a float
                missing -= count
            elif read in rows:
                rows[read] -= count
        counts = Counter({name: count for name, count in rows.items() if count > 0})
        counts.update(named)
        other = plain.missing + self._numeric.values - missing - counts.total()
        return CategoryCounts(tuple(counts), tuple(counts.values()), missing, max(0, other))

    def _add_texts(self, texts: Texts) -> None:
        names = [*texts.rows_by_name.items()]
        spelt = np.array([number(name) for name, _ in names])
        rows = np.array([count for _, count in names], dtype=np.int64)
        self._check(int(rows[np.isinf(spelt)].sum()), names, spelt)
        for value, count in zip(spelt.tolist(), rows.tolist(), strict=True):
            for start in range(0, count, _AT_ONCE):
                self._numeric.profile(np.full(min(_AT_ONCE, count - start), value))
        self._numeric.add_missing(texts.values + texts.missing - int(rows.sum()))

    def _check(self, unreadable: int, names: Sequence[tuple[str, int]], spelt: Floats) -> None:
        """Raise ValueError where a column that must be numeric holds mostly other texts."""
        if self._is_numeric and 2 * unreadable > self.values:
            first = names[int(np.argmax(np.isinf(spelt)))][0]
            raise ValueError(
                f"reference: {self._numeric.name}: expected numbers as in `like`, got {first!r:.80}"
            )

    @property
    def is_exact(self) -> bool:
        """True if a second pass would change no count."""
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


def _kinds_of(values: Any) -> set[Any]:
    """Return the kind of an array of numbers, or the types of values."""
    kind = values.dtype.kind if isinstance(values, np.ndarray) else ""
    return {kind} if kind in _WHOLE | _TYPED else {*map(type, values)}


def _is_plain_number(value: Any) -> bool:
    """Return whether a value is missing, or a number that has the same name as a float."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return bool(abs(int(value)) <= MOST_EXACT)
    return isinstance(value, float | np.floating) or is_missing(value)


def _is_text(value: Any) -> bool:
    """Return whether a value speaks for a category."""
    if not isinstance(value, str | bytes) or is_missing(value):
        return False
    return not (isinstance(value, Cell) and np.isfinite(number(value)))
