"""Derived columns of a reference: fitted in one pass over its rows, and counted in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import numbers, times
from mlmon_exporter.core.derived.joint import LEAST_ROWS, JointColumns, JointFit, inputs_of
from mlmon_exporter.core.derived.reference import DerivedReference, as_columns, names_of
from mlmon_exporter.core.derived.vector_input import VectorInput, numbers_of
from mlmon_exporter.core.derived.vectors import VectorColumns, VectorFit
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.profile.variation import cells_of

from .passes import Chunks, Clock, Span, is_odd_day, span_of, with_variation

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROWS_AT_ONCE = 4096


class _Functions(NamedTuple):
    """The functions of derived columns, and the features of the first."""

    joint: JointColumns | None
    features: Sequence[ColumnReference]
    vectors: Sequence[VectorColumns]

    def of_features(self, columns: Mapping[str, Any], chosen: Bools) -> dict[str, Any]:
        """Return the columns of joint drift, of chosen rows."""
        if self.joint is None:
            return {}
        derive = self.joint.bind(self.features)
        parts = map(derive, _parts(_block(self.features, columns, len(chosen))[:, chosen]))
        return as_columns(self.joint, np.concatenate([*parts], axis=1))

    def of_vectors(self, columns: Mapping[str, Any], chosen: Bools) -> dict[str, Any]:
        """Return the columns of all vectors, of chosen rows."""
        rows = len(chosen)
        found = (row[chosen] for each in self.vectors for row in each.measured(columns, rows))
        return dict(zip(names_of(self.vectors), found, strict=True))


def derived_reference(
    features: Sequence[ColumnReference],
    chunks: Chunks,
    clock: Clock | None = None,
    engine: str = "fastdigest",
    like: DerivedReference | None = None,
    vectors: Sequence[VectorInput] = (),
) -> DerivedReference | None:
    """Return derived columns, given the rows again; None if there can be none.

    Functions are fitted to half of the rows and counted in the others: see `_Halves`.

    Args:
        features: The reference of the features; empty where none are to be taken together.
        chunks: The rows that it was built from.
        clock: Their times, if they are known.
        engine: A key of `digests.ENGINES`.
        like: Derived columns whose functions and cells are taken over.
        vectors: Those that columns are to be derived from.

    Raises:
        ValueError: Rows are too few for a vector.
    """
    span = span_of(chunks, clock) if clock is not None else None
    halves = _Halves.of(features, clock, span) if like is None else _Halves()
    functions = _taken(features, like) if like else _fitted(features, chunks, vectors, halves)
    joint = functions.joint
    if joint is None and not functions.vectors:
        return None
    known = like.columns if like is not None else ()
    width = len(joint.names) if joint is not None else 0
    most = len(joint.inputs) if joint is not None else 0
    profilers = [
        Profiler(engine, max_categories=most, like=part, min_rows=0)
        for part in (known[:width], known[width:])
    ]
    start = 0
    for columns, rows in chunks():
        for profiler, of_side, counted in zip(
            profilers,
            (functions.of_features, functions.of_vectors),
            halves.counted(columns, start, rows),
            strict=True,
        ):
            profiler.profile(of_side(columns, counted), int(np.count_nonzero(counted)))
        start += rows
    parts = (
        p.references() for p, n in zip(profilers, (width, functions.vectors), strict=True) if n
    )
    made = tuple(column for part in parts for column in part)

    def view(columns: Mapping[str, Any], at: Floats) -> tuple[dict[str, Any], Floats]:
        counted = is_odd_day(at) if halves.are_days else np.ones(len(at), dtype=bool)
        found = functions.of_features(columns, counted) | functions.of_vectors(columns, counted)
        return found, at[counted]

    if clock is not None:
        made = with_variation(made, chunks, clock, span, view)
    return DerivedReference(joint, made, tuple(functions.vectors))


class _Halves(NamedTuple):
    """Rows that functions are fitted to, and those whose derived columns are counted.

    A fit suits its own rows better than new ones. Where neighbours are alike, as rows of one day
    are, it does so however many they are: then every other day is fitted, the others counted.
    Without times joint drift is fitted to all rows, and all are counted: there are enough of them.
    """

    time_column: str = ""
    are_days: bool = False
    is_like: bool = True
    """Functions are taken over: all rows are counted."""

    @classmethod
    def of(
        cls, features: Sequence[ColumnReference], clock: Clock | None, span: Span | None
    ) -> Self:
        """Take every other day where both halves have rows enough for a fit."""
        if clock is None or span is None:
            return cls(is_like=False)
        fit = JointFit([*_taking_part(features)])
        least = max(fit.least_rows if fit.inputs else LEAST_ROWS, sum(span.rows) / 3)
        return cls(clock.column, min(span.rows) >= least, is_like=False)

    def fitted(self, columns: Mapping[str, Any], start: int, rows: int) -> tuple[Bools, Bools]:
        """Return the rows that joint drift is fitted to, and those for vectors."""
        if self.are_days:
            at = times(columns[self.time_column])
            return (is_even := ~is_odd_day(at) & ~np.isnan(at)), is_even
        return np.ones(rows, dtype=bool), _is_in_half(start, rows)

    def counted(self, columns: Mapping[str, Any], start: int, rows: int) -> tuple[Bools, Bools]:
        """Return the rows whose columns of joint drift are counted, and those of vectors."""
        if self.are_days:
            return (is_odd := is_odd_day(times(columns[self.time_column]))), is_odd
        every = np.ones(rows, dtype=bool)
        return every, every if self.is_like else ~_is_in_half(start, rows)


def _taking_part(features: Sequence[ColumnReference]) -> Iterator[ColumnReference]:
    names = {each.name for each in inputs_of(features)}
    return (column for column in features if column.name in names)


def _taken(features: Sequence[ColumnReference], like: DerivedReference) -> _Functions:
    inputs = like.function.inputs if like.function is not None else ()
    names = {each.name for each in inputs}
    taken = [column for column in features if column.name in names]
    return _Functions(like.function, taken, like.vectors)


def _fitted(
    features: Sequence[ColumnReference],
    chunks: Chunks,
    vectors: Sequence[VectorInput],
    halves: _Halves,
) -> _Functions:
    taken = [*_taking_part(features)]
    fit, of_vectors = JointFit(taken), [VectorFit(each) for each in vectors]
    has_rows = max((column.rows for column in taken), default=0) >= fit.least_rows
    start = 0
    for columns, rows in chunks() if vectors else ():
        for each in of_vectors:
            each.look(columns, rows, halves.fitted(columns, start, rows)[1])
        start += rows
    start = 0
    for columns, rows in chunks() if has_rows or vectors else ():
        of_joint, half = halves.fitted(columns, start, rows)
        if has_rows:
            for part in _parts(_block(taken, columns, rows)[:, of_joint]):
                fit.add(part)
        for each in of_vectors:
            each.add(columns, rows, half)
        start += rows
    return _Functions(
        fit.fitted() if has_rows else None, taken, [each.fitted() for each in of_vectors]
    )


def _is_in_half(start: int, rows: int) -> Bools:
    """Tell which rows are in one half, in no order that data may have."""
    hashed = np.arange(start, start + rows, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (hashed >> np.uint64(63)).astype(bool)


def _parts(block: Floats) -> Iterator[Floats]:
    """Give some rows at a time: so few stay in the processor's cache from step to step."""
    for start in range(0, max(block.shape[1], 1), ROWS_AT_ONCE):
        yield block[:, start : start + ROWS_AT_ONCE]


