"""Facts about right and wrong predictions by class, checked by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from mlmon_exporter.core.outcomes.hits import ClassHits
from mlmon_exporter.core.outcomes.task import CLASSIFICATION, REGRESSION, OutcomeRows, Task

NAMES = ("a", "b", "c")
TASK = Task(CLASSIFICATION, NAMES, NAMES, scores=(0, 1, 2))


def rows(count: int = 500, seed: int = 0) -> OutcomeRows:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet([1.0, 1.0, 1.0], count).round(2)
    truth = np.array([rng.choice(3, p=row / row.sum()) for row in scores], dtype=float)
    return OutcomeRows(truth, scores.argmax(axis=1).astype(float), scores)


def counted(*parts: OutcomeRows, task: Task = TASK) -> ClassHits:
    made = ClassHits.of(task)
    assert made is not None
    for part in parts:
        made.add(part, task)
    return made


def test_rows_are_counted_by_predicted_and_true_class_those_of_others_last() -> None:
    some = rows()
    some.truth[:3] = 3.0  # a class that is not known
    made = counted(some)
    theirs = confusion_matrix(some.predicted, some.truth, labels=range(5))
    assert made.confusion.tolist() == theirs.tolist()


def test_a_curve_has_the_rows_predicted_and_right_at_each_score() -> None:
    some = rows()
    for number, curve in counted(some).curves.items():
        is_hit = (some.predicted == number) & (some.truth == number)
        for score, hits, others in curve.points:
            at = some.scores[:, number] == score
            assert (hits, others) == (is_hit[at].sum(), (~is_hit)[at].sum())


def test_parts_merge_and_are_written_and_read() -> None:
    both, ours, theirs = counted(rows(), rows(seed=1)), counted(rows()), counted(rows(seed=1))
    merged = ours.merge(theirs)
    assert merged is not None
    assert merged.to_dict() == both.to_dict()
    assert ClassHits.from_dict(both.to_dict(), 3).to_dict() == both.to_dict()
    assert ours.merge(ClassHits(4)) is None


def test_labels_alone_have_no_curves_and_regressions_and_single_scores_no_hits() -> None:
    labels = Task(CLASSIFICATION, ("y",), NAMES, label=0)
    some = rows()._replace(scores=np.empty((500, 0)))
    assert not counted(some, task=labels).curves
    assert ClassHits.of(TASK._replace(scores=(0,))) is None
    assert ClassHits.of(TASK._replace(kind=REGRESSION)) is None


@pytest.mark.parametrize(
    "part",
    [
        {"confusion": [[1.0]]},
        {"confusion": [[-1.0] * 5] * 5},
        {"curves": {"3": [[0.1, 1, 1]]}},
        {"curves": {"0": [[0.1, 0, 0]]}},
        {"curves": {"0": [[float("inf"), 1, 0]]}},
    ],
)
def test_damaged_forms_are_errors(part: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="hits: expected"):
        ClassHits.from_dict({**counted(rows()).to_dict(), **part}, 3)
