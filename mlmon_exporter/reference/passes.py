"""Passes over the rows that a reference is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmon_exporter.core.coerce import times
from mlmon_exporter.core.outcomes.profile import Chunk
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.profile.variation import Variation

Chunks = Callable[[], Iterable[Chunk]]
"""Gives the rows anew at each call."""


class Clock(NamedTuple):
    """The times of rows, and the windows that they are watched in."""

    column: str
    window_seconds: Sequence[float]


def profiled(
    profilers: Sequence[Profiler],
    chunks: Chunks,
    names_of: Callable[[Mapping[str, Any]], Sequence[list[str]]],
    progress: Callable[[int], None],
) -> list[tuple[ColumnReference, ...]]:
    """Return the columns that each profiler makes of rows, counted anew where that is exact."""
    for step in (Profiler.profile, Profiler.count):
        rows = 0
        for columns, count in chunks():
            for profiler, names in zip(profilers, names_of(columns), strict=True):
                is_first = step is Profiler.profile
                step(profiler, {n: columns[n] for n in names} if is_first else columns, count)
            rows += count
            progress(count)
        if not rows:
            raise ValueError("reference: expected rows, got none")
        for profiler in profilers:
            profiler.check()
        if all(profiler.is_exact for profiler in profilers):
            break
    return [profiler.references() for profiler in profilers]


def with_variation(
    columns: Sequence[ColumnReference],
    chunks: Chunks,
    clock: Clock,
    view: Callable[[Mapping[str, Any], int], Mapping[str, Any]] = lambda columns, rows: columns,
) -> tuple[ColumnReference, ...]:
    """Return columns with their natural variation, in two passes.

    Args:
        columns: The columns.
        chunks: The rows.
        clock: Their times.
        view: From a chunk's columns, and its rows, to the values of these columns.
    """
    seen = (times(rows[clock.column]) for rows, _ in chunks())
    ends = [(np.nanmin(part), np.nanmax(part)) for part in seen if not np.isnan(part).all()]
    if not ends:
        raise ValueError(f"reference: {clock.column}: expected times, got none")
    first, last = min(low for low, _ in ends), max(high for _, high in ends)
    variation = Variation(columns, clock.window_seconds, first, last)
    for rows, count in chunks():
        variation.count(view(rows, count), times(rows[clock.column]))
    return variation.columns()
