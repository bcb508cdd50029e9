"""Right and wrong predictions of the reference, by class: what many classes are estimated from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.roc import RocCurve, curves_of

from .losses import is_scorable
from .task import CLASSIFICATION, OTHER_CLASSES, OutcomeRows, Task

Floats = NDArray[np.float64]


class ClassHits:
    """Rows by predicted and true class, and by the score of each class. Not thread-safe."""

    def __init__(self, classes: int) -> None:
        """Start without rows."""
        size = classes + OTHER_CLASSES
        self.confusion: Floats = np.zeros((size, size))
        """Rows by predicted class, then by true class."""
        self.curves: dict[int, RocCurve] = {}
        """Class -> rows by its score: those predicted so and rightly, then all others."""

    @classmethod
    def of(cls, task: Task) -> Self | None:
        """Return hits without rows; None of tasks that are not estimated from them."""
        is_by_class = task.kind == CLASSIFICATION and len(task.scores) != 1
        return cls(len(task.classes)) if is_by_class else None

    def add(self, rows: OutcomeRows, task: Task) -> None:
        """Add rows."""
        predicted, truth = rows.predicted.astype(np.intp), rows.truth.astype(np.intp)
        np.add.at(self.confusion, (predicted, truth), 1.0)
        if not task.scores:
            return
        is_scored = is_scorable(rows, task)
        scores, predicted, truth = rows.scores[is_scored], predicted[is_scored], truth[is_scored]
        classes = np.arange(len(task.scores))
        is_hit = (predicted == truth)[:, None] & (truth[:, None] == classes)
        owners = np.broadcast_to(classes, scores.shape).ravel()
        for number, curve in curves_of(owners, scores.ravel(), is_hit.ravel()):
            self.curves.setdefault(number, RocCurve()).merge(curve)

    def merge(self, other: Self) -> Self | None:
        """Return the hits of both sides' rows; None unless they have the same classes."""
        if self.confusion.shape != other.confusion.shape:
            return None
        merged = type(self)(len(self.confusion) - OTHER_CLASSES)
        merged.confusion = self.confusion + other.confusion
        for curves in (self.curves, other.curves):
            for number, curve in curves.items():
                merged.curves.setdefault(number, RocCurve()).merge(curve)
        return merged

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds them."""
        for curve in self.curves.values():
            curve.pack()
        curves = {str(number): curve.points.tolist() for number, curve in self.curves.items()}
        return {"confusion": self.confusion.tolist(), "curves": curves}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], classes: int) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        made = cls(classes)
        confusion = np.array(form["confusion"], dtype=np.float64)
        if confusion.shape != made.confusion.shape or not (confusion >= 0).all():
            raise ValueError(f"hits: expected rows of {classes} classes, got others")
        made.confusion = confusion
        for number, each in form["curves"].items():
            points = np.array(each, dtype=np.float64).reshape(-1, 3)
            is_count = np.isfinite(points).all() and (points[:, 1:] >= 0).all()
            if not is_count or not 0 <= int(number) < classes or (points[:, 1:].sum(1) == 0).any():
                raise ValueError("hits: expected points of some rows each, got others")
            made.curves[int(number)] = RocCurve(points)
        return made