def _block(features: Sequence[ColumnReference], columns: Mapping[str, Any], rows: int) -> Floats:
    """Return features of a chunk, shape (features, rows), encoded as live rows are."""
    block = np.empty((len(features), rows))
    for values, column in zip(block, features, strict=True):
        read = columns[column.name]
        is_numeric = column.kind == "numeric"
        values[:] = numbers(read) if is_numeric else cells_of(column.bins, read)
    return block


def vector_inputs(
    wanted: Iterable[str], columns: Mapping[str, Any], where: str = "reference"
) -> tuple[VectorInput, ...]:
    """Return vectors by the names of their columns, or by a beginning such as `emb_*`.

    Raises:
        ValueError: There is none, or two would have columns of one name.
    """
    made = tuple(_vector_input(each, columns, where) for each in wanted)
    names = [*JointColumns.names, *(name for each in made for name in each.names)]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ValueError(f"{where}: expected each derived column once, got {twice!r} twice")
    return made


def _vector_input(wanted: str, columns: Mapping[str, Any], where: str) -> VectorInput:
    if wanted.endswith("*"):
        stem = wanted[:-1]
        parts = tuple(name for name in columns if name.startswith(stem))
        if len(parts) < 2 or not stem.rstrip("_.[-"):
            raise ValueError(f"{where}: {wanted}: expected columns of that beginning, got none")
        return VectorInput(stem.rstrip("_.[-"), len(parts), parts)
    if wanted not in columns:
        raise ValueError(f"{where}: no column {wanted!r}; there are {', '.join(columns)}")
    first = next((value for value in columns[wanted] if value is not None), ())
    return VectorInput(wanted, numbers_of(first).size)


def merge_derived(
    ours: DerivedReference | None, theirs: DerivedReference | None
) -> DerivedReference | None:
    """Return the derived columns of two references; those of one if the other has none."""
    if ours is None or theirs is None:
        return ours or theirs
    return ours.merge(theirs)
