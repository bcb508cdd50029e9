"""What a model's task is: which of its outputs is what, and how its outcomes are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bins import CategoryBins, atom_values
from .class_names import class_name, in_order
from .reference import ColumnReference
from .values import numbers

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

REGRESSION, CLASSIFICATION = "regression", "classification"
MOST_CLASSES = 50
OTHER_CLASSES = 2
"""Numbers of classes beyond the known: one for any other, one for what is predicted instead."""
MOST_KNOWN = 1000
"""Spellings of classes that are remembered."""
ROUNDING = 1e-6
HALF = 0.5
"""A class whose probability is at least this is predicted, where the output is no class itself."""
NO_PREDICTION = "expected a prediction, got none"


class Task(NamedTuple):
    """Which output is what. Outputs and classes are meant by their index."""

    kind: str
    outputs: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """Names of the known classes; any other is one more, `len(classes)`."""
    positive: int | None = None
    """The class that counts as positive; None where there are more than two and none was named."""
    label: int | None = None
    """The output with the predicted class, or with a regression's number."""
    scores: tuple[int, ...] = ()
    """The output with the positive class's probability; or one for each class; or none."""

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it is about, whatever other outputs there are, in whatever order."""
        label = self.outputs[self.label] if self.label is not None else None
        scores = tuple(self.outputs[i] for i in self.scores)
        return self.kind, self.classes, self.positive, label, scores


class Choice(NamedTuple):
    """What the user says of a task; what is empty is found out."""

    kind: str = ""
    score: str = ""
    label: str = ""
    positive: str = ""

    def filled(self, other: Choice, names: Sequence[str]) -> Choice:
        """Return what either says, this one first; of outputs only these names."""
        score, label = (name if name in names else "" for name in (other.score, other.label))
        return Choice(
            self.kind or other.kind,
            self.score or score,
            self.label or label,
            self.positive or other.positive,
        )


class OutcomeRows(NamedTuple):
    """Rows with prediction and ground truth, as arrays of n rows."""

    truth: Floats
    """Class numbers, or a regression's numbers."""
    predicted: Floats
    """The same."""
    scores: Floats
    """Shape (n, scores): probabilities; NaN where there is none."""


def choose_task(
    choice: Choice, outputs: Sequence[ColumnReference], names: Sequence[str], classes: Sequence[str]
) -> Task | None:
    """Find out what the task is.

    Args:
        choice: What the user says.
        outputs: The reference of the outputs, as far as there is one.
        names: All outputs' names.
        classes: The classes of the reference's ground truth; none if it has no such.

    Returns:
        None where nobody says what the task is, or there is no output that fits it.

    Raises:
        ValueError: An output or class that the user names is not there.
    """
    for key, name in (("score", choice.score), ("label", choice.label)):
        if name and name not in names:
            raise ValueError(f"{key}: expected one of the outputs {', '.join(names)}, got {name!r}")
    if choice.kind == REGRESSION:
        known = {column.name for column in outputs if not isinstance(column.bins, CategoryBins)}
        numeric = [i for i, name in enumerate(names) if name in known or not outputs]
        label = names.index(choice.label) if choice.label else next(iter(numeric), None)
        return None if label is None else Task(REGRESSION, tuple(names), label=label)
    return _classification(choice, outputs, names, classes) if choice.kind else None


def _classification(
    choice: Choice, outputs: Sequence[ColumnReference], names: Sequence[str], classes: Sequence[str]
) -> Task | None:
    columns = {column.name: column for column in outputs}
    values = {name: values_of(column) for name, column in columns.items()}
    known = in_order(classes) or _predicted_classes(choice.label, values)
    probable = [
        name
        for name, column in columns.items()
        if _is_probability(column) and not (values[name] and values[name] <= set(known or "01"))
    ]
    scores = _score_names(choice.score, probable, names, known)
    others = [name for name in names if name not in {*scores, *probable}]
    label = choice.label or _only(n for n in others if _may_be_class(values.get(n), known))
    if not known:
        known = _predicted_classes(label, values) or ("0", "1")
    if not scores and not label:
        return None
    known = known[:MOST_CLASSES]
    if len(scores) == len(known) == 2:
        # Two that sum to 1 say what one says.
        scores = (scores[known.index(class_name(choice.positive) or known[1])],)
    return Task(
        CLASSIFICATION,
        tuple(names),
        known,
        _positive(choice.positive, known, is_binary=len(known) == 2 or len(scores) == 1),
        names.index(label) if label else None,
        tuple(names.index(name) for name in scores),
    )


def kind_of(truth: ColumnReference) -> str:
    """Return the kind of task that has such ground truths: texts, or two numbers, are classes."""
    is_classes = isinstance(truth.bins, CategoryBins) or 1 <= len(values_of(truth)) <= 2
    return CLASSIFICATION if is_classes else REGRESSION


def _score_names(
    chosen: str, probable: Sequence[str], names: Sequence[str], classes: Sequence[str]
) -> tuple[str, ...]:
    if chosen:
        return (chosen,)
    by_class = {class_name(name): name for name in names}
    if len(classes) > 1 and all(each in by_class for each in classes):
        return tuple(by_class[each] for each in classes)
    if len(probable) == len(classes) > 1:
        return tuple(name for name in names if name in probable)
    return tuple(probable) if len(probable) == 1 and len(classes) <= 2 else ()


def _may_be_class(values: set[str] | None, classes: Sequence[str]) -> bool:
    """Return whether an output may be the predicted class, given its values in the reference."""
    return values is None or bool(values & set(classes) if classes else values)


def _predicted_classes(label: str, values: Mapping[str, set[str]]) -> tuple[str, ...]:
    found = values.get(label) or set()
    return in_order(found) if len(found) > 1 else ()


def values_of(column: ColumnReference) -> set[str]:
    """Return a column's values as class names; none if there are too many."""
    if isinstance(column.bins, CategoryBins):
        found = [class_name(value) for value in column.bins.categories]
    else:
        pairs = [*atom_values(column.bins, column.counts)]
        if sum(rows for _, rows in pairs) < column.rows - column.missing:
            return set()
        found = [class_name(value) for value, rows in pairs if rows]
    return {name for name in found if name is not None} if len(found) <= MOST_CLASSES else set()


def _is_probability(column: ColumnReference) -> bool:
    if isinstance(column.bins, CategoryBins) or column.digest is None:
        return False
    least, greatest = column.digest.quantiles((0.0, 1.0))
    return least >= -ROUNDING and greatest <= 1 + ROUNDING


def _only(names: Iterable[str]) -> str:
    found = [*names]
    return found[0] if len(found) == 1 else ""


def _positive(wanted: str, classes: Sequence[str], *, is_binary: bool) -> int | None:
    if wanted:
        name = class_name(wanted)
        if name not in classes:
            raise ValueError(
                f"positive: expected one of the classes {', '.join(classes)}, got {wanted!r}"
            )
        return classes.index(name)
    return len(classes) - 1 if is_binary else None


class OutcomeReader:
    """Reads predictions and ground truths as numbers. Thread-safe: what it keeps is a memo."""

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
            The rows, and for each None or what is wrong with it: those are to be left out.
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
        """Tell classes apart that are both unknown."""
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
        with np.errstate(invalid="ignore"):
            scores = np.where((scores >= 0) & (scores <= 1), scores, np.nan)
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

    def codes(self, values: Iterable[Any]) -> Floats:
        """Return the number of each value's class; NaN where it has none."""
        memo = self._memo
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
