"""Derived columns of a reference: fitted in one pass over its rows, and counted in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import numbers
from mlmon_exporter.core.derived.joint import JointColumns, JointFit, inputs_of
from mlmon_exporter.core.derived.reference import DerivedReference, as_columns
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.profile.variation import cells_of

from .passes import Chunks, Clock, with_variation

Floats = NDArray[np.float64]

ROWS_AT_ONCE = 4096


def derived_reference(
    features: Sequence[ColumnReference],
    chunks: Chunks,
    clock: Clock | None = None,
    engine: str = "fastdigest",
    like: DerivedReference | None = None,
) -> DerivedReference | None:
    """Return columns derived from features, given the rows again; None if there can be none.

    Args:
        features: The reference of the features.
        chunks: The rows that it was built from.
        clock: Their times, if they are known.
        engine: A key of `digests.ENGINES`.
        like: Derived columns whose functions and cells are taken over.
    """
    inputs = inputs_of(features) if like is None else like.function.inputs
    names = {each.name for each in inputs}
    taken = [column for column in features if column.name in names]
    function = _fitted(taken, chunks) if like is None else like.function
    if function is None:
        return None
    derive = function.bind(taken)

    def derived(columns: Mapping[str, Any], rows: int) -> dict[str, Any]:
        parts = map(derive, _parts(_block(taken, columns, rows)))
        return as_columns(function, np.concatenate([*parts], axis=1))

    known = like.columns if like is not None else ()
    profiler = Profiler(engine, max_categories=len(inputs), like=known, min_rows=0)
    for columns, rows in chunks():
        profiler.profile(derived(columns, rows), rows)
    made = profiler.references()
    if clock is not None:
        made = with_variation(made, chunks, clock, derived)
    return DerivedReference(function, made)


def _fitted(features: Sequence[ColumnReference], chunks: Chunks) -> JointColumns | None:
    fit = JointFit(features)
    if max((column.rows for column in features), default=0) < fit.least_rows:
        return None
    for columns, rows in chunks():
        for part in _parts(_block(features, columns, rows)):
            fit.add(part)
    return fit.fitted()


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


def merge_derived(
    ours: DerivedReference | None, theirs: DerivedReference | None
) -> DerivedReference | None:
    """Return the derived columns of two references; those of one if the other has none."""
    if ours is None or theirs is None:
        return ours or theirs
    return ours.merge(theirs)
