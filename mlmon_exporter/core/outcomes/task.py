"""The task of a model, inferred from its outputs and its ground truths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import ROUNDING
from mlmon_exporter.core.profile.bins import CategoryBins, atom_values
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.names import class_name
from mlmon_exporter.core.settings import Choice

from .classes import in_order

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

REGRESSION, CLASSIFICATION = "regression", "classification"
MOST_CLASSES = 50
OTHER_CLASSES = 2
"""Class numbers beyond the known classes: for any other, and for another one predicted."""
HALF = 0.5
"""Probability from which a class counts as predicted, where no output is the class itself."""
NO_PREDICTION = "expected a prediction, got none"


class Task(NamedTuple):
    """Roles of the outputs. Outputs and classes are given by their index."""

    kind: str
    outputs: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """Names of the known classes; any other has the number `len(classes)`."""
    positive: int | None = None
    """The positive class; None where there are more than two and none was named."""
    label: int | None = None
    """The output with the predicted class, or with a regression's number."""
    scores: tuple[int, ...] = ()
    """The output with the probability of the positive class, one for each class, or none."""

    @property
    def meaning(self) -> tuple[object, ...]:
        """Key that is equal for tasks that differ only in other outputs or in their order."""
        label = self.outputs[self.label] if self.label is not None else None
        scores = tuple(self.outputs[i] for i in self.scores)
        return self.kind, self.classes, self.positive, label, scores


class OutcomeRows(NamedTuple):
    """n rows with prediction and ground truth."""

    truth: Floats
    """Shape (n,): class numbers, or a regression's numbers."""
    predicted: Floats
    """The same."""
    scores: Floats
    """Shape (n, scores): probabilities, NaN where missing."""


def choose_task(
    choice: Choice, outputs: Sequence[ColumnReference], names: Sequence[str], classes: Sequence[str]
) -> Task | None:
    """Infer the task.

    Args:
        choice: The user's settings.
        outputs: References of the outputs that have one.
        names: Names of all outputs.
        classes: Classes of the reference's ground truth; empty if it has none.

    Returns:
        None where the kind of task is unknown, or no output fits it.

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
        # Two that sum to 1 say no more than one.
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
    """Return the kind of task of such ground truths: texts, or two numbers, are classes."""
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
    """Return whether an output with these reference values may be the predicted class."""
    return values is None or bool(values & set(classes) if classes else values)


def _predicted_classes(label: str, values: Mapping[str, set[str]]) -> tuple[str, ...]:
    found = values.get(label) or set()
    return in_order(found) if len(found) > 1 else ()


def values_of(column: ColumnReference) -> set[str]:
    """Return a column's values as class names; none if there are too many."""
    if isinstance(column.bins, CategoryBins):
        # Also those that are too rare to be named in a bin.
        rows = column.rows_by_category
        ranked = sorted(rows, key=lambda category: (-rows[category], category))
        found = [class_name(value) for value in ranked[: column.max_categories]]
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
