"""Facts about references in the making: which cells are chosen, and what they count."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.bins import CategoryBins, NumericBins
from mlmon_exporter.core.profile import (
    BY_VALUE,
    DISTINCT,
    CategoryCounts,
    Profiler,
    count_categories,
)
from mlmon_exporter.core.reference import ColumnReference

from .build import Floats, reference, references
from .distributions import Distribution
from .oracles import rows_per_bin

ROWS = {"fastdigest": 30_000, "tdigest": 3000}


def numeric(column: ColumnReference) -> NumericBins:
    assert isinstance(column.bins, NumericBins)
    return column.bins


def categorical(column: ColumnReference) -> CategoryBins:
    assert isinstance(column.bins, CategoryBins)
    return column.bins


def bin_rows(column: ColumnReference) -> list[int]:
    return [int(rows) for rows in np.add.reduceat(column.counts, column.bins.bin_starts)]


# Numeric columns


def test_two_passes_count_exactly(distribution: Distribution, engine: str) -> None:
    values = distribution.rows(np.random.default_rng(1), ROWS[engine])
    values[::97] = np.nan
    column = reference(values, engine=engine, chunk_rows=1000)
    assert column.counts.tolist() == rows_per_bin(values, numeric(column).edges)
    assert bin_rows(column) == rows_per_bin(values, numeric(column).bin_edges)
    assert column.rank_error == 0.0
    assert column.rows == len(values)


def test_bins_are_about_ten_and_share_the_rows(distribution: Distribution) -> None:
    values = distribution.rows(np.random.default_rng(2), 30_000)
    column = reference(values)
    atoms, atom_rows = np.unique(values, return_counts=True)
    frequent = atoms[atom_rows >= 0.05 * len(values)]
    shares = np.array(bin_rows(column)[:-1]) / len(values)
    edges = [-math.inf, *numeric(column).bin_edges, math.inf]
    if len(atoms) == 1:
        assert shares.tolist() == [0.0, 1.0, 0.0]
        return
    assert shares.min() > 0
    assert len(shares) <= 10 + len(frequent)
    for share, (low, high) in zip(shares, pairwise(edges), strict=True):
        inside = atoms[(atoms > low) & (atoms <= high)]
        if set(inside) & set(frequent):
            assert len(inside) == 1  # a bin of its own
        else:
            assert share < 0.1 + 0.05 + 0.005  # a tenth, and what ties may add


def test_every_cell_that_is_no_single_value_is_small(distribution: Distribution) -> None:
    values = distribution.rows(np.random.default_rng(3), 30_000)
    column = reference(values)
    edges = [-math.inf, *numeric(column).edges, math.inf]
    ordered = np.unique(values)
    for rows, (low, high) in zip(column.counts[:-1], pairwise(edges), strict=True):
        if np.count_nonzero((ordered > low) & (ordered <= high)) > 1:
            assert rows / len(values) < 3 / 256  # most have 1 / 256; beside a gap there are more


def test_a_discrete_column_has_a_cell_for_each_value(distribution: Distribution) -> None:
    values = distribution.rows(np.random.default_rng(4), 3000)
    distinct, rows = np.unique(values, return_counts=True)
    if len(distinct) <= BY_VALUE:
        used = reference(values).counts[:-1]
        assert used[used > 0].tolist() == rows.tolist()


def test_moments_are_those_of_numpy(distribution: Distribution) -> None:
    values = distribution.rows(np.random.default_rng(5), 20_000)
    column = reference(values, chunk_rows=777)
    assert column.mean == pytest.approx(float(values.mean()), rel=1e-9)
    if values.std() > 0:
        assert column.sd == pytest.approx(float(values.std()), rel=1e-9)


def test_how_rows_are_cut_into_chunks_does_not_matter(distribution: Distribution) -> None:
    values = distribution.rows(np.random.default_rng(6), 3000)
    whole = reference(values, chunk_rows=3000)
    for chunk_rows in (1, 64):
        cut = reference(values, chunk_rows=chunk_rows, passes=1)
        assert numeric(cut).edges.tolist() == numeric(whole).edges.tolist()
        assert cut.counts.tolist() == whole.counts.tolist()


def test_one_pass_over_many_values_is_off_by_its_rank_error_at_most(
    distribution: Distribution,
) -> None:
    values = distribution.rows(np.random.default_rng(7), 40_000)
    column = reference(values, passes=1)
    exact = np.cumsum(rows_per_bin(values, numeric(column).edges))
    off = np.abs(np.cumsum(column.counts) - exact).max() / len(values)
    assert off <= column.rank_error <= 0.02
    assert column.rows == len(values)


@pytest.mark.parametrize("atom", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("passes", [1, 2])
def test_an_atom_of_1_percent_among_countless_values_has_a_cell(atom: float, passes: int) -> None:
    rng = np.random.default_rng(8)
    values = rng.random(60_000)
    values[rng.random(60_000) < 0.01] = atom
    assert len(np.unique(values)) > DISTINCT
    column = reference(values, passes=passes)
    edges = numeric(column).edges
    cell = int(np.searchsorted(edges, atom))
    assert edges[cell] == atom
    assert cell == 0 or edges[cell - 1] == np.nextafter(atom, -math.inf)
    expected = int((values == atom).sum())
    allowed = column.rank_error * len(values)
    assert int(column.counts[cell]) == pytest.approx(expected, abs=allowed)
    assert (allowed == 0) == (passes == 2)


SPECIAL: dict[str, Any] = {
    "one row": [3.0],
    "one row of 0": [0.0],
    "minus zero": [-0.0, 0.0],
    "two values": [1.0, 2.0],
    "two values, one rare": [1.0] * 999 + [2.0],
    "neighbours in double precision": [1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0)],
    "huge": [-1.7e308, 0.0, 1.7e308],
    "the greatest": [np.finfo(float).max, -np.finfo(float).max],
    "all the greatest": [np.finfo(float).max] * 50,
    "huge and spread": list(np.linspace(-1e300, 1e300, 700)),
    "tiny": [1e-300, 2e-300, 3e-300],
    "subnormal": [5e-324, 1e-323, 1.5e-323],
    "subnormal and spread": list(np.arange(1, 800) * 5e-324),
    "beyond 2**53": [2.0**53 + 2 * i for i in range(500)],
    "timestamps": [1.7e9 + i / 7 for i in range(2000)],
    "with missing": [1.0, math.nan, 2.0, math.nan],
    "with infinities": [1.0, math.inf, -math.inf, 2.0],
    "booleans": [True, False, True],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", SPECIAL.values(), ids=SPECIAL)
def test_special_values_are_counted_exactly(values: list[Any], engine: str) -> None:
    column = reference(values, engine=engine)
    array = np.array(values, dtype=np.float64)
    assert column.counts.tolist() == rows_per_bin(array, numeric(column).edges)
    assert bin_rows(column) == rows_per_bin(array, numeric(column).bin_edges)
    assert np.isfinite(numeric(column).edges).all()
    finite = array[np.isfinite(array)]
    first, last = column.outer_cells
    assert int(column.counts[first:last].sum()) == len(finite)
    assert not np.isnan(column.mean)
    assert not np.isnan(column.sd)
    # Centroids' means round, and count as 1e300 where sums of the values would overflow.
    low, high = np.clip([finite.min(), finite.max()], -1e300, 1e300)
    assert (column.quantiles >= low - 1e-15 * abs(low)).all()
    assert (column.quantiles <= high + 1e-15 * abs(high)).all()


def test_a_constant_has_no_spread_whatever_sums_round_to() -> None:
    column = reference(np.full(100_001, 0.1), chunk_rows=1000)
    assert (column.mean, column.sd) == (0.1, 0.0)


@settings(max_examples=40)
@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0, math.nan]),
        min_size=1,
        max_size=400,
    ),
    st.integers(1, 400),
)
def test_any_floats_are_counted_exactly(values: list[float], chunk_rows: int) -> None:
    array = np.array(values)
    columns = references({"x": array}, chunk_rows=chunk_rows)
    if not np.isfinite(array).any():
        assert all(column.counts[:-1].sum() == 0 for column in columns)
        return
    (column,) = columns
    assert column.counts.tolist() == rows_per_bin(array, numeric(column).edges)
    bins = bin_rows(column)
    assert sum(bins) == len(values)
    assert min(bins[:-1]) > 0 or len(np.unique(array[np.isfinite(array)])) == 1


# Categories


def test_categories_are_counted_and_the_most_frequent_kept() -> None:
    values = ["b"] * 3 + ["a"] * 3 + ["c"] * 5 + ["d", "e", None, "", math.nan]
    column = reference(values, kept=3, chunk_rows=4)
    bins = categorical(column)
    assert bins.categories == ("c", "a", "b")
    assert bins.rare == {"d", "e"}
    assert column.counts.tolist() == [5, 3, 3, 2, 0, 3]
    assert column.singletons == 2
    assert bins.is_complete


def test_numbers_are_categories_where_the_user_says_so() -> None:
    column = reference([1, 1.0, "1", True, 2, 2.5], categorical=["x"])
    names = dict(zip(categorical(column).categories, column.counts.tolist(), strict=False))
    assert names == {"1": 3, "true": 1, "2": 1, "2.5": 1}


def test_what_cannot_be_a_category_is_missing() -> None:
    counts = count_categories(["a", None, "", math.nan, math.inf, [1, 2], {"a": 1}, ["b"]])
    assert counts == CategoryCounts(("a", "b"), (1, 1), 6)


@pytest.mark.parametrize("different", [DISTINCT, 2 * DISTINCT + 1, 30_000])
def test_countless_categories_keep_the_frequent_ones_and_all_rows(different: int) -> None:
    rng = np.random.default_rng(9)
    values = [f"c{number}" for number in rng.permutation(different)]
    values[::10] = ["often"] * len(values[::10])
    column = reference(values)
    bins = categorical(column)
    assert bins.categories[0] == "often"
    assert column.counts[0] == len(values[::10])
    assert column.rows == different
    assert len(bins.categories) == 50
    assert len(bins.rare) <= DISTINCT
    assert bins.is_complete == (different == DISTINCT)


def test_categories_counted_already_are_as_good_as_values() -> None:
    values = ["a", "b", "a", None, "c"]
    counted = reference(values)
    profiler = Profiler()
    profiler.profile({"x": CategoryCounts(("a", "b"), (1, 1), 0)}, 2)
    profiler.profile({"x": CategoryCounts(("a", "c"), (1, 1), 1)}, 3)
    (column,) = profiler.references()
    assert column.counts.tolist() == counted.counts.tolist()
    assert categorical(column).categories == categorical(counted).categories


def test_rows_of_unnamed_categories_are_other_and_nothing_is_unseen() -> None:
    profiler = Profiler()
    profiler.profile({"x": CategoryCounts(("a",), (3,), 1, other=4)}, 8)
    (column,) = profiler.references()
    assert column.counts.tolist() == [3, 4, 0, 1]
    assert not categorical(column).is_complete


# Kinds, and columns that come and go


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "numeric"),
        ([True, False], "numeric"),
        ([None, None, 1.5], "numeric"),
        (np.array([1, 2], dtype=np.int32), "numeric"),
        ([1, "2", "text"], "numeric"),
        (["1", 2], "categorical"),
        ([None, "", "a", 1], "categorical"),
        ([b"a"], "categorical"),
        (np.array(["a", "b"]), "categorical"),
        ([["a"], ["b"]], "categorical"),
        ([[1.0], [2.0]], "numeric"),
    ],
    ids=repr,
)
def test_the_first_usable_value_settles_the_kind(values: Any, kind: str) -> None:
    assert reference(values).kind == kind
    assert reference(values).rows == len(values)


def test_a_column_that_never_had_a_value_has_no_reference() -> None:
    empty = [None, "", math.nan]
    columns = references({"x": empty, "y": [1, 2, 3], "z": np.full(3, np.nan)})
    assert [column.name for column in columns] == ["y"]


def test_a_column_is_missing_where_it_is_not_there() -> None:
    profiler = Profiler(categorical=["late category"])
    profiler.profile({"always": [1.0] * 5, "early": ["a"] * 5}, 5)
    profiler.profile({"always": [2.0] * 3, "late": [None] * 3}, 3)
    profiler.profile({"always": [2.0] * 2, "late": [7.0] * 2, "late category": [1, 2]}, 2)
    found = {column.name: (column.rows, column.missing) for column in profiler.references()}
    assert found == {
        "always": (10, 0),
        "early": (10, 5),
        "late": (10, 8),
        "late category": (10, 8),
    }


def test_the_second_pass_knows_absent_columns_as_missing_too() -> None:
    values = np.random.default_rng(10).random(2 * DISTINCT)
    profiler = Profiler()
    parts: list[tuple[dict[str, Floats], int]] = [({"x": values}, len(values)), ({}, 5)]
    for step in (profiler.profile, profiler.count):
        for columns, rows in parts:
            step(columns, rows)
    (column,) = profiler.references()
    assert (column.rows, column.missing) == (len(values) + 5, 5)


def test_no_more_columns_than_allowed_are_followed() -> None:
    profiler = Profiler(columns=2)
    for name in ("a", "b", "c"):
        profiler.profile({name: [1.0, 2.0]}, 2)
    assert [column.name for column in profiler.references()] == ["a", "b"]


def test_a_second_pass_is_needed_only_for_countless_numbers() -> None:
    few, many = Profiler(), Profiler()
    few.profile({"x": np.arange(DISTINCT, dtype=float), "y": ["a"] * DISTINCT}, DISTINCT)
    many.profile({"x": np.arange(DISTINCT + 1, dtype=float)}, DISTINCT + 1)
    assert few.is_exact
    assert not many.is_exact
