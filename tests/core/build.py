"""References, tallies and scores of given rows: the way that rows go in the exporter, in a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.drift.tests import Comparison, score
from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.settings import Policy
from mlmon_exporter.core.windows.buffer import RowBuffer
from mlmon_exporter.core.windows.matrix import ReferenceMatrix, Sums
from mlmon_exporter.core.windows.tally import Tally
from mlmon_exporter.core.windows.window import WindowedTallies

Floats = NDArray[np.float64]

HOUR = 3600.0
LEVEL = 1e-6


def references(
    columns: Mapping[str, Any],
    *,
    engine: str = "fastdigest",
    categorical: Iterable[str] = (),
    max_categories: int = 50,
    min_rows: int = 1,
    chunk_rows: int = 8192,
    passes: int = 2,
) -> tuple[ColumnReference, ...]:
    """The references of columns, from chunks of their rows; categories of `min_rows` are named."""
    profiler = Profiler(engine, categorical, max_categories, min_rows=min_rows)
    for step in (profiler.profile, profiler.count)[:passes]:
        for chunk, rows in chunks(columns, chunk_rows):
            step(chunk, rows)
    return profiler.references()


def reference(values: Any, **options: Any) -> ColumnReference:
    """The reference of one column, `x`."""
    (column,) = references({"x": values}, **options)
    return column


def edges_of(column: ColumnReference) -> Floats:
    assert isinstance(column.bins, NumericBins)
    return column.bins.edges


def off_by(column: ColumnReference, rows: Floats) -> float:
    """How far the share of rows below an edge is from that of the raw rows, at most."""
    exact = np.searchsorted(np.sort(rows), edges_of(column), side="right")
    return float(np.abs(np.cumsum(column.counts[:-2]) - exact).max() / len(rows))


def rows_by_category(column: ColumnReference) -> dict[str, int]:
    """The rows of the categories that are kept, most frequent first."""
    assert isinstance(column.bins, CategoryBins)
    return dict(zip(column.bins.categories, column.counts.tolist(), strict=False))


def chunks(columns: Mapping[str, Any], chunk_rows: int) -> Iterator[tuple[dict[str, Any], int]]:
    rows = len(next(iter(columns.values())))
    for start in range(0, rows, chunk_rows):
        part = {name: values[start : start + chunk_rows] for name, values in columns.items()}
        yield part, min(chunk_rows, rows - start)


def buffer_of(
    frame: ReferenceMatrix, *window_seconds: float, engine: str = "fastdigest"
) -> RowBuffer:
    """An empty buffer, with its windows; one of an hour by default."""
    tallies = WindowedTallies(frame.layout, window_seconds or [HOUR])
    return RowBuffer(frame, engine, tallies)


def fed(
    frame: ReferenceMatrix,
    rows: Mapping[str, Any],
    *,
    engine: str = "fastdigest",
    rng: np.random.Generator | None = None,
    now: float = 0.0,
) -> WindowedTallies[Tally]:
    """One window of rows, which came in batches of 1 to 512 if there is an `rng`."""
    buffer = buffer_of(frame, engine=engine)
    count = len(next(iter(rows.values())))
    start = 0
    while start < count:
        size = count if rng is None else int(rng.integers(1, 513))
        part = {name: values[start : start + size] for name, values in rows.items()}
        length = min(size, count - start)
        if length == 1:
            part = {name: values[0] for name, values in part.items()}
        buffer.add(part, length, now)
        start += size
    buffer.drain()
    return buffer.tallies


def sums_of(frame: ReferenceMatrix, rows: Mapping[str, Any], **options: Any) -> Sums:
    """What rows add up to."""
    return frame.sums(fed(frame, rows, **options).merged(0.0)[0])


def scored(
    frame: ReferenceMatrix,
    rows: Mapping[str, Any],
    *,
    policy: Policy = Policy(),  # noqa: B008 - frozen
    level: float = LEVEL,
    **options: Any,
) -> dict[str, Floats]:
    """All scores, thresholds and verdicts of rows."""
    return score(Comparison(frame, sums_of(frame, rows, **options), policy, level))


def categorical(column: ColumnReference) -> CategoryBins:
    assert isinstance(column.bins, CategoryBins)
    return column.bins
