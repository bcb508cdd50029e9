"""Facts about one column's reference: cells, tails, merging, and the form in which it is kept."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pytest
import tdigest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.bins import CATEGORIES, CategoryBins, NumericBins
from mlmon_exporter.core.digests import ENGINES
from mlmon_exporter.core.frame import Frame
from mlmon_exporter.core.reference import (
    ColumnReference,
    choose_edges,
    edge_ranks,
    numeric_column,
    reference_from_digest,
    rows_below,
)

from .build import reference, scored
from .distributions import DISTRIBUTIONS, Distribution, Floats

GREATEST = float(np.finfo(np.float64).max)


def edges_of(column: ColumnReference) -> Floats:
    assert isinstance(column.bins, NumericBins)
    return column.bins.edges


def merged(parts: Sequence[ColumnReference]) -> ColumnReference:
    return reduce(ColumnReference.merge, parts)


def off_by(column: ColumnReference, rows: Floats) -> float:
    """How far the share of rows below an edge is from that of the raw rows, at most."""
    exact = np.searchsorted(np.sort(rows), edges_of(column), side="right")
    return float(np.abs(np.cumsum(column.counts[:-2]) - exact).max() / len(rows))


def kept(column: ColumnReference) -> ColumnReference:
    """The column as it comes out of a file."""
    return ColumnReference.from_dict(json.loads(json.dumps(column.to_dict())), "fastdigest")


# Edges.


def test_edges_are_at_the_ranks_and_around_the_range() -> None:
    values = np.sort(np.random.default_rng(1).normal(size=100_000))
    edges = edges_of(reference(values))
    ranks = np.searchsorted(values, edges, side="right") / len(values)
    assert ranks[[0, -1]].tolist() == [0.0, 1.0]
    assert ranks[1:-1] == pytest.approx(edge_ranks(), abs=0.002)


@pytest.mark.parametrize(
    ("least", "greatest"),
    [
        (0, 1),
        (-1e300, 1e300),
        (1e-300, 1e-299),
        (5e-324, 1e-320),
        (1.7e9, 1.7e9 + 1),
        (2**53, 2**60),
    ],
)
def test_edges_rise_whatever_the_magnitude(least: float, greatest: float) -> None:
    values = least + (greatest - least) * np.linspace(0, 1, 2000)
    column = reference(values)
    edges = edges_of(column)
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    assert edges[0] < values[0]
    assert edges[-1] >= values[-1]
    assert off_by(column, values) == 0
    assert 8 <= len(column.bins.bin_names) <= 12 or least == 5e-324


def test_edges_are_short_numbers() -> None:
    edges = edges_of(reference(np.random.default_rng(2).lognormal(size=50_000)))
    inner = edges[1:-1]
    assert max(len(f"{edge:.12g}") for edge in inner) <= 8


@settings(max_examples=50)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5),
)
def test_chosen_edges_are_finite_and_rise(values: list[float], atoms: list[float]) -> None:
    ordered = np.sort(np.array(values))
    edges = choose_edges(ordered, np.array(atoms), ordered[0], ordered[-1])
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    assert edges[-1] >= ordered[-1]


# Tails and the range.


def column_of(counts: Sequence[int]) -> ColumnReference:
    edges = np.arange(len(counts) - 2, dtype=np.float64)
    return numeric_column("x", edges, np.array(counts, dtype=np.int64))


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


def test_rows_below_are_exact_at_edges_and_even_between() -> None:
    counts = np.array([0, 4, 6, 0, 3])
    points = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 9.0])
    below = rows_below(np.array([0.0, 1.0, 2.0]), counts, points)
    assert below.tolist() == [0.0, 0.0, 2.0, 4.0, 10.0, 10.0]
    assert rows_below(np.empty(0), np.array([0, 3]), points).tolist() == [0.0] * 6


# Merging.


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
        ours, theirs = (scored(Frame([column]), window) for column in (parts, one))
        assert ours["ks_statistic"] == pytest.approx(theirs["ks_statistic"], abs=0.006)
        if parts.bins.intervals == one.bins.intervals:
            assert ours["psi"] == pytest.approx(theirs["psi"], abs=0.01)
        if generate is distribution.rows:
            assert ours["drifted"] == theirs["drifted"] == 0.0
            assert ours["tail_ratio"] == pytest.approx(theirs["tail_ratio"], abs=0.003)


def test_columns_with_the_same_edges_merge_exactly() -> None:
    first = reference(np.arange(10_000.0))
    rows = np.random.default_rng(5).uniform(-5, 10_005, 3000)
    second = numeric_column("x", edges_of(first), first.bins.count(rows)[0])
    both = first.merge(second)
    np.testing.assert_array_equal(edges_of(both), edges_of(first))
    np.testing.assert_array_equal(both.counts, first.counts + second.counts)
    assert both.rank_error == 0


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_merging_is_the_same_from_either_side(name: str) -> None:
    rows = DISTRIBUTIONS[name].rows(np.random.default_rng(6), 3000)
    a, b = reference(rows[:1000]), reference(rows[1000:])
    ab, ba = a.merge(b), b.merge(a)
    np.testing.assert_array_equal(ab.counts, ba.counts)
    np.testing.assert_array_equal(edges_of(ab), edges_of(ba))
    assert (ab.mean, ab.sd) == pytest.approx((ba.mean, ba.sd), rel=1e-9)
    assert ab.rank_error == pytest.approx(ba.rank_error)


def test_sides_without_values_add_their_missing_rows(engine: str) -> None:
    values = reference([1.0, 2.0, None], engine=engine)
    nothing = numeric_column("x", np.empty(0), np.array([0, 5]))
    for both in (values.merge(nothing), nothing.merge(values)):
        assert (both.rows, both.missing) == (8, 6)
        assert both.counts[:-1].sum() == 2
        assert (both.mean, both.sd) == (1.5, 0.5)
        assert both.digest is not None
        assert both.digest.rows == 2
    neither = nothing.merge(nothing)
    assert (neither.rows, neither.digest, math.isnan(neither.mean)) == (10, None, True)


def test_columns_of_two_engines_merge() -> None:
    a, b = (reference(np.arange(1000.0), engine=engine) for engine in ENGINES)
    for both in (a.merge(b), b.merge(a)):
        assert both.digest is not None
        assert both.digest.rows == 2000
        assert both.quantiles[[0, -1]] == pytest.approx([5, 995], abs=5)


def test_merging_leaves_both_sides_as_they_are(engine: str) -> None:
    a, b = reference(np.arange(500.0), engine=engine), reference(np.arange(900.0), engine=engine)
    before = [column.to_dict() for column in (a, b)]
    a.merge(b)
    assert [column.to_dict() for column in (a, b)] == before


def test_magnitudes_that_overflow_their_square_merge() -> None:
    a, b = reference([1e200, 2e200]), reference([-1e300, 5e299])
    both = a.merge(b)
    assert both.rows == 4
    assert both.mean == pytest.approx(-1.25e299)
    assert kept(both).rows == 4


def test_kinds_do_not_mix() -> None:
    message = r"^reference: x: expected the same kind on both sides, got numeric and categorical$"
    with pytest.raises(ValueError, match=message):
        reference([1.0]).merge(reference(["a"]))


def rows_by_category(column: ColumnReference) -> dict[str, int]:
    assert isinstance(column.bins, CategoryBins)
    return dict(zip(column.bins.categories, column.counts.tolist(), strict=False))


def test_categories_of_parts_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(7)
    rows = rng.choice([f"c{n}" for n in range(40)], 4000, p=np.arange(1, 41) / 820).astype(object)
    rows[::50] = ""
    rows = np.sort(rows.astype(str))  # parts have different categories
    one, parts = reference(rows), merged([reference(part) for part in np.split(rows, 8)])
    assert rows_by_category(parts) == rows_by_category(one) == Counter(rows[rows != ""])
    np.testing.assert_array_equal(parts.counts, one.counts)
    assert parts.bins == one.bins
    assert parts.singletons == one.singletons


def test_a_side_of_one_category_does_not_bound_the_others() -> None:
    both = reference(["a"] * 3).merge(reference(["b"] * 2))
    assert rows_by_category(both) == {"a": 3, "b": 2}


def test_merged_categories_keep_the_most_frequent() -> None:
    a = reference([f"a{n:02}" for n in range(40) for _ in range(n + 1)])
    b = reference([f"b{n:02}" for n in range(40) for _ in range(n + 1)])
    both = a.merge(b)
    assert isinstance(both.bins, CategoryBins)
    assert len(both.bins.categories) == CATEGORIES
    assert both.rows == a.rows + b.rows
    assert min(rows_by_category(both).values()) == 16
    assert both.bins.rare == {f"{side}{n:02}" for side in "ab" for n in range(15)}
    assert both.counts[-3:].tolist() == [2 * sum(range(1, 16)), 0, 0]
    assert both.bins.code("a03") == len(both.bins.categories)


def test_a_user_s_cap_on_categories_holds_where_it_was_reached() -> None:
    a, b = (
        reference([f"{side}{n}" for n in range(10) for _ in range(n + 1)], kept=4) for side in "ab"
    )
    both = a.merge(b)
    assert isinstance(both.bins, CategoryBins)
    assert len(both.bins.categories) == 4
    assert both.rows == a.rows + b.rows


def test_rare_on_one_side_and_kept_on_the_other_is_kept() -> None:
    a = reference(["x"] * 5 + ["y"] * 3 + ["z"], kept=2)
    b = reference(["z"] * 9 + ["x"])
    both = a.merge(b)
    assert isinstance(both.bins, CategoryBins)
    assert rows_by_category(both) == {"z": 10, "x": 6, "y": 3}
    assert both.bins.rare == frozenset()
    assert both.counts[3:].tolist() == [0, 0, 0]


# The form in which a column is kept.


def test_a_column_comes_out_as_it_went_in(distribution: Distribution, engine: str) -> None:
    rows = distribution.rows(np.random.default_rng(8), 1500)
    rows[::100] = np.nan
    column = reference(rows, engine=engine, passes=1)
    form = column.to_dict()
    again = ColumnReference.from_dict(json.loads(json.dumps(form, allow_nan=False)), engine)
    assert again.name == column.name
    np.testing.assert_array_equal(edges_of(again), edges_of(column))
    np.testing.assert_array_equal(again.counts, column.counts)
    assert again.bins.intervals == column.bins.intervals
    assert (again.mean, again.sd) == (column.mean, column.sd)
    assert again.rank_error == column.rank_error
    ranks = np.searchsorted(np.sort(rows[~np.isnan(rows)]), again.quantiles * (1 + 1e-12)) / 1485
    assert np.diff(ranks).min() >= 0
    assert again.quantiles == pytest.approx(column.quantiles, rel=0.1, abs=column.sd / 10)


def test_categories_come_out_as_they_went_in() -> None:
    column = reference(["a", "a", "b", "", "true", "1", "\ud800", "x" * 10_000], kept=2)
    again = kept(column)
    assert again.bins == column.bins
    np.testing.assert_array_equal(again.counts, column.counts)
    assert again.rows_by_category == column.rows_by_category
    assert again.singletons == column.singletons
    assert again.max_categories == column.max_categories == 2


def test_what_is_not_finite_is_null() -> None:
    column = reference([-GREATEST, GREATEST] * 5)
    form = column.to_dict()
    assert form["sd"] is None
    again = kept(column)
    assert math.isnan(again.sd)
    window = {"x": [0.0] * 200}
    for ours, theirs in zip(
        *(scored(Frame([c]), window).values() for c in (column, again)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_name_that_cannot_be_encoded_is_kept_clean() -> None:
    form = numeric_column("a\ud800", np.empty(0), np.zeros(2, dtype=np.int64)).to_dict()
    assert form["name"].encode()


NUMERIC = reference([1.0, 2.0, 2.0, None]).to_dict()
CATEGORICAL = reference(["a", "b", "b", ""]).to_dict()


@pytest.mark.parametrize(
    ("form", "damage", "message"),
    [
        (NUMERIC, {"kind": "text"}, "kind: expected numeric or categorical, got 'text'"),
        (NUMERIC, {"edges": "abc"}, "edges: expected a list of numbers"),
        (NUMERIC, {"edges": 1.0}, "edges: expected a list of numbers"),
        (NUMERIC, {"edges": [[1.0], [2.0]]}, "edges: expected a list of numbers"),
        (NUMERIC, {"edges": [1.0, None]}, "edges: expected a list of numbers"),
        (NUMERIC, {"edges": [1.0, 1.0]}, "edges: expected numbers in ascending order"),
        (NUMERIC, {"edges": [2.0, 1.0]}, "edges: expected numbers in ascending order"),
        (NUMERIC, {"bin_edges": [7.0]}, "bin_edges: expected some of the edges in ascending order"),
        (
            NUMERIC,
            {"bin_edges": [2.0, 1.0]},
            "bin_edges: expected some of the edges in ascending order",
        ),
        (NUMERIC, {"counts": [1, 2]}, "counts: expected 6 whole numbers of 0 or more"),
        (NUMERIC, {"counts": [0, 1, 0, 2, 0, -1]}, "counts: expected 6 whole numbers of 0 or more"),
        (
            NUMERIC,
            {"counts": [0, 1, 0, 2, 0.5, 0]},
            "counts: expected 6 whole numbers of 0 or more",
        ),
        (NUMERIC, {"counts": ["1"] * 6}, "counts: expected a list of numbers"),
        (NUMERIC, {"counts": None}, "counts: expected a list of numbers"),
        (
            NUMERIC,
            {"counts": [0, 1, 0, 2, 0, 2**63]},
            "counts: expected at most 9007199254740992 rows, got 9.22337e+18",
        ),
        (NUMERIC, {"mean": "high"}, "mean: expected a number, got 'high'"),
        (NUMERIC, {"sd": [1.0]}, "sd: expected a number, got [1.0]"),
        (NUMERIC, {"rank_error": None}, "rank_error: expected a share, got None"),
        (NUMERIC, {"rank_error": -1}, "rank_error: expected a share, got -1"),
        (NUMERIC, {"digest": 5}, "digest: expected centroids of m and c"),
        (NUMERIC, {"digest": {"centroids": [{"m": 1.0}]}}, "digest: expected centroids of m and c"),
        (
            NUMERIC,
            {"digest": {"centroids": [{"m": 1.0, "c": -1}]}},
            "digest: expected finite centroids with weights over 0",
        ),
        (CATEGORICAL, {"categories": "ab"}, "categories: expected a list of texts"),
        (CATEGORICAL, {"categories": ["a", 1]}, "categories: expected a list of texts"),
        (CATEGORICAL, {"rare": None}, "rare: expected a list of texts"),
        (CATEGORICAL, {"categories": ["a", "a"]}, "categories, rare: expected each category once"),
        (CATEGORICAL, {"rare": ["a"]}, "categories, rare: expected each category once"),
        (CATEGORICAL, {"counts": [1]}, "counts: expected 5 whole numbers of 0 or more"),
        (
            CATEGORICAL,
            {"rare_counts": [1]},
            "rare_counts: expected 0 whole numbers of 0 or more",
        ),
        (
            CATEGORICAL,
            {"rare": ["c"], "rare_counts": [1]},
            "rare_counts: expected at most the 0 rows of other",
        ),
        (CATEGORICAL, {"max_categories": -1}, "max_categories: expected a whole number, got -1"),
        (CATEGORICAL, {"max_categories": 0.5}, "max_categories: expected a whole number, got 0.5"),
    ],
)
def test_a_damaged_column_is_refused(form: Any, damage: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared below
        ColumnReference.from_dict({**form, **damage}, "fastdigest")
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("form", [NUMERIC, CATEGORICAL], ids=["numeric", "categorical"])
def test_every_key_is_needed_but_variation(form: dict[str, Any]) -> None:
    for key in form.keys() - {"variation"}:
        lacking = {name: value for name, value in form.items() if name != key}
        with pytest.raises(KeyError, match=key):
            ColumnReference.from_dict(lacking, "fastdigest")


def test_a_column_without_a_digest_has_no_quantiles() -> None:
    column = ColumnReference.from_dict({**NUMERIC, "digest": None}, "fastdigest")
    assert column.digest is None
    assert np.isnan(column.quantiles).all()


# References of digests.


def digest_form(rows: Floats, delta: float = 0.01) -> dict[str, Any]:
    digest = tdigest.TDigest(delta=delta)
    digest.batch_update(rows.tolist())
    form: dict[str, Any] = digest.to_dict()
    return form


def test_a_digest_is_off_by_its_rank_error_at_most(distribution: Distribution) -> None:
    rows = distribution.rows(np.random.default_rng(9), 3000)
    column = reference_from_digest("x", digest_form(rows))
    assert column.rows == 3000
    assert off_by(column, rows) <= column.rank_error + 1e-9
    assert column.rank_error <= 0.011
    assert column.mean == pytest.approx(rows.mean(), rel=1e-6)


def test_unchanged_rows_do_not_drift_from_a_digest(distribution: Distribution) -> None:
    rng = np.random.default_rng(10)
    frame = Frame([reference_from_digest("x", digest_form(distribution.rows(rng, 3000)))])
    unchanged = scored(frame, {"x": distribution.rows(rng, 3000)})
    assert unchanged["drifted"] == [0.0]
    assert unchanged["psi"] < 0.05


@pytest.mark.parametrize("delta", [0.1, 0.02, 0.005])
@pytest.mark.parametrize("name", ["normal", "zero_inflated", "poisson"])
def test_coarse_and_fine_digests_tell_how_coarse_they_are(name: str, delta: float) -> None:
    rows = DISTRIBUTIONS[name].rows(np.random.default_rng(11), 2000)
    column = reference_from_digest("x", digest_form(rows, delta))
    assert off_by(column, rows) <= column.rank_error + 1e-9
    assert column.rank_error <= delta * 1.1 + 1e-9


def test_the_engine_s_own_form_may_come_from_fastdigest() -> None:
    rows = DISTRIBUTIONS["zero_inflated"].rows(np.random.default_rng(12), 20_000)
    digest = ENGINES["fastdigest"](200)
    digest.add(rows)
    means, weights = digest.centroids()
    pairs = zip(means.tolist(), weights.tolist(), strict=True)
    form = {"centroids": [{"m": m, "c": c} for m, c in pairs]}
    column = reference_from_digest("x", form)
    assert off_by(column, rows) <= max(column.rank_error, 0.02)
    assert scored(Frame([column]), {"x": rows[:5000]})["drifted"] == [0.0]


def test_an_empty_digest_is_a_column_without_rows() -> None:
    column = reference_from_digest("x", tdigest.TDigest().to_dict())
    assert (column.rows, column.digest) == (0, None)


def test_a_digest_of_one_value_is_a_constant() -> None:
    column = reference_from_digest("x", digest_form(np.full(500, 0.1)))
    assert column.bins.intervals == ("(-Inf, 0.1)", "[0.1, 0.1]", "(0.1, +Inf)", "missing")
    assert column.rank_error == 0
    assert (column.mean, column.sd) == (0.1, 0.0)
