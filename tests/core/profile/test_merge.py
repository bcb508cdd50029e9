"""Facts about merging: the references of parts score like the reference of the whole."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import reduce

import numpy as np
import pytest

from mlmon_exporter.core.profile.bins import CATEGORIES, CategoryBins
from mlmon_exporter.core.profile.categories import with_hidden_names
from mlmon_exporter.core.profile.column import ColumnReference, numeric_column
from mlmon_exporter.core.profile.edges import Cells
from mlmon_exporter.core.profile.form import column_to_dict
from mlmon_exporter.core.profile.merge import merge_columns
from mlmon_exporter.core.stats.digests import ENGINES
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import edges_of, off_by, reference, rows_by_category, scored
from tests.core.distributions import DISTRIBUTIONS, Distribution


def merged(parts: Sequence[ColumnReference]) -> ColumnReference:
    return reduce(merge_columns, parts)


@pytest.mark.parametrize("name", [made.name for made in DISTRIBUTIONS.values() if made.is_discrete])
def test_parts_of_a_discrete_column_merge_to_the_whole(name: str) -> None:
    rows = DISTRIBUTIONS[name].rows(np.random.default_rng(3), 8000)
    one, parts = reference(rows), merged([reference(part) for part in np.split(rows, 8)])
    np.testing.assert_array_equal(edges_of(parts), edges_of(one))
    np.testing.assert_array_equal(parts.counts, one.counts)
    assert parts.bins.intervals == one.bins.intervals
    assert parts.rank_error == 0


def test_parts_of_any_column_score_like_the_whole(distribution: Distribution) -> None:
    rng = np.random.default_rng(4)
    rows = distribution.rows(rng, 40_000)
    one, parts = reference(rows), merged([reference(part) for part in np.split(rows, 8)])
    assert parts.rows == one.rows
    assert off_by(parts, rows) <= min(parts.rank_error, 0.01)
    assert parts.rank_error <= 0.02
    assert len(edges_of(parts)) <= 512
    assert parts.mean == pytest.approx(rows.mean(), rel=1e-9)
    if distribution.name != "tiny":
        assert parts.sd == pytest.approx(rows.std(), rel=1e-9, abs=1e-15)
    for generate in (distribution.rows, distribution.changed_rows):
        window = {"x": generate(rng, 5000)}
        ours, theirs = (scored(ReferenceMatrix([column]), window) for column in (parts, one))
        assert ours["ks_statistic"] == pytest.approx(theirs["ks_statistic"], abs=0.006)
        if parts.bins.intervals == one.bins.intervals:
            assert ours["psi"] == pytest.approx(theirs["psi"], abs=0.01)
        if generate is distribution.rows:
            assert ours["drifted"] == theirs["drifted"] == 0.0
            assert ours["tail_ratio"] == pytest.approx(theirs["tail_ratio"], abs=0.003)


def test_columns_with_the_same_edges_merge_exactly() -> None:
    first = reference(np.arange(10_000.0))
    rows = np.random.default_rng(5).uniform(-5, 10_005, 3000)
    second = numeric_column("x", Cells(edges_of(first)), first.bins.count(rows)[0])
    both = merge_columns(first, second)
    np.testing.assert_array_equal(edges_of(both), edges_of(first))
    np.testing.assert_array_equal(both.counts, first.counts + second.counts)
    assert both.rank_error == 0


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_merging_is_the_same_from_either_side(name: str) -> None:
    rows = DISTRIBUTIONS[name].rows(np.random.default_rng(6), 3000)
    a, b = reference(rows[:1000]), reference(rows[1000:])
    ab, ba = merge_columns(a, b), merge_columns(b, a)
    np.testing.assert_array_equal(ab.counts, ba.counts)
    np.testing.assert_array_equal(edges_of(ab), edges_of(ba))
    assert (ab.mean, ab.sd) == pytest.approx((ba.mean, ba.sd), rel=1e-9)
    assert ab.rank_error == pytest.approx(ba.rank_error)


def test_sides_without_values_add_their_missing_rows(engine: str) -> None:
    values = reference([1.0, 2.0, None], engine=engine)
    nothing = numeric_column("x", Cells(np.empty(0)), np.array([0, 5]))
    for both in (merge_columns(values, nothing), merge_columns(nothing, values)):
        assert (both.rows, both.missing) == (8, 6)
        assert both.counts[:-1].sum() == 2
        assert (both.mean, both.sd) == (1.5, 0.5)
        assert both.digest is not None
        assert both.digest.rows == 2
    neither = merge_columns(nothing, nothing)
    assert (neither.rows, neither.digest, math.isnan(neither.mean)) == (10, None, True)


def test_columns_of_two_engines_merge() -> None:
    a, b = (reference(np.arange(1000.0), engine=engine) for engine in ENGINES)
    for both in (merge_columns(a, b), merge_columns(b, a)):
        assert both.digest is not None
        assert both.digest.rows == 2000
        assert both.quantiles[[0, -1]] == pytest.approx([5, 995], abs=5)


def test_merging_leaves_both_sides_as_they_are(engine: str) -> None:
    a, b = reference(np.arange(500.0), engine=engine), reference(np.arange(900.0), engine=engine)
    before = [column_to_dict(column) for column in (a, b)]
    merge_columns(a, b)
    assert [column_to_dict(column) for column in (a, b)] == before


def test_magnitudes_that_overflow_their_square_merge() -> None:
    a, b = reference([1e200, 2e200]), reference([-1e300, 5e299])
    both = merge_columns(a, b)
    assert both.rows == 4
    assert both.mean == pytest.approx(-1.25e299)
    assert math.isnan(both.sd)


def test_kinds_do_not_mix() -> None:
    message = "^reference: x: expected the same kind on both sides, got numeric and categorical; "
    with pytest.raises(ValueError, match=message):
        merge_columns(reference([1.0]), reference(["a"]))


def test_categories_of_parts_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(7)
    names = [f"c{n}" for n in range(40)]
    rows = rng.choice(names, 8000, p=np.arange(3, 43) / 900).astype(object)
    rows[::50] = ""
    rows = np.sort(rows.astype(str))  # parts have different categories
    one, parts = reference(rows), merged([reference(part) for part in np.split(rows, 8)])
    assert rows_by_category(parts) == rows_by_category(one) == Counter(rows[rows != ""])
    np.testing.assert_array_equal(parts.counts, one.counts)
    assert parts.bins == one.bins
    assert parts.singletons == one.singletons


def test_a_side_of_one_category_does_not_bound_the_others() -> None:
    both = merge_columns(reference(["a"] * 13), reference(["b"] * 12))
    assert rows_by_category(both) == {"a": 13, "b": 12}


def test_a_category_is_named_once_both_sides_rows_are_enough() -> None:
    a, b = (reference([*"aaaaaa", *last], min_rows=10) for last in ("bbb", "c"))
    assert rows_by_category(a) == rows_by_category(b) == {}
    both = merge_columns(a, b)
    assert rows_by_category(both) == {"a": 12}
    assert both.rare_rows == {"b": 3, "c": 1}


def test_where_names_are_hidden_on_a_side_nothing_is_unseen_after_merging() -> None:
    a = with_hidden_names(reference(["a"] * 12 + ["b"] * 3, min_rows=10), b"key")
    b = reference(["a"] * 5 + ["b"] * 9, min_rows=10)
    both = merge_columns(a, b)
    assert rows_by_category(both) == {"a": 17}
    assert both.counts.tolist() == [17, 12, 0, 0]
    assert isinstance(both.bins, CategoryBins)
    assert not both.bins.is_complete


def test_merged_categories_keep_the_most_frequent() -> None:
    a = reference([f"a{n:02}" for n in range(40) for _ in range(n + 1)])
    b = reference([f"b{n:02}" for n in range(40) for _ in range(n + 1)])
    both = merge_columns(a, b)
    assert isinstance(both.bins, CategoryBins)
    assert len(both.bins.categories) == CATEGORIES
    assert both.rows == a.rows + b.rows
    assert min(rows_by_category(both).values()) == 16
    assert both.bins.rare == {f"{side}{n:02}" for side in "ab" for n in range(15)}
    assert both.counts[-3:].tolist() == [2 * sum(range(1, 16)), 0, 0]
    assert both.bins.code("a03") == len(both.bins.categories)


def test_a_user_s_cap_on_categories_holds_where_it_was_reached() -> None:
    a, b = (
        reference([f"{side}{n}" for n in range(10) for _ in range(n + 9)], max_categories=4)
        for side in "ab"
    )
    both = merge_columns(a, b)
    assert isinstance(both.bins, CategoryBins)
    assert len(both.bins.categories) == 4
    assert both.rows == a.rows + b.rows


def test_rare_on_one_side_and_kept_on_the_other_is_kept() -> None:
    a = reference(["x"] * 15 + ["y"] * 13 + ["z"], max_categories=2)
    b = reference(["z"] * 19 + ["x"])
    both = merge_columns(a, b)
    assert isinstance(both.bins, CategoryBins)
    assert rows_by_category(both) == {"z": 20, "x": 16, "y": 13}
    assert both.bins.rare == frozenset()
    assert both.counts[3:].tolist() == [0, 0, 0]
