"""Scoring of outcomes: from predictions and ground truths to tallies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import number, scalar
from mlmon_exporter.core.keys import (
    ALL_VERSIONS,
    RESIDUAL_STRETCHES,
    RESIDUALS,
    SEGMENTS,
    TallyKey,
)
from mlmon_exporter.core.profile.bins import OTHER
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.free_text import is_long
from mlmon_exporter.core.profile.names import category_name
from mlmon_exporter.core.records import Batch, Prediction, SingleRows
from mlmon_exporter.core.settings import PANES, ModelSettings, SegmentFeature
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.stretches import DAY_SECONDS, STRETCH_DAYS, Stretches
from mlmon_exporter.core.windows.tally import Layout, Tally
from mlmon_exporter.core.windows.window import PaneKey

from . import fairness
from .reader import OutcomeReader
from .reference import ModelReference
from .scored_rows import ScoredRows, scored_rows, tally_outcomes
from .segments import FeatureSegments, Segments, feature_segments, rows_by_value
from .tallies import SegmentLayout, SegmentTally, aligned, segment_indexes
from .tally_bytes import AnyTally
from .task import CLASSIFICATION, OutcomeRows, Task, choose_task

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Tallies = dict[TallyKey, AnyTally]
Rows = list[tuple[tuple[float | str | None, ...], tuple[str, ...]]]
"""Outputs and segments of each row."""

AT_ONCE = 4096
"""Outcomes that are scored at once; bounds memory."""


class OutcomeScorer:
    """Turns predictions into rows that wait for outcomes, and outcomes into tallies. Thread-safe.

    Holds no rows.
    """

    def __init__(self, task: Task, segments: Segments, center: float) -> None:
        self.task = task
        self.segments = segments
        self.reader = OutcomeReader(task)
        self.layout = SegmentLayout(task, segments, center)
        self.residuals: ReferenceMatrix | None = None
        """Reference of the residuals, if there is one."""
        self.stretches: Stretches | None = None
        """Their live traffic, if the reference does not know how they depend on each other."""
        self.reference: SegmentTally | None = None
        """Outcomes of the reference's rows, if they have the same task."""
        self.left_out: Sequence[tuple[int, frozenset[str]]] = ()
        """Segment features with more values than segments, and their values without one."""
        self.on_overflow: Callable[[str], None] = lambda label: None
        self._last: tuple[Batch | SingleRows | None, Rows] = (None, [])

    @property
    def counts_predicted(self) -> bool:
        """True if predicted rows are counted: by class and segment, for coverage and selection."""
        return self.task.kind == CLASSIFICATION

    @property
    def tests(self) -> int:
        """Number of tests of a window without a reference: of coverage and of equal segments."""
        is_fair = fairness.TESTS * len(self.segments.features)
        return int(self.counts_predicted) + (is_fair if self.task.positive is not None else 0)

    def pending(self, batch: Batch | SingleRows, version: str, now: float) -> list[Prediction]:
        """Return a prediction for each row with an id, to be kept until its outcome is known.

        Args:
            batch: The rows.
            version: The version that they count for.
            now: Unix seconds when the rows of a batch were seen.
        """
        ids = batch.prediction_ids or ()
        moments = batch.moments if isinstance(batch, SingleRows) else repeat(now)
        return [
            Prediction(each, moment, version, *row)
            for each, moment, row in zip(ids, moments, self.rows(batch), strict=False)
            if each
        ]

    def rows(self, batch: Batch | SingleRows) -> Rows:
        """Return outputs and segments of each row."""
        # A batch is counted, and then kept until its outcomes come: read it once.
        last = self._last
        if last[0] is not batch:
            is_many = isinstance(batch, SingleRows)
            one = batch.batch if isinstance(batch, SingleRows) else batch
            last = self._last = (batch, self._rows(one))
            for f, values in self.left_out:
                found = self._count_left_out(one, last[1], f, values)
                for _ in range(found if is_many else min(found, 1)):  # once a request
                    self.on_overflow("segment")
        return last[1]

    def _count_left_out(self, batch: Batch, rows: Rows, f: int, left_out: frozenset[str]) -> int:
        """Return how many rows have a value without a segment of this feature."""
        values = batch.features.get(self.segments.features[f].feature)
        if values is None:
            return 0
        return sum(
            labels[f] == OTHER and category_name(scalar(value)) in left_out
            for (_, labels), value in zip(
                rows, [values] if batch.rows == 1 else values, strict=True
            )
        )

    def _rows(self, batch: Batch) -> Rows:
        names = self.task.outputs
        outputs = batch.outputs(names)
        if batch.rows == 1:
            values = tuple([_plain(outputs.get(name)) for name in names])
            return [(values, self.segments.of_row(batch.features))]
        columns = [[*map(_plain, outputs.get(name, [None] * batch.rows))] for name in names]
        segments = self.segments.of_rows(batch.features, batch.rows)
        return list(zip(zip(*columns, strict=True), segments, strict=True))

    def tallies(
        self,
        outcomes: Sequence[tuple[Prediction, Any]],
        window_seconds: Sequence[float],
        now: float,
    ) -> tuple[Tallies, list[str | None]]:
        """Return tallies of outcomes, and for each None or why it is invalid.

        Args:
            outcomes: Predictions and their ground truths. Each counts for the time of its
                prediction, in the windows that still have it.
            window_seconds: Lengths of the windows.
            now: Unix seconds.
        """
        read, problems = self.reader.read(
            [self._fitted(prediction.values) for prediction, _ in outcomes],
            [truth for _, truth in outcomes],
        )
        kept = [i for i, problem in enumerate(problems) if problem is None]
        usable = [outcomes[i][0] for i in kept]
        tallies: Tallies = {}
        for start in range(0, len(kept), AT_ONCE):
            block = usable[start : start + AT_ONCE]
            rows = OutcomeRows(*(array[kept[start : start + AT_ONCE]] for array in read))
            for key, tally in self._tallies(block, rows, window_seconds, now):
                _merge(tallies, key, tally)
        return tallies, problems

    def _tallies(
        self,
        predictions: Sequence[Prediction],
        rows: OutcomeRows,
        window_seconds: Sequence[float],
        now: float,
    ) -> Iterator[tuple[TallyKey, AnyTally]]:
        """Give the tallies of valid rows; several keys may share one."""
        scored = scored_rows(self.layout, rows)
        which = segment_indexes(self.layout, [prediction.segments for prediction in predictions])
        tallies: dict[tuple[int, ...], list[tuple[int, str, AnyTally]]] = {}
        for seconds in window_seconds:
            for (version, pane), own in _by_pane(predictions, seconds, now).items():
                # Mostly the panes of several windows get the same rows.
                if own not in tallies:
                    tallies[own] = self._tallied(scored.of(np.array(own)), which[:, own])
                for side, layout, tally in tallies[own]:
                    yield TallyKey(version, side, layout, seconds, pane), tally
        if self.residuals is not None and self.stretches is not None:
            layout = self.stretches.layout.fingerprint
            for (seconds, number), own in _by_stretch(self.stretches, predictions, now).items():
                residuals = scored.of(np.array(own)).residuals
                tally = self.stretches.binned(_tally_residuals(self.residuals.layout, residuals))
                key = TallyKey(ALL_VERSIONS, RESIDUAL_STRETCHES, layout, seconds, number)
                yield key, tally

    def _tallied(self, scored: ScoredRows, which: Codes) -> list[tuple[int, str, AnyTally]]:
        """Return side, layout and tally of some rows."""
        of_segments = tally_outcomes(self.layout, scored, which)
        tallies: list[tuple[int, str, AnyTally]] = [
            (SEGMENTS, self.layout.fingerprint, of_segments)
        ]
        if self.residuals is not None:
            layout = self.residuals.layout
            of_residuals = _tally_residuals(layout, scored.residuals)
            tallies.append((RESIDUALS, layout.fingerprint, of_residuals))
        return tallies

    def _fitted(self, values: tuple[float | str | None, ...]) -> tuple[float | str | None, ...]:
        """Return a row's outputs; all None if they are of another configuration."""
        count = len(self.task.outputs)
        return values if len(values) == count else (None,) * count


