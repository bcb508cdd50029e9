"""Facts about reading predictions and ground truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.outcomes.reader import OutcomeReader
from mlmon_exporter.core.outcomes.task import Task


@pytest.mark.parametrize("truth", [1, 1.0, True, "1", "1.0", "true", np.int64(1)])
def test_a_class_is_met_however_it_is_spelt(truth: Any) -> None:
    reader = OutcomeReader(Task("classification", ("c",), ("0", "1"), 1, 0))
    rows, problems = reader.read([(1.0,), ("1",), ("true",)], [truth] * 3)
    assert problems == [None] * 3
    assert rows.truth.tolist() == rows.predicted.tolist() == [1.0] * 3


def test_probabilities_out_of_range_are_none() -> None:
    reader = OutcomeReader(Task("classification", ("p",), ("0", "1"), 1, None, (0,)))
    rows, problems = reader.read([(-0.1,), (1.1,), ("x",), (0.5,), (1.0,)], [1] * 5)
    assert [problem is None for problem in problems] == [False, False, False, True, True]
    assert rows.predicted[3:].tolist() == [1.0, 1.0]


def test_the_most_probable_class_is_predicted() -> None:
    reader = OutcomeReader(Task("classification", (*"abc",), (*"abc",), None, None, (0, 1, 2)))
    rows, _ = reader.read([(0.1, 0.7, 0.2), (0.4, 0.3, 0.3), (0.1, None, 0.9)], ["b"] * 3)
    assert rows.predicted[:2].tolist() == [1.0, 0.0]
    assert np.isnan(rows.predicted[2])
