"""Facts about the names of classes."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.preprocessing import LabelEncoder

from mlmon_exporter.core.outcomes.classes import in_order
from mlmon_exporter.core.profile.names import class_name


@pytest.mark.parametrize("labels", [[10, 9, 1], ["b", "a", "B"], [0, 1], [-1.5, 2.0, 0.0]])
def test_classes_are_in_the_order_of_scikit_learn(labels: list[Any]) -> None:
    known = LabelEncoder().fit(labels).classes_.tolist()
    names = [class_name(label) for label in labels]
    assert in_order(name for name in names if name) == tuple(map(class_name, known))
