"""Facts about one column's reference: its tails, its range and its quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mlmon_exporter.core.profile.categories import UncountedRows, category_column
from mlmon_exporter.core.profile.column import ColumnReference, numeric_column
from mlmon_exporter.core.profile.edges import Cells
from tests.core.build import reference


def column_of(counts: Sequence[int]) -> ColumnReference:
    edges = np.arange(len(counts) - 2, dtype=np.float64)
    return numeric_column("x", Cells(edges), np.array(counts, dtype=np.int64))


@pytest.mark.parametrize(
    ("counts", "tails", "outer"),
    [
        ([0, 1, 500, 498, 1, 0, 9], (2, 4), (1, 5)),
        ([0, 2, 998, 0, 9], (0, 4), (1, 3)),
        ([0, 300, 400, 300, 0, 9], (1, 4), (1, 4)),
        ([0, 1000, 0, 9], (1, 2), (1, 2)),
        ([0, 0, 0, 5], (0, 3), (0, 3)),
        ([0, 5], (0, 1), (0, 1)),
    ],
)
def test_tails_hold_a_thousandth_and_the_range_holds_all(
    counts: list[int], tails: tuple[int, int], outer: tuple[int, int]
) -> None:
    column = column_of(counts)
    low, high = column.tail_cells
    rows = sum(counts[:-1])
    assert column.outer_cells == outer
    assert sum(counts[:low]) <= 0.002 * rows
    assert sum(counts[high:-1]) <= 0.002 * rows
    inside = counts[low:high]
    assert sum(inside) == sum(counts[tails[0] : tails[1]])


def test_categories_have_no_tails() -> None:
    column = reference(["a", "b", "b"])
    assert column.tail_cells == column.outer_cells == (0, column.bins.cell_count - 1)


def test_as_many_rows_are_expected_unseen_as_categories_came_once() -> None:
    column = reference(["a"] * 20 + ["b"] * 3 + ["c", "d"] + [None], min_rows=10)
    assert column.counts.tolist() == [20, 5, 0, 1]
    assert column.expected_counts.tolist() == [20, 3, 2, 1]


def test_no_row_is_expected_unseen_where_not_all_categories_were_counted() -> None:
    rows = UncountedRows(other=5, missing=0, is_complete=False)
    column = category_column("x", {"a": 20, "b": 1}, 50, rows)
    assert column.expected_counts.tolist() == column.counts.tolist() == [20, 6, 0, 0]


def test_a_column_without_a_digest_has_no_quantiles() -> None:
    column = column_of([0, 1, 2, 0])
    assert column.digest is None
    assert np.isnan(column.quantiles).all()
