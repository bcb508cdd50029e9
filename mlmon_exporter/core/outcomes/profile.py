"""Builds the outcomes of a reference from rows with predictions and ground truth.

Four passes over the rows at most: the ground truths; the quality and the residuals; if residuals
are too many to be known one by one, their exact counts; and, if the time of rows is known, how
unchanged time varies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.categories import CategoryCounts
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.settings import MOST_SEGMENTS, Choice, SegmentFeature

from .classes import in_order
from .expected import LossFit
from .hits import ClassHits
from .reference import OutcomeReference
from .residuals import RESIDUAL, residuals_of
from .scored_rows import scored_rows, tally_outcomes
from .scorer import AT_ONCE, OutcomeScorer
from .segments import Segments, feature_segments
from .tallies import SegmentSums, SegmentTally, segment_indexes
from .task import CLASSIFICATION, REGRESSION, OutcomeRows, choose_task, kind_of, values_of
from .variation import OutcomeVariation

Floats = NDArray[np.float64]
Chunk = tuple[Mapping[str, Any], int]
"""Name -> values, and the number of rows."""


class RowTimes(NamedTuple):
    """The times of rows, and the windows whose natural variation they show."""

    of: Callable[[Mapping[str, Any]], Floats]
    """Columns of a chunk -> Unix seconds of each row, NaN where they are not known."""
    window_seconds: Sequence[float]


class OutcomeColumns(NamedTuple):
    """Columns that outcomes are made of, and settings of their task."""

    truth: str
    """The ground truth; empty if there is none."""
    features: Sequence[ColumnReference]
    outputs: Sequence[ColumnReference]
    choice: Choice = Choice()
    segments: Sequence[SegmentFeature] = ()
    max_segments: int = MOST_SEGMENTS
    times: RowTimes | None = None
    """None where the time of rows is not known."""


class _Block(NamedTuple):
    """Rows that have prediction and ground truth."""

    rows: OutcomeRows
    segments: list[tuple[str, ...]]
    """Labels of the segments of each row."""
    times: Floats
    """Unix seconds; NaN where the time is not known."""
    columns: Mapping[str, Any]
    """Those of the chunk that the rows are of."""
    at: NDArray[np.intp]
    """The rows of that chunk."""


def outcome_reference(
    chunks: Callable[[], Iterable[Chunk]],
    columns: OutcomeColumns,
    engine: str,
    like: OutcomeReference | None = None,
) -> OutcomeReference | None:
    """Return the outcomes of rows.

    Args:
        chunks: Gives the rows anew at each call. Categories that are counted have their codes.
        columns: What they are made of.
        engine: A key of `digests.ENGINES`.
        like: Take over its classes, segments and cells, so that parts add up exactly.

    Returns:
        None where there is no ground truth, no output fits the task, or no row has both.

    Raises:
        ValueError: An output or class that the user names is not there.
    """
    if not columns.truth or not columns.outputs:
        return None
    start = like if like is not None else _start(chunks, columns, engine)
    names = [column.name for column in columns.outputs]
    task = start.task(columns.outputs, names) if start is not None else None
    if start is None or task is None:
        return None
    scorer = OutcomeScorer(task, Segments(start.segments), start.center)
    known = [like.residuals] if like is not None and like.residuals is not None else []
    profiler = Profiler(engine, like=known)
    blocks = partial(_blocks, chunks, columns, scorer)
    hits = ClassHits.of(task)
    tally, first, last = _counted(blocks(), scorer, profiler, hits)
    if not tally.rows:
        return None
    if not profiler.is_exact:
        for block in blocks():
            residuals = residuals_of(block.rows, task)
            profiler.count({RESIDUAL: residuals}, len(residuals))
    residuals_column = next(iter(profiler.references()), None)
    tally.pack()
    if residuals_column is not None and columns.times is not None and first < last:
        seconds, sums = columns.times.window_seconds, SegmentSums(scorer.layout, tally)
        variation = OutcomeVariation(sums, residuals_column, seconds, first, last)
        for block in blocks():
            variation.count(block.rows, block.times)
        residuals_column = variation.column()
    return replace(start, tally=tally, residuals=residuals_column, hits=hits)


def with_expected(
    chunks: Callable[[], Iterable[Chunk]], columns: OutcomeColumns, outcomes: OutcomeReference
) -> OutcomeReference:
    """Return a regression's outcomes with the losses that rows lead to expect, in a pass.

    Args:
        chunks: Gives the rows anew, with all features.
        columns: What the outcomes are made of.
        outcomes: Those of the rows.
    """
    names = [column.name for column in columns.outputs]
    task, sums = outcomes.task(columns.outputs, names), outcomes.sums(columns.outputs)
    if task is None or sums is None or task.kind != REGRESSION:
        return outcomes
    scorer, fit = OutcomeScorer(task, Segments(()), 0.0), LossFit(columns.features, columns.outputs)
    for block in _blocks(chunks, columns, scorer):
        rows = len(next(iter(block.columns.values())))
        every = slice(None, None, 1 + rows // fit.rows_at_once)
        errors = np.abs(block.rows.truth - block.rows.predicted)
        fit.add(block.columns, block.at[every], errors[every])
    means = np.array([sums.mean(name)[0] for name in ("absolutes", "squares")])
    return replace(outcomes, expected=fit.fitted(means))


def _counted(
    blocks: Iterable[_Block], scorer: OutcomeScorer, profiler: Profiler, hits: ClassHits | None
) -> tuple[SegmentTally, float, float]:
    """Return the tally of rows, and the times of the first and the last; NaN if not known.

    The rows are added to hits, too.
    """
    tally = scorer.layout.new()
    first = last = np.nan
    for block in blocks:
        scored = scored_rows(scorer.layout, block.rows)
        which = segment_indexes(scorer.layout, block.segments)
        tally.merge(tally_outcomes(scorer.layout, scored, which))
        if hits is not None:
            hits.add(block.rows, scorer.task)
        profiler.profile({RESIDUAL: scored.residuals}, len(scored.residuals))
        first = np.fmin.reduce(block.times, initial=first)
        last = np.fmax.reduce(block.times, initial=last)
    return tally, float(first), float(last)


def _start(
    chunks: Callable[[], Iterable[Chunk]], columns: OutcomeColumns, engine: str
) -> OutcomeReference | None:
    """Return outcomes without rows: the task, its classes and its segments."""
    profiler = Profiler(engine, max_categories=1000, min_rows=1)  # rare classes count, too
    for rows, count in chunks():
        profiler.profile({columns.truth: rows[columns.truth]}, count)
    profiler.check()
    truth = next(iter(profiler.references()), None)
    if truth is None or not truth.values:
        return None
    choice = columns.choice._replace(kind=columns.choice.kind or kind_of(truth))
    is_classes = choice.kind == CLASSIFICATION
    by_name = {column.name: column for column in columns.features}
    segments = tuple(
        feature_segments(each, by_name.get(each.feature), columns.max_segments)
        for each in columns.segments
    )
    classes = in_order(values_of(truth)) if is_classes else ()
    names = [column.name for column in columns.outputs]
    task = choose_task(choice, columns.outputs, names, classes)
    if task is not None:
        # Kept for parts that are built alike: they must find the same.
        score = names[task.scores[0]] if len(task.scores) == 1 else ""
        choice = choice._replace(
            score=score, label=names[task.label] if task.label is not None else ""
        )
    center = 0.0 if is_classes or not np.isfinite(truth.mean) else truth.mean
    return OutcomeReference(choice, classes, segments, center, SegmentTally(0, 0), None)


def _blocks(
    chunks: Callable[[], Iterable[Chunk]], columns: OutcomeColumns, outcomes: OutcomeScorer
) -> Iterator[_Block]:
    """Give the rows that have prediction and ground truth."""
    features = [f.feature for f in outcomes.segments.features]
    for rows, count in chunks():
        read = {
            name: _values(rows[name])
            for name in dict.fromkeys((*outcomes.task.outputs, *features, columns.truth))
        }
        values = list(zip(*(read[name] for name in outcomes.task.outputs), strict=True))
        labels = outcomes.segments.of_rows(read, count)
        times = columns.times.of(rows) if columns.times is not None else np.full(count, np.nan)
        for start in range(0, count, AT_ONCE):
            part = slice(start, start + AT_ONCE)
            found, problems = outcomes.reader.read(values[part], read[columns.truth][part])
            if not any(problems):
                at = np.arange(start, start + len(problems))
                yield _Block(found, labels[part], times[part], rows, at)
                continue
            kept = [i for i, problem in enumerate(problems) if problem is None]
            yield _Block(
                OutcomeRows(*(array[kept] for array in found)),
                [labels[start + i] for i in kept],
                times[part][kept],
                rows,
                start + np.array(kept, dtype=np.intp),
            )


def _values(column: Any) -> Sequence[Any]:
    """Return a column as a list of values."""
    if isinstance(column, CategoryCounts):
        if column.codes is None:
            raise ValueError("outcomes: expected categories with their codes")
        return [(*column.names, None)[code] for code in column.codes.tolist()]
    return column.tolist() if isinstance(column, np.ndarray) else list(column)
