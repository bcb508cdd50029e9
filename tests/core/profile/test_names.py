"""Facts about the names of categories and classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.profile.names import category_name, class_name


@given(st.integers(-(10**20), 10**20))
def test_a_whole_number_has_one_name(number: int) -> None:
    assert category_name(number) == str(number)
    if float(number) == number:
        assert category_name(float(number)) == str(number)


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