def _by_pane(
    predictions: Sequence[Prediction], seconds: float, now: float
) -> dict[tuple[str, int], tuple[int, ...]]:
    """Return the predictions of each version and pane that a window still has."""
    pane_seconds = seconds / PANES
    oldest = now // pane_seconds - PANES
    found: dict[tuple[str, int], list[int]] = {}
    for i, prediction in enumerate(predictions):
        pane = int(prediction.at // pane_seconds)
        if pane > oldest:
            found.setdefault((prediction.version, pane), []).append(i)
    return {key: tuple(rows) for key, rows in found.items()}


def _by_stretch(
    stretches: Stretches, predictions: Sequence[Prediction], now: float
) -> dict[PaneKey, tuple[int, ...]]:
    """Return the predictions of each stretch that is kept."""
    found: dict[PaneKey, list[int]] = {}
    for i, prediction in enumerate(predictions):
        if prediction.at > now - STRETCH_DAYS * DAY_SECONDS:
            for key in stretches.places(prediction.at):
                found.setdefault(key, []).append(i)
    return {key: tuple(rows) for key, rows in found.items()}


def _merge(tallies: Tallies, key: TallyKey, tally: AnyTally) -> None:
    """Add a tally to that of its key; it is copied, not shared."""
    known = tallies.get(key)
    if known is None:
        tallies[key] = tally.copy()
    else:
        known.merge(tally)  # type: ignore[arg-type]


def _tally_residuals(layout: Layout, residuals: Floats) -> Tally:
    """Count residuals; no reading of them needs a digest."""
    tally = Tally(layout)
    known = residuals[~np.isnan(residuals)]
    tally.rows = len(known)
    tally.counts = layout.bins[0].count(known)[0]
    return tally


def _plain(value: Any) -> float | str | None:
    """Return an output as a finite number or short text, None where it is neither."""
    if type(value) is not float:
        if type(value) is not str:
            value = scalar(value)
        if isinstance(value, str):
            return None if not value or is_long(value) else value
        value = number(value)
    return value if abs(value) < float("inf") else None


def outcome_scorer(
    settings: ModelSettings,
    reference: ModelReference,
    on_overflow: Callable[[str], None] = lambda label: None,
) -> OutcomeScorer | None:
    """Return the scorer of a model; None if its task is unknown.

    `on_overflow` gets `segment` for rows whose segment is `other` because there are too many.

    Raises:
        ValueError: The user's settings of the task do not fit the outputs.
    """
    known = reference.outcomes
    choice = settings.choice
    own_names = tuple(column.name for column in reference.outputs)
    names = settings.outputs or own_names
    if known is not None:
        choice = choice.filled(known.choice, names)
    task = choose_task(choice, reference.outputs, names, known.classes if known else ())
    if task is None:
        return None
    wanted = settings.segments or tuple(
        SegmentFeature(s.feature, s.edges) for s in (known.segments if known else ())
    )
    columns = {column.name: column for column in reference.features}

    def segments(each: SegmentFeature) -> FeatureSegments:
        found = known.segments_of(*each) if known else None
        column = columns.get(each.feature)
        return found or feature_segments(each, column, settings.max_segments)

    made = OutcomeScorer(task, Segments([*map(segments, wanted)]), _center(task, reference))
    made.on_overflow = on_overflow
    made.left_out = [*_left_out(made.segments, columns)]
    own = known.task(reference.outputs, own_names) if known is not None else None
    if known is not None and own is not None and own.meaning == task.meaning:
        made.reference = aligned(known.tally, known.layout(own), made.layout)
        if known.residuals is not None:
            made.residuals = ReferenceMatrix((known.residuals,))
            if not reference.knows_time:
                seconds = [window.seconds for window in settings.windows]
                layout, is_shared = made.residuals.layout, settings.is_shared
                made.stretches = Stretches(layout, seconds, is_shared=is_shared)
    return made


def _left_out(
    segments: Segments, columns: Mapping[str, ColumnReference]
) -> Iterator[tuple[int, frozenset[str]]]:
    for f, feature in enumerate(segments.features):
        column = columns.get(feature.feature)
        if column is not None and not feature.edges:
            left_out = frozenset(rows_by_value(column)).difference(feature.values)
            if left_out:
                yield f, left_out


def _center(task: Task, reference: ModelReference) -> float:
    """Return a number near a regression's ground truths: their mean, or the predictions'."""
    if reference.outcomes is not None:
        return reference.outcomes.center
    columns = {column.name: column for column in reference.outputs}
    column = columns.get(task.outputs[task.label]) if task.label is not None else None
    mean = float("nan") if column is None else column.mean
    return mean if abs(mean) < float("inf") else 0.0
