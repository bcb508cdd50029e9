"""Facts about hidden names of categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.profile.categories import (
    with_hidden_names,
)
from mlmon_exporter.core.settings import NAMED_ROWS
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import categorical, reference, scored

SOME: list[Any] = ["a"] * 20 + [1] * 12 + ["b"] * 3 + ["c", "7", 2.5, True, "\ud800", None]


def test_hidden_names_score_as_if_they_were_there() -> None:
    column = reference(SOME, categorical=["x"], min_rows=NAMED_ROWS)
    hidden = with_hidden_names(column, b"key")
    bins, kept = categorical(hidden), categorical(column)
    assert hidden.rows_by_category == {"a": 20, "1": 12}
    assert hidden.singletons == column.singletons == 5
    for value in (*SOME, 7, 7.0, "2.5", "true", False, 0, "new", 8, [1], ""):
        np.testing.assert_array_equal(bins.code(value), kept.code(value))
    window = {"x": [*SOME, *SOME, *SOME, "new", "newer", False]}
    both = [scored(ReferenceMatrix([each]), window) for each in (column, hidden)]
    for name in both[0]:
        np.testing.assert_array_equal(both[0][name], both[1][name])
    assert both[0]["unseen_ratio"] == pytest.approx(3 / len(window["x"]))


def test_hidden_names_are_told_apart_by_their_key() -> None:
    column = reference(SOME, categorical=["x"], min_rows=NAMED_ROWS)
    one, two = (categorical(with_hidden_names(column, key)).hidden for key in (b"1", b"2"))
    assert len(one.hashes) == len(two.hashes) == 6
    assert not one.hashes & two.hashes
    assert one.has("b")
    assert not one.has("a")
