"""Facts about the names of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder

from mlmon_exporter.core.outcomes.classes import in_order
from mlmon_exporter.core.profile.names import class_name

SPELLINGS: dict[str, list[Any]] = {
    "1": [1, 1.0, True, "1", "1.0", "true", "True", b"1", np.int8(1), np.bool_(True), [1]],
    "0": [0, 0.0, -0.0, False, "0", "false", np.float32(0)],
    "2.5": [2.5, "2.5", np.float64(2.5)],
    "-3": [-3, "-3.0"],
    ">50K": [">50K"],
    "1e": ["1e"],
    "yes": ["yes"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in SPELLINGS.items() for value in values]
)
def test_a_class_has_one_name_however_it_is_spelt(name: str, value: Any) -> None:
    assert class_name(value) == name


@pytest.mark.parametrize("value", [None, "", float("nan"), float("inf"), {}, [1, 2], object(), 1j])
def test_what_is_no_class_has_no_name(value: Any) -> None:
    assert class_name(value) is None


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none()))
def test_a_name_is_its_own_name(value: Any) -> None:
    name = class_name(value)
    assert name is None or class_name(name) == name


@pytest.mark.parametrize("labels", [[10, 9, 1], ["b", "a", "B"], [0, 1], [-1.5, 2.0, 0.0]])
def test_classes_are_in_the_order_of_scikit_learn(labels: list[Any]) -> None:
    known = LabelEncoder().fit(labels).classes_.tolist()
    names = [class_name(label) for label in labels]
    assert in_order(name for name in names if name) == tuple(map(class_name, known))
