"""Facts about vectors as rows have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.derived.vector_input import FOLDED, GREATEST, VectorInput

SOURCE = VectorInput("v", 12)
ROW = np.random.default_rng(0).normal(size=12).astype(np.float32)


def read(columns: dict[str, Any], rows: int) -> Any:
    return np.concatenate([*SOURCE.blocks(columns, rows)])


@pytest.mark.parametrize(
    "value",
    [
        ROW.tolist(),
        [ROW.tolist()],
        ROW.reshape(3, 4).tolist(),
        tuple(ROW.tolist()),
        ROW.reshape(4, 3),
    ],
)
def test_vectors_are_read_in_any_form(value: Any) -> None:
    np.testing.assert_array_equal(read({"v": value}, 1), [ROW])
    np.testing.assert_array_equal(read({"v": [value, value]}, 2), [ROW, ROW])


def test_numbers_that_were_made_columns_are_put_together() -> None:
    row = {f"v[{i}]": value for i, value in enumerate(ROW)}
    np.testing.assert_array_equal(read(row, 1), [ROW])
    rows = {f"v[{i}]": [value, None] for i, value in enumerate(ROW.tolist())}
    np.testing.assert_array_equal(read(rows, 2), [ROW, np.full(12, np.nan)])


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        (None, np.nan),
        ("", np.nan),
        ([1.0] * 11, np.inf),
        ([1.0] * 11 + [None], np.inf),
        ([1.0] * 11 + [np.inf], np.inf),
        ([1.0] * 11 + [2 * GREATEST], np.inf),
        ([1.0] * 11 + ["one"], np.inf),
        ("no base64", np.inf),
        (3.5, np.inf),
        ({"a": 1}, np.inf),
    ],
)
def test_what_is_no_such_vector_is_missing_or_invalid_alone(value: Any, mark: float) -> None:
    np.testing.assert_array_equal(read({"v": value}, 1), np.full((1, 12), mark))
    np.testing.assert_array_equal(read({"v": [value, ROW]}, 2), [np.full(12, mark), ROW])


def test_folding_keeps_norms_on_average() -> None:
    rows = np.random.default_rng(0).random((50, 3 * 64 * 64))
    source = VectorInput("picture", rows.shape[1])
    folded = source.folded(rows - rows.mean())
    assert folded.shape == (FOLDED, 50)
    ratio = (folded**2).sum(axis=0) / ((rows - rows.mean()) ** 2).sum(axis=1)
    # Each estimate has a standard deviation of about sqrt(2 / FOLDED), 0.06.
    assert ratio.mean() == pytest.approx(1, abs=0.06)
