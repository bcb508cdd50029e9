"""Facts about columns of numbers and texts, and about parts of any column that are merged."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.edges import rounding_among
from mlmon_exporter.core.profile.merge import merge_columns
from tests.core.build import reference

DECIMALS = st.integers(-9999, 9999).map(lambda cents: cents / 100)
COLUMNS: tuple[st.SearchStrategy[Any], ...] = (
    DECIMALS,
    DECIMALS | DECIMALS.map(lambda value: float(np.float32(value))),
    st.integers(-5, 5),
    st.floats(allow_nan=False, width=32),
    st.floats(allow_nan=False),
    st.booleans(),
    st.sampled_from(["a", "b", "1", "1.0", "01", "", "True", "\u00e9", "e\u0301"]),
    st.text(max_size=2),
)


def said(column: ColumnReference) -> tuple[Any, ...]:
    """All that a reference says of a column, but for how its digest was put together."""
    shape = (column.kind, column.counts.tolist(), column.bins.bin_names, column.bins.intervals)
    names = (sorted(column.rows_by_category.items()), column.rank_error)
    return (*shape, *names, getattr(column.bins, "edges", np.empty(0)).tolist())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_parts_in_any_order_merge_to_one_build_over_all(data: st.DataObject) -> None:
    values = data.draw(st.sampled_from(COLUMNS))
    parts = data.draw(st.lists(st.lists(values | st.none(), max_size=20), min_size=1, max_size=5))
    rows = [value for part in parts for value in part]
    whole = reference(rows, min_rows=10) if rows else None
    built = [reference(part, min_rows=10) for part in data.draw(st.permutations(parts)) if part]
    if whole is None:
        return
    merged = reduce(merge_columns, built)
    assert said(merged) == said(whole)
    assert merged.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-9, nan_ok=True)
    if math.isfinite(whole.sd):
        assert merged.sd == pytest.approx(whole.sd, rel=1e-6, abs=1e-6)


def test_a_part_without_values_adds_its_rows_as_missing() -> None:
    nothing, full = [None] * 1000, [float(n % 7) for n in range(1000)]
    for empty in (nothing, [math.nan] * 1000, [""] * 1000):
        both = merge_columns(reference(empty), reference(full))
        assert (both.rows, both.missing) == (2000, 1000)
        assert said(both) == said(reference([*empty, *full]))


def test_one_number_in_two_precisions_is_one_value() -> None:
    tenths = np.arange(1, 10) / 10
    as_rounded = tenths.astype(np.float32).astype(np.float64)
    for rows in (tenths, as_rounded):
        column = reference(np.repeat(rows, 100))
        for sent in (tenths, as_rounded):
            counts = column.bins.count(np.repeat(sent, 100))[0]
            assert counts.tolist() == column.counts.tolist()
    both = reference(np.concatenate((tenths, as_rounded)))
    assert both.counts.tolist() == [0, *([2, 0] * 9), 0]


def test_a_popular_price_is_one_value_in_either_precision() -> None:
    prices = np.round(np.random.default_rng(1).gamma(2.0, 20.0, 9000), 2)
    rows = np.concatenate((prices, np.full(1000, 9.99)))
    column = reference(rows)
    counts = column.bins.count(rows.astype(np.float32).astype(np.float64))[0]
    assert counts.tolist() == column.counts.tolist()


def test_times_with_fractions_are_told_apart_to_the_last_digit() -> None:
    times = 1.7e9 + np.arange(2000) / 7
    assert rounding_among(times[:3], times).tolist() == [0.0] * 3
    assert reference(times).counts.max() <= 20
