"""Passes over the rows that a reference is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import times
from mlmon_exporter.core.outcomes.profile import Chunk
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.profile.variation import Variation

Floats = NDArray[np.float64]
Chunks = Callable[[], Iterable[Chunk]]
"""Gives the rows anew at each call."""


View = Callable[[Mapping[str, Any], Floats], tuple[Mapping[str, Any], Floats]]
DAY = 86400.0


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


class Span(NamedTuple):
    """The time that rows span, Unix seconds."""

    first: float
    last: float
    rows: tuple[int, int]
    """Of even and of odd days."""


def span_of(chunks: Chunks, clock: Clock) -> Span:
    """Return what rows span, in one pass; raises ValueError where none has a time."""
    first, last, even, odd = np.inf, -np.inf, 0, 0
    for rows, _ in chunks():
        at = times(rows[clock.column])
        at = at[~np.isnan(at)]
        first, last = min(first, at.min(initial=np.inf)), max(last, at.max(initial=-np.inf))
        odd_here = int(np.count_nonzero(is_odd_day(at)))
        even, odd = even + len(at) - odd_here, odd + odd_here
    if not even + odd:
        raise ValueError(f"reference: {clock.column}: expected times, got none")
    return Span(float(first), float(last), (even, odd))


def is_odd_day(at: Floats) -> NDArray[np.bool_]:
    """Tell which times, Unix seconds, are of every other day; NaN is of none."""
    return np.asarray(at // DAY % 2 == 1)


def with_variation(
    columns: Sequence[ColumnReference],
    chunks: Chunks,
    clock: Clock,
    span: Span | None = None,
    view: View = lambda columns, at: (columns, at),
) -> tuple[ColumnReference, ...]:
    """Return columns with their natural variation, in two passes.

    Args:
        columns: The columns.
        chunks: The rows.
        clock: Their times.
        span: What the rows span, where that is known.
        view: From a chunk's columns and times to the values of these columns, and their times.
    """
    first, last, _ = span or span_of(chunks, clock)
    variation = Variation(columns, clock.window_seconds, first, last)
    for rows, _ in chunks():
        variation.count(*view(rows, times(rows[clock.column])))
    return variation.columns()
