"""Facts about cells and bins: where rows are counted, and how bins are chosen and named."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmon_exporter.core.coerce import Cell
from mlmon_exporter.core.labels import LABEL_LENGTH
from mlmon_exporter.core.profile.bins import (
    MISSING,
    OTHER,
    UNSEEN,
    CategoryBins,
    NumericBins,
    choose_bin_edges,
    per_bin,
)
from mlmon_exporter.core.profile.edges import atom_edges, with_own_cell
from mlmon_exporter.core.profile.names import category_name
from tests.core.build import reference
from tests.core.distributions import Distribution, Floats
from tests.core.oracles import rows_per_bin

NAN, INF = math.nan, math.inf


def array(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


# Numeric cells.


def test_a_cell_has_its_upper_edge() -> None:
    bins = NumericBins(array(1, 2), array(2))
    counts, finite, invalid = bins.count(array(3, 1, 0.5, 2, 1.5, NAN, 2.5))
    assert counts.tolist() == [2, 2, 2, 1]
    assert finite.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert invalid == 0


def test_infinities_are_invalid_and_missing() -> None:
    counts, finite, invalid = NumericBins(array(0), array()).count(array(-INF, INF, INF, NAN, 1))
    assert (counts.tolist(), finite.tolist(), invalid) == ([0, 1, 4], [1.0], 3)


def test_no_rows_and_no_edges_count_nothing() -> None:
    assert NumericBins(array(0), array()).count(array())[0].tolist() == [0, 0, 0]
    assert NumericBins(array(), array()).count(array(1, NAN))[0].tolist() == [1, 1]


@given(
    hnp.arrays(np.float64, st.integers(0, 50), elements=st.floats(width=16)),
    hnp.arrays(np.float64, st.integers(0, 8), elements=st.floats(-3, 3, width=16)),
    st.data(),
)
def test_counts_are_those_of_one_cell_after_another(
    values: Floats, some: Floats, data: st.DataObject
) -> None:
    edges = np.unique(some)
    part = data.draw(st.sets(st.sampled_from(edges.tolist()))) if len(edges) else set()
    bins = NumericBins(edges, np.array(sorted(part)))
    counts, finite, invalid = bins.count(values)
    assert counts.tolist() == rows_per_bin(values, edges)
    assert finite.tolist() == sorted(values[np.isfinite(values)])
    assert invalid == np.isinf(values).sum()
    rows = per_bin(bins, counts)
    assert rows.tolist() == rows_per_bin(values, bins.bin_edges)
    assert len(bins.bin_names) == len(bins.intervals) == len(rows)


def test_bins_are_numbered_and_tell_their_interval() -> None:
    bins = NumericBins(array(0.25, 1, 2.5), array(0.25, 2.5))
    assert bins.bin_names == ("00", "01", "02", MISSING)
    assert bins.intervals == ("(-Inf, 0.25]", "(0.25, 2.5]", "(2.5, +Inf)", MISSING)


def test_the_interval_of_one_value_is_that_value() -> None:
    zeros = reference([0.0] * 60 + [float(n) for n in range(1, 41)])
    assert zeros.bins.intervals[:2] == ("(-Inf, 0]", "(0, 10]")
    around = np.linspace(-1, 1, 1000)
    between = reference(np.concatenate((around, np.zeros(2000))))
    assert between.bins.intervals[1:4] == ("(-0.39, 0)", "[0, 0]", "(0, 0.416]")
    alone = reference([7.5] * 10)
    assert alone.bins.intervals == ("[7.5, 7.5]", UNSEEN, MISSING)


# The choice of bins.


def bin_shares(column: Any) -> Floats:
    rows = per_bin(column.bins, column.counts)
    return np.asarray(rows / rows.sum(), dtype=np.float64)


def test_a_continuous_column_has_ten_equal_bins() -> None:
    column = reference(np.random.default_rng(1).lognormal(size=50_000))
    assert bin_shares(column) == pytest.approx([0.1] * 10 + [0], abs=0.003)


def test_every_distribution_has_two_to_about_ten_bins_with_rows(
    distribution: Distribution,
) -> None:
    column = reference(distribution.rows(np.random.default_rng(2), 20_000))
    shares = bin_shares(column)[: -2 if column.bins.bin_names[-2] == UNSEEN else -1]
    if distribution.name == "constant":
        assert shares.tolist() == [1.0]
        return
    assert 2 <= len(shares) <= 13
    assert shares.min() > 0
    atoms = np.unique(distribution.rows(np.random.default_rng(2), 20_000), return_counts=True)[1]
    assert shares.max() <= max(0.2, atoms.max() / 20_000 + 0.1)


def test_a_value_with_5_percent_of_the_rows_has_a_bin_of_its_own() -> None:
    rest = np.linspace(1, 2, 9500)
    for share, is_own in ((0.05, True), (0.049, False)):
        rows = round(share * len(rest) / (1 - share))
        column = reference(np.concatenate((rest, np.full(rows, 1.5))))
        assert ("[1.5, 1.5]" in column.bins.intervals) == is_own


def test_tied_edges_collapse() -> None:
    column = reference([1.0] * 95 + [2.0, 3.0, 4.0, 5.0, 6.0])
    assert column.bins.intervals == ("(-Inf, 1]", "(1, +Inf)", MISSING)


def test_all_missing_has_one_bin() -> None:
    assert choose_bin_edges(array(1, 2), np.zeros(3, dtype=np.int64), array()).tolist() == []
    assert choose_bin_edges(array(), np.array([5]), array()).tolist() == []


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80), st.data())
def test_chosen_edges_part_rows_from_rows(values: list[int], data: st.DataObject) -> None:
    ordered = np.sort(np.array(values, dtype=np.float64))
    edges = data.draw(
        st.sampled_from([atom_edges(np.unique(ordered)), np.unique(ordered), array(-1, 5.5, 31)])
    )
    counts = NumericBins(edges, array()).count(ordered)[0][:-1]
    chosen = choose_bin_edges(edges, counts, with_own_cell(edges, np.unique(ordered)))
    rows = np.array(rows_per_bin(ordered, chosen)[:-1])
    assert np.isin(chosen, edges).all()
    assert np.all(np.diff(chosen) > 0)
    is_one_value = (counts == len(values)).any()
    assert (rows > 0).all() or is_one_value


def test_the_greatest_floats_can_be_atoms() -> None:
    greatest = np.finfo(np.float64).max
    column = reference([-greatest] * 50 + [greatest] * 50)
    assert bin_shares(column).tolist() == [0.5, 0.5, 0.0, 0.0]
    assert len(column.bins.intervals) == 4


# Categories.

KEPT = CategoryBins(("red", "1", "true", "2.5", "MISSING"), frozenset({"rare", "7"}))
RED, ONE, TRUE, TWO_AND_A_HALF, LOUD, RARE, NEW, ABSENT = range(8)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("red", RED),
        (np.str_("red"), RED),
        (np.array("red"), RED),
        (["red"], RED),
        (np.array([["red"]], dtype=object), RED),
        (b"red", RED),
        (np.bytes_(b"red"), RED),
        (1, ONE),
        (1.0, ONE),
        ("1", ONE),
        (np.int64(1), ONE),
        (np.float32(1), ONE),
        (2.5, TWO_AND_A_HALF),
        ("2.5", TWO_AND_A_HALF),
        (np.float64(2.5), TWO_AND_A_HALF),
        ("true", TRUE),
        ("MISSING", LOUD),
        ("rare", RARE),
        (7, RARE),
        ("7", RARE),
        ("missing", NEW),
        ("other", NEW),
        ("unseen", NEW),
        ("nan", NEW),
        ("x" * 10_000, NEW),
        ("\ud800", NEW),
        (10**400, NEW),
        (2**53 + 1, NEW),
        ("1.0", ONE),
        ("01", NEW),
        ("+1", NEW),
        ("2.50", NEW),
        (Cell("2.50"), TWO_AND_A_HALF),
        (Cell("1"), ONE),
        (Cell("01"), NEW),
        ("True", TRUE),
        ("TRUE", TRUE),
        (Decimal("1.0"), ONE),
        (Decimal("2.50"), TWO_AND_A_HALF),
        (np.datetime64("2026-01-01"), NEW),
        (1e300, NEW),
        (0, NEW),
        (False, NEW),
        (None, ABSENT),
        ("", ABSENT),
        (NAN, ABSENT),
        (np.float32(NAN), ABSENT),
        (np.datetime64("NaT", "s"), ABSENT),
        ([None], ABSENT),
    ],
)
def test_the_cell_of_a_category(value: Any, cell: int) -> None:
    assert KEPT.code(value) == cell


@pytest.mark.parametrize(
    "value",
    [
        [],
        [1, 2],
        [[1], [2, 3]],
        {},
        {"a": 1},
        (1, 2),
        object(),
        INF,
        -INF,
        1 + 2j,
        np.complex64(1j),
        np.array([1, 2]),
        np.array([]),
        10**5000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_a_category_is_invalid(value: Any) -> None:
    assert math.isnan(KEPT.code(value))
    name = category_name(value)
    assert name is None


def test_nothing_is_unseen_where_not_all_categories_are_known() -> None:
    bins = CategoryBins(("red",), is_complete=False)
    assert bins.bin_names[int(bins.code("new"))] == OTHER
    assert bins.bin_names[int(CategoryBins(("red",)).code("new"))] == UNSEEN


def test_true_and_false_are_one_and_zero_where_the_reference_has_those() -> None:
    numbers = CategoryBins(("0", "1"))
    assert [numbers.code(value) for value in (False, True, np.True_)] == [0, 1, 1]
    truths = CategoryBins(("true", "false"))
    assert [truths.code(value) for value in (1, 0, True, np.False_)] == [0, 1, 0, 1]


def test_great_numbers_are_told_apart() -> None:
    assert category_name(2**53 + 1) == "9007199254740993"
    assert category_name(np.int64(2**53 + 1)) == "9007199254740993"
    bins = CategoryBins(("9007199254740992", "9007199254740993"))
    assert [bins.code(2**53 + n) for n in range(3)] == [0, 1, 3]


@given(st.floats(allow_nan=False, allow_infinity=False) | st.text(min_size=1) | st.booleans())
def test_a_category_of_the_reference_is_found_again(value: Any) -> None:
    name = category_name(value)
    assert name is not None
    bins = CategoryBins(("some", name) if name != "some" else (name,))
    assert bins.categories[int(bins.code(value))] == name
    assert bins.categories[int(bins.code(name))] == name


def test_category_counts_are_those_of_the_cells() -> None:
    counts, values, invalid = KEPT.count(array(0, 0, NAN, ABSENT, NEW, RARE, 1))
    assert counts.tolist() == [2, 1, 0, 0, 0, 1, 1, 2]
    assert (len(values), invalid) == (0, 1)


def test_categories_that_are_called_like_our_bins_keep_apart() -> None:
    bins = CategoryBins((MISSING, OTHER, UNSEEN, "missing (2)", "x" * 10_000, "x" * 9_999))
    names = bins.bin_names
    assert names[-3:] == (OTHER, UNSEEN, MISSING)
    assert len(set(names)) == len(names) == bins.cell_count
    assert max(map(len, names)) <= LABEL_LENGTH
    assert bins.intervals == names
