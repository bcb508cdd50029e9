"""The reference of derived columns: their functions, and their distributions in its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.profile.categories import CategoryCounts
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.form import column_from_dict, column_to_dict
from mlmon_exporter.core.profile.merge import merge_sides

from .joint import JointColumns

Floats = NDArray[np.float64]
Derive = Callable[[Floats], Floats]
"""Rows of features, shape (features, rows), -> rows of derived columns, encoded in the same way."""


@dataclass(frozen=True, eq=False)
class DerivedReference:
    """Derived columns: functions of a row's features, and the reference of each column."""

    function: JointColumns
    columns: tuple[ColumnReference, ...]
    """One for each of the function's names, in their order."""

    @property
    def rows(self) -> int:
        """Rows that the columns were counted over."""
        return max(column.rows for column in self.columns)

    def bind(self, features: Sequence[ColumnReference]) -> Derive:
        """Return the function from rows of these features to rows of the columns.

        Raises:
            ValueError: A feature is not there, or of another kind.
        """
        derive = self.function.bind(features)
        cells = [
            (j, _cells(self.function.categories[column.name], column.bins))
            for j, column in enumerate(self.columns)
            if isinstance(column.bins, CategoryBins)
        ]

        def encoded(block: Floats) -> Floats:
            found = derive(block)
            for j, cell_of in cells:
                numbers = np.nan_to_num(found[j], nan=-1.0).astype(np.intp)
                found[j] = cell_of[numbers]
            return found

        return encoded

    def merge(self, other: Self) -> Self:
        """Return the derived columns of both sides' rows.

        Functions that were fitted apart do not add up: then those of the side with more rows are
        kept, and of its rows alone.
        """
        if self.function.to_dict() != other.function.to_dict():
            return self if self.rows >= other.rows else other
        merged = merge_sides(self.columns, other.columns, (self.rows, other.rows))
        return replace(self, columns=tuple(merged))

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds them."""
        columns = [column_to_dict(column) for column in self.columns]
        return {"function": self.function.to_dict(), "columns": columns}

    @classmethod
    def from_dict(
        cls, form: Mapping[str, Any], features: Sequence[ColumnReference], engine: str
    ) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        function = JointColumns.from_dict(form["function"])
        columns = tuple(column_from_dict(column, engine) for column in form["columns"])
        found = tuple((column.name, column.kind == "categorical") for column in columns)
        if found != tuple((name, name in function.categories) for name in function.names):
            raise ValueError(f"columns: expected {', '.join(function.names)}, got others")
        made = cls(function, columns)
        made.bind(features)
        return made


def _cells(names: Sequence[str], bins: CategoryBins) -> Floats:
    """Return the cell of each category by its number, and that of missing values at the end."""
    return np.array([*map(bins.code, names), bins.cell_count - 1.0])


def as_columns(function: JointColumns, rows: Floats) -> dict[str, Any]:
    """Return rows that a function gave as columns to be profiled: name -> values."""
    found: dict[str, Any] = dict(zip(function.names, rows, strict=True))
    for name, categories in function.categories.items():
        codes = np.nan_to_num(found[name], nan=len(categories)).astype(np.intp)
        counted = np.bincount(codes, minlength=len(categories) + 1).tolist()
        found[name] = CategoryCounts(categories, tuple(counted[:-1]), counted[-1], codes=codes)
    return found
