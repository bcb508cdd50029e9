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
from .vectors import VectorColumns

Floats = NDArray[np.float64]
Derive = Callable[[Floats], Floats]
"""Rows of features, then of measured vectors, shape (features + measured, rows), -> rows of derived
columns, encoded in the same way."""
Row = Mapping[str, Any]
MEASURED = "\0"
"""Begins the names of measured vectors beside features: no body's name overwrites them."""
NUMBER_BYTES = 24
"""Of a number in JSON at most, about."""


@dataclass(frozen=True, eq=False)
class DerivedReference:
    """Derived columns: functions of a row's features, and the reference of each column."""

    function: JointColumns | None
    """Of all features; None where there is none."""
    columns: tuple[ColumnReference, ...]
    """One for each of the function's names, in their order, then one for each of the vectors'."""
    vectors: tuple[VectorColumns, ...] = ()

    @property
    def measured_names(self) -> tuple[str, ...]:
        """Names that measured vectors have beside features."""
        return _measured_names(self.vectors)

    @property
    def numbers(self) -> int:
        """Numbers of all vectors of a row."""
        return sum(each.source.width for each in self.vectors)

    def measured(self, features: Mapping[str, Any], rows: int) -> dict[str, Any]:
        """Return the features of a batch with measured vectors in the place of all their numbers.

        Those of a single row are measured later, with those of others: see `measured_rows`.
        """
        gone = [each.source.columns for each in self.vectors]
        found = {n: v for n, v in features.items() if not any(n in names for names in gone)}
        for each in self.vectors:
            if rows == 1:
                found[MEASURED + each.source.name] = next(iter(each.source.blocks(features, 1)))
            else:
                found |= zip(_measured_names((each,)), each.measured(features, rows), strict=True)
        return found

    def measured_rows(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return single rows, as `measured` left them, with measured vectors beside the rest."""
        found = [{**row} for row in rows]
        for each in self.vectors:
            block = np.concatenate([row.pop(MEASURED + each.source.name) for row in found])
            names = _measured_names((each,))
            for row, values in zip(found, each.of_block(block).T.tolist(), strict=True):
                row.update(zip(names, values, strict=True))
        return found

    @property
    def rows(self) -> int:
        """Rows that the columns were counted over."""
        return max(column.rows for column in self.columns)

    def bind(self, features: Sequence[ColumnReference]) -> Derive:
        """Return the function from rows of these features to rows of the columns.

        Raises:
            ValueError: A feature is not there, or of another kind.
        """
        width = len(features)
        if self.function is None:
            return lambda block: block[width:]
        derive, categories = self.function.bind(features), self.function.categories
        cells = [
            (j, _cells(categories[column.name], column.bins))
            for j, column in enumerate(self.columns)
            if isinstance(column.bins, CategoryBins)
        ]

        def encoded(block: Floats) -> Floats:
            found = derive(block[:width])
            for j, cell_of in cells:
                numbers = np.nan_to_num(found[j], nan=-1.0).astype(np.intp)
                found[j] = cell_of[numbers]
            return np.concatenate((found, block[width:])) if len(block) > width else found

        return encoded

    def merge(self, other: Self) -> Self:
        """Return the derived columns of both sides' rows.

        Functions that were fitted apart do not add up: then those of the side with more rows are
        kept, and of its rows alone.
        """
        if self._functions() != other._functions():
            return self if self.rows >= other.rows else other
        merged = merge_sides(self.columns, other.columns, (self.rows, other.rows))
        return replace(self, columns=tuple(merged))

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds them."""
        columns = [column_to_dict(column) for column in self.columns]
        return {**self._functions(), "columns": columns}

    def _functions(self) -> dict[str, Any]:
        form: dict[str, Any] = {}
        if self.function is not None:
            form["function"] = self.function.to_dict()
        if self.vectors:
            form["vectors"] = [each.to_dict() for each in self.vectors]
        return form

    @classmethod
    def from_dict(
        cls, form: Mapping[str, Any], features: Sequence[ColumnReference], engine: str
    ) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        vectors = tuple(map(VectorColumns.from_dict, form.get("vectors", ())))
        is_joint = "function" in form or not vectors
        function = JointColumns.from_dict(form["function"]) if is_joint else None
        columns = tuple(column_from_dict(column, engine) for column in form["columns"])
        found = tuple((column.name, column.kind == "categorical") for column in columns)
        names = (*(function.names if function else ()), *names_of(vectors))
        categories = function.categories if function else {}
        if found != tuple((name, name in categories) for name in names):
            raise ValueError(f"columns: expected {', '.join(names)}, got others")
        made = cls(function, columns, vectors)
        made.bind(features)
        return made


def names_of(vectors: Sequence[VectorColumns]) -> tuple[str, ...]:
    """Return the names of the columns that are derived from vectors."""
    return tuple(name for each in vectors for name in each.source.names)


def _measured_names(vectors: Sequence[VectorColumns]) -> tuple[str, ...]:
    return tuple(MEASURED + name for name in names_of(vectors))


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
