"""What a model's outcomes are read by: its task, its segments, its errors. Holds no rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import errors_of
from .frame import Frame
from .part_keys import ERRORS, SLICES, PartKey
from .records import Batch, Column, Prediction
from .segments import FeatureSegments, SegmentFeature, Segments, feature_segments
from .settings import ModelReference, ModelSettings
from .slices import SliceLayout, slices_of, tally_outcomes
from .tally import Tally
from .tally_bytes import AnyTally
from .task import OutcomeReader, OutcomeRows, Task, choose_task
from .values import number, scalar
from .windows import PANES

Floats = NDArray[np.float64]
Parts = dict[PartKey, AnyTally]


class Outcomes:
    """How predictions become rows that wait, and how those become counts. Thread-safe."""

    def __init__(
        self, task: Task, segments: Segments, center: float, errors: Frame | None = None
    ) -> None:
        self.task = task
        self.segments = segments
        self.reader = OutcomeReader(task)
        self.layout = SliceLayout(task, segments, center)
        self.errors = errors
        """The reference of errors, if there is one."""

    def waiting(
        self, outputs: Mapping[str, Column], batch: Batch, version: str, now: float
    ) -> list[Prediction]:
        """Return what is kept of the rows that have an id.

        Args:
            outputs: The predictions by the names that the reference has.
            batch: Their features, ids and number.
            version: The version that they are counted for.
            now: Unix seconds.
        """
        ids = batch.prediction_ids or ()
        rows = self.rows(outputs, batch)
        return [
            Prediction(each, now, version, *row)
            for each, row in zip(ids, rows, strict=False)
            if each
        ]

    def rows(
        self, outputs: Mapping[str, Column], batch: Batch
    ) -> list[tuple[tuple[float | str | None, ...], tuple[str, ...]]]:
        """Return outputs and segments of each row."""
        names = self.task.outputs
        if batch.rows == 1:
            values = tuple([_plain(outputs.get(name)) for name in names])
            return [(values, self.segments.of_row(batch.features))]
        columns = [[*map(_plain, outputs.get(name, [None] * batch.rows))] for name in names]
        segments = self.segments.of_rows(batch.features, batch.rows)
        return list(zip(zip(*columns, strict=True), segments, strict=True))

    def parts(
        self,
        outcomes: Sequence[tuple[Prediction, Any]],
        window_seconds: Sequence[float],
        now: float,
    ) -> tuple[Parts, list[str | None]]:
        """Return what outcomes add to the counts, and for each None or what is wrong with it.

        Args:
            outcomes: Predictions and their ground truths. Each is counted for the time of its
                prediction, in the windows that still have it.
            window_seconds: The windows.
            now: Unix seconds.
        """
        predictions = [prediction for prediction, _ in outcomes]
        values = [self._fitted(prediction.values) for prediction in predictions]
        read, problems = self.reader.read(values, [truth for _, truth in outcomes])
        usable = np.array([problem is None for problem in problems], dtype=bool)
        which = slices_of(self.layout, [prediction.segments for prediction in predictions])
        versions = [prediction.version for prediction in predictions]
        at = np.array([prediction.at for prediction in predictions], dtype=np.float64)
        parts: Parts = {}
        for version in dict.fromkeys(versions):
            own = usable & np.array([each == version for each in versions])
            for seconds in window_seconds:
                panes = np.floor(at / (seconds / PANES))
                oldest = now // (seconds / PANES) - PANES
                for pane in np.unique(panes[own & (panes > oldest)]).tolist():
                    rows = own & (panes == pane)
                    chosen = OutcomeRows(*(array[rows] for array in read))
                    key = PartKey(version, SLICES, self.layout.fingerprint, seconds, int(pane))
                    parts[key] = tally_outcomes(self.layout, chosen, which[:, rows])
                    parts |= self._error_parts(key, chosen)
        return parts, problems

    def _fitted(self, values: tuple[float | str | None, ...]) -> tuple[float | str | None, ...]:
        """Return a row's outputs as many as there are; those of another configuration are none."""
        count = len(self.task.outputs)
        return values if len(values) == count else (None,) * count

    def _error_parts(self, key: PartKey, rows: OutcomeRows) -> Parts:
        if self.errors is None:
            return {}
        layout = self.errors.layout
        tally = Tally(layout)
        errors = errors_of(rows, self.task)
        tally.rows = len(errors)
        # Nothing that is shown needs a digest.
        tally.counts = layout.bins[0].count(errors)[0]
        return {key._replace(side=ERRORS, layout=layout.fingerprint): tally}


def _plain(value: Any) -> float | str | None:
    """Return an output as a finite number or text, None where it is neither."""
    if type(value) is not float:
        if type(value) is not str:
            value = scalar(value)
        if isinstance(value, str):
            return value or None
        value = number(value)
    return value if abs(value) < float("inf") else None


def outcomes_of(settings: ModelSettings, reference: ModelReference) -> Outcomes | None:
    """Return how outcomes are read; None if nobody says what the task is.

    Raises:
        ValueError: What the user says of the task does not fit the outputs.
    """
    known = reference.outcomes
    choice = settings.choice
    if known is not None:
        pairs = zip(choice, known.choice, strict=True)
        choice = type(choice)(*(wanted or found for wanted, found in pairs))
    names = settings.outputs or tuple(column.name for column in reference.outputs)
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

    center = known.center if known else _center(task, reference)
    error = known.error if known else None
    errors = Frame((error,)) if error is not None else None
    return Outcomes(task, Segments([*map(segments, wanted)]), center, errors)


def _center(task: Task, reference: ModelReference) -> float:
    columns = {column.name: column for column in reference.outputs}
    column = columns.get(task.outputs[task.label]) if task.label is not None else None
    mean = float("nan") if column is None else column.mean
    return mean if abs(mean) < float("inf") else 0.0
