"""Builds the outcomes of a reference from rows with predictions and ground truth.

Three passes over the rows: the ground truths; the quality and the residuals; and, if residuals are
too many to be known one by one, their exact counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mlmon_exporter.core.profile.categories import CategoryCounts
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.settings import MOST_SEGMENTS, Choice, SegmentFeature

from .classes import in_order
from .reference import OutcomeReference
from .residuals import RESIDUAL, residuals_of
from .scored_rows import scored_rows, tally_outcomes
from .scorer import AT_ONCE, OutcomeScorer
from .segments import Segments, feature_segments
from .tallies import SegmentTally, segment_indexes
from .task import CLASSIFICATION, OutcomeRows, choose_task, kind_of, values_of

Chunk = tuple[Mapping[str, Any], int]
"""Name -> values, and the number of rows."""


class OutcomeColumns(NamedTuple):
    """Columns that outcomes are made of, and settings of their task."""

    truth: str
    """The ground truth; empty if there is none."""
    features: Sequence[ColumnReference]
    outputs: Sequence[ColumnReference]
    choice: Choice = Choice()
    segments: Sequence[SegmentFeature] = ()
    max_segments: int = MOST_SEGMENTS


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
    tally = scorer.layout.new()
    known = [like.residuals] if like is not None and like.residuals is not None else []
    profiler = Profiler(engine, like=known)
    for rows, labels in _blocks(chunks, columns, scorer):
        scored = scored_rows(scorer.layout, rows)
        which = segment_indexes(scorer.layout, labels)
        tally.merge(tally_outcomes(scorer.layout, scored, which))
        profiler.profile({RESIDUAL: scored.residuals}, len(scored.residuals))
    if not tally.rows:
        return None
    if not profiler.is_exact:
        for rows, _ in _blocks(chunks, columns, scorer):
            profiler.count({RESIDUAL: residuals_of(rows, task)}, len(rows.truth))
    residuals = next(iter(profiler.references()), None)
    tally.pack()
    return replace(start, tally=tally, residuals=residuals)


def _start(
    chunks: Callable[[], Iterable[Chunk]], columns: OutcomeColumns, engine: str
) -> OutcomeReference | None:
    """Return outcomes without rows: the task, its classes and its segments."""
    profiler = Profiler(engine, max_categories=1000, min_rows=1)  # rare classes count, too
    for rows, count in chunks():
        profiler.profile({columns.truth: rows[columns.truth]}, count)
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
) -> Iterator[tuple[OutcomeRows, list[tuple[str, ...]]]]:
    """Give the rows that have prediction and ground truth, and the labels of their segments."""
    features = [f.feature for f in outcomes.segments.features]
    for rows, count in chunks():
        read = {
            name: _values(rows[name])
            for name in dict.fromkeys((*outcomes.task.outputs, *features, columns.truth))
        }
        values = list(zip(*(read[name] for name in outcomes.task.outputs), strict=True))
        labels = outcomes.segments.of_rows(read, count)
        for start in range(0, count, AT_ONCE):
            part = slice(start, start + AT_ONCE)
            found, problems = outcomes.reader.read(values[part], read[columns.truth][part])
            kept = [i for i, problem in enumerate(problems) if problem is None]
            yield (
                OutcomeRows(*(array[kept] for array in found)),
                [labels[start + i] for i in kept],
            )


def _values(column: Any) -> Sequence[Any]:
    """Return a column as a list of values."""
    if isinstance(column, CategoryCounts):
        if column.codes is None:
            raise ValueError("outcomes: expected categories with their codes")
        return [(*column.names, None)[code] for code in column.codes.tolist()]
    return column.tolist() if isinstance(column, np.ndarray) else list(column)
