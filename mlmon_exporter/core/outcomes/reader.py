"""Predictions and ground truths as numbers, and the problem of each that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import numbers, probabilities
from mlmon_exporter.core.profile.names import class_name

from .task import HALF, NO_PREDICTION, REGRESSION, OutcomeRows, Task

Floats = NDArray[np.float64]

MOST_KNOWN = 1000
"""Spellings of classes that are remembered."""


class OutcomeReader:
    """Reads predictions and ground truths as numbers. Thread-safe: it only memoizes."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._codes = {name: float(code) for code, name in enumerate(task.classes)}
        self._memo: dict[Any, float] = {}

    def read(
        self, values: Sequence[Sequence[Any]], truths: Sequence[Any]
    ) -> tuple[OutcomeRows, list[str | None]]:
        """Read rows.

        Args:
            values: The outputs of each row, as `Prediction.values`.
            truths: The ground truth of each.

        Returns:
            The rows, and for each None or its problem; rows with one must be left out.
        """
        truth, problems = self._truths(truths)
        outcomes = OutcomeRows(truth, *self.predictions(values))
        self._part_others(outcomes, values, truths)
        for i in np.flatnonzero(np.isnan(outcomes.predicted)).tolist():
            problems[i] = problems[i] or NO_PREDICTION
        return outcomes, problems

    def _part_others(
        self, outcomes: OutcomeRows, values: Sequence[Sequence[Any]], truths: Sequence[Any]
    ) -> None:
        """Give different unknown classes different numbers."""
        other, label = len(self.task.classes), self.task.label
        if self.task.kind == REGRESSION or label is None:
            return
        for i in np.flatnonzero((outcomes.truth == other) & (outcomes.predicted == other)).tolist():
            if class_name(truths[i]) != class_name(values[i][label]):
                outcomes.predicted[i] = other + 1

    def _truths(self, truths: Sequence[Any]) -> tuple[Floats, list[str | None]]:
        if self.task.kind == REGRESSION:
            found, what = numbers(truths), "number"
        else:
            found, what = self.codes(truths), "class"
        problems: list[str | None] = [None] * len(truths)
        for i in np.flatnonzero(~np.isfinite(found)).tolist():
            problems[i] = f"expected a {what}, got {truths[i]!r:.80}"
        return found, problems

    def predictions(self, values: Sequence[Sequence[Any]]) -> tuple[Floats, Floats]:
        """Return the predicted numbers or classes, NaN where there are none, and the scores."""
        task = self.task
        scores = np.empty((len(values), len(task.scores)))
        for place, i in enumerate(task.scores):
            scores[:, place] = numbers([row[i] for row in values])
        scores = probabilities(scores)
        if task.label is None:
            return self._most_probable(scores), scores
        labels = [row[task.label] for row in values]
        if task.kind == REGRESSION:
            predicted = numbers(labels)
            return np.where(np.isfinite(predicted), predicted, np.nan), scores
        predicted = self.codes(labels)
        return np.where(np.isnan(predicted), self._most_probable(scores), predicted), scores

    def _most_probable(self, scores: Floats) -> Floats:
        task = self.task
        if not task.scores:
            return np.full(len(scores), np.nan)
        if len(task.scores) > 1:
            best = np.argmax(np.nan_to_num(scores, nan=-1.0), axis=1).astype(np.float64)
            return np.where(np.isnan(scores).any(axis=1), np.nan, best)
        positive = task.positive or 0
        other = next((i for i in range(len(task.classes)) if i != positive), len(task.classes))
        with np.errstate(invalid="ignore"):
            code = np.where(scores[:, 0] >= HALF, float(positive), float(other))
        return np.where(np.isnan(scores[:, 0]), np.nan, code)

    def codes(self, values: Sequence[Any]) -> Floats:
        """Return the number of each value's class; NaN where it has none."""
        memo = self._memo
        with suppress(KeyError, TypeError):
            return np.array([memo[value] for value in values], dtype=np.float64)
        found = []
        for value in values:
            try:
                code = memo.get(value)
                if code is None:
                    code = self._code(value)
                    if len(memo) < MOST_KNOWN:
                        memo[value] = code
            except TypeError:  # a list, an object
                code = self._code(value)
            found.append(code)
        return np.array(found, dtype=np.float64)

    def _code(self, value: Any) -> float:
        name = class_name(value)
        return np.nan if name is None else self._codes.get(name, float(len(self._codes)))
