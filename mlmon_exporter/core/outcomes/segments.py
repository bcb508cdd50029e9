"""Segments of a model's rows, by the values of some features."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from mlmon_exporter.core.coerce import number
from mlmon_exporter.core.labels import distinct_labels
from mlmon_exporter.core.profile.bins import (
    MISSING,
    OTHER,
    CategoryBins,
    atom_values,
)
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.names import category_name, format_edge
from mlmon_exporter.core.records import Column
from mlmon_exporter.core.settings import MOST_SEGMENTS, NAMED_ROWS, SegmentFeature


class Segment(NamedTuple):
    """Some of a model's rows; `("", "")` means all."""

    feature: str
    segment: str


ALL_ROWS = Segment("", "")


class FeatureSegments:
    """Segments of one feature: known values or ranges, then `other` and `missing`."""

    def __init__(self, feature: str, values: Sequence[str], edges: Sequence[float] = ()) -> None:
        """Take the known values, most frequent first, or the edges of ranges."""
        self.feature = feature
        self.values = tuple(values)
        self.edges = tuple(edges)
        kept = _ranges(self.edges) if edges else self.values
        self.labels = (*distinct_labels(kept, reserved=(OTHER, MISSING)), OTHER, MISSING)

    @cached_property
    def label_of(self) -> Callable[[Any], str]:
        """Function from a value to its label."""
        return self._range_of if self.edges else self._value_of

    @cached_property
    def _bins(self) -> CategoryBins:
        return CategoryBins(self.values, is_complete=False)

    def _value_of(self, value: Any) -> str:
        cell = self._bins.code(value)
        # Cells: the values, then other, unseen and missing. A value that is no scalar has none.
        known = cell if cell == cell and cell <= len(self.values) else -1
        return self.labels[int(known)]

    def _range_of(self, value: Any) -> str:
        exact = value if type(value) is float else number(value)
        if not abs(exact) < float("inf"):
            return MISSING
        return self.labels[bisect_right(self.edges, exact)]


def _ranges(edges: Sequence[float]) -> list[str]:
    """Name the ranges between edges: `<25`, `[25, 45)`, `>=45`."""
    shown = [format_edge(edge) for edge in edges]
    inner = [f"[{low}, {high})" for low, high in pairwise(shown)]
    return [f"<{shown[0]}", *inner, f">={shown[-1]}"]


def feature_segments(
    wanted: SegmentFeature, column: ColumnReference | None, most: int = MOST_SEGMENTS
) -> FeatureSegments:
    """Return the segments of a feature, given its reference: its most frequent values.

    Without a reference of it, and without edges, all its rows are `other`.
    """
    if wanted.edges:
        return FeatureSegments(wanted.feature, (), wanted.edges)
    rows = rows_by_value(column) if column is not None else {}
    ranked = sorted(rows, key=lambda value: (-rows[value], value))
    return FeatureSegments(wanted.feature, ranked[:most])


def rows_by_value(column: ColumnReference) -> Mapping[str, int]:
    """Return the rows of each value that has enough of them to be named as a segment."""
    if isinstance(column.bins, CategoryBins):
        return dict(zip(column.bins.categories, column.counts.tolist(), strict=False))
    names = (
        (category_name(value), rows) for value, rows in atom_values(column.bins, column.counts)
    )
    return {name: rows for name, rows in names if name is not None and rows >= NAMED_ROWS}


class Segments:
    """The segments of all segment features."""

    def __init__(self, features: Sequence[FeatureSegments] = ()) -> None:
        self.features = tuple(features)

    @cached_property
    def all(self) -> tuple[Segment, ...]:
        """All rows, then each feature's segments."""
        return (ALL_ROWS, *(Segment(f.feature, label) for f in self.features for label in f.labels))

    @cached_property
    def indexes(self) -> tuple[Mapping[str, int], ...]:
        """For each feature: label -> index in `all`."""
        where = {each: i for i, each in enumerate(self.all)}
        return tuple(
            {label: where[Segment(f.feature, label)] for label in f.labels} for f in self.features
        )

    @cached_property
    def _labellers(self) -> list[tuple[str, Callable[[Any], str]]]:
        return [(f.feature, f.label_of) for f in self.features]

    def of_row(self, features: Mapping[str, Column]) -> tuple[str, ...]:
        """Return the labels of one row, a scalar a feature."""
        return tuple([label_of(features.get(name)) for name, label_of in self._labellers])

    def of_rows(self, features: Mapping[str, Column], rows: int) -> list[tuple[str, ...]]:
        """Return the labels of several rows."""
        if not self.features:
            return [()] * rows
        columns = [
            [f.label_of(value) for value in features.get(f.feature, [None] * rows)]
            for f in self.features
        ]
        return list(zip(*columns, strict=True))
