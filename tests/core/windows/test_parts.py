"""Facts about tallies of parts: in any order they add up to the tally of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import fed, references

PARTS = st.lists(
    st.lists(st.floats(-5, 5, width=16) | st.none() | st.just("text"), max_size=30),
    min_size=1,
    max_size=5,
)


@given(PARTS, st.randoms(use_true_random=False))
def test_tallies_of_parts_in_any_order_merge_to_that_of_all(parts: Any, order: Any) -> None:
    rows = [value for part in parts for value in part]
    if not rows:
        return
    matrix = ReferenceMatrix(references({"x": [0.5, 1.0, 2.0] * 9, "c": ["a", "b", "text"] * 9}))
    whole = fed(matrix, {"x": rows, "c": list(map(str, rows))}).merged(0.0)[0]
    order.shuffle(parts)
    merged = matrix.layout.new()
    for part in filter(None, parts):
        # A column that a part lacks is missing there.
        columns = {"x": part, "c": list(map(str, part))}
        merged.merge(fed(matrix, columns).merged(0.0)[0])
    assert merged.rows == whole.rows
    np.testing.assert_array_equal(merged.counts, whole.counts)
    np.testing.assert_array_equal(merged.invalid, whole.invalid)
    np.testing.assert_allclose(merged.sums, whole.sums, rtol=1e-9, atol=1e-9)
