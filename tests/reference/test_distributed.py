"""Facts about references of parts, built apart: what they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from operator import add
from random import Random
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter import Reference
from mlmon_exporter.core.profile.bins import per_bin
from mlmon_exporter.core.profile.categories import MOST_NAMED
from mlmon_exporter.core.profile.column import MID_RANKS, ColumnReference
from mlmon_exporter.core.profile.numeric import DISTINCT
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import Floats, scored
from tests.core.distributions import DISTRIBUTIONS, Distribution

Data = Mapping[str, Any]
INEXACT = {"digest", "mean", "sd", "importance"}


def cut(data: Data, at: Sequence[int]) -> list[Data]:
    """Parts of the data, cut before these rows."""
    rows = len(next(iter(data.values())))
    ends = [0, *at, rows]
    return [
        {name: values[start:end] for name, values in data.items()}
        for start, end in pairwise(ends)
        if start < end
    ]


def added(parts: Sequence[Data], **options: Any) -> Reference:
    """The sum of the parts' references, each of which has travelled as bytes."""
    built = [Reference.build(part, **options).to_bytes() for part in parts]
    return reduce(add, map(Reference.from_bytes, built))


def two_rounds(parts: Sequence[Data], **options: Any) -> Reference:
    return added(parts, like=added(parts, **options), **options)


def exact(reference: Reference) -> dict[str, dict[str, Any]]:
    """All that adds up exactly: cells, bins, counts, names of categories."""
    form = orjson.loads(reference.to_bytes())
    return {
        column["name"]: {"side": side} | {k: v for k, v in column.items() if k not in INEXACT}
        for side in ("features", "outputs")
        for column in form[side]
    }


def column_of(reference: Reference, name: str = "x") -> ColumnReference:
    return next(c for c in (*reference.features, *reference.outputs) if c.name == name)


def rank_error(column: ColumnReference, rows: Floats) -> float:
    """How far the digest's quantiles are from their ranks, between two values at either of them."""
    ordered, last = np.sort(rows), len(rows) - 1
    below = ordered[np.searchsorted(ordered, column.quantiles, side="right").clip(1) - 1]
    above = ordered[np.searchsorted(ordered, column.quantiles).clip(0, last)]
    ranks = np.array(MID_RANKS) * len(rows)
    over = np.searchsorted(ordered, below) - ranks
    under = ranks - np.searchsorted(ordered, above, side="right")
    return float(max(over.max(), under.max()) / len(rows))


# Two rounds: the parts' sum gives the cells, then each part counts into them.

DISTRIBUTION = pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
CUTS = {
    "eight alike": np.linspace(0, 20_000, 9)[1:-1].astype(int).tolist(),
    "of any size": [1, 2, 10, 300, 5000, 5001, 12_000],
}


@DISTRIBUTION
@pytest.mark.parametrize("order", ["as drawn", "sorted"])
@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.slow
def test_parts_add_up_to_the_whole(distribution: Distribution, order: str, cuts: str) -> None:
    values = distribution.rows(np.random.default_rng(1), 20_000)
    values[50::97] = np.nan
    if order == "sorted":  # each part has other values
        values.sort()
    data = {"x": values}
    parts = cut(data, CUTS[cuts])
    cells = added(parts)
    total, whole = added(parts, like=cells), Reference.build(data, like=cells)
    assert exact(total) == exact(whole)
    ours, theirs = column_of(total), column_of(whole)
    assert ours.rank_error == 0
    assert ours.mean == pytest.approx(theirs.mean, rel=1e-9)
    assert ours.sd == pytest.approx(theirs.sd, rel=1e-9)
    assert rank_error(ours, values[~np.isnan(values)]) <= 0.01


@DISTRIBUTION
@pytest.mark.slow
def test_they_score_like_a_reference_that_is_built_at_once(distribution: Distribution) -> None:
    rng = np.random.default_rng(2)
    data = {"x": distribution.rows(rng, 40_000)}
    parts = cut(data, range(2000, 40_000, 2000))
    frames = [ReferenceMatrix([column_of(r)]) for r in (two_rounds(parts), Reference.build(data))]
    for rows in (distribution.rows(rng, 5000), distribution.changed_rows(rng, 5000)):
        ours, theirs = (scored(frame, {"x": rows}) for frame in frames)
        assert ours["ks_statistic"] == pytest.approx(theirs["ks_statistic"], abs=0.002)
        assert ours["psi"] == pytest.approx(theirs["psi"], abs=0.002, rel=0.02)
        assert ours["drifted"] == theirs["drifted"]
        if distribution.is_discrete:
            assert ours["ks_statistic"] == theirs["ks_statistic"]
            assert ours["psi"] == theirs["psi"]


@settings(max_examples=60)
@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0, None]),
        min_size=1,
        max_size=300,
    ),
    st.lists(st.integers(0, 300), max_size=6),
    st.data(),
)
def test_any_parts_of_anything_add_up(values: list[Any], at: list[int], draw: Any) -> None:
    data = {"x": values, "rows": np.ones(len(values)), "name": [str(v)[:2] for v in values]}
    parts = cut(data, sorted(min(row, len(values)) for row in at))
    cells = added(parts)
    shuffled = draw.draw(st.permutations(parts))
    assert exact(added(shuffled, like=cells)) == exact(Reference.build(data, like=cells))


@pytest.mark.slow
def test_a_thousand_parts_of_one_row_have_good_cells() -> None:
    values = np.random.default_rng(3).normal(size=1000)
    total = two_rounds(cut({"x": values}, range(1, 1000)))
    column = column_of(total)
    assert (column.rows, column.rank_error) == (1000, 0)
    assert column.counts.max() <= 3 / 256 * 1000
    bins = per_bin(column.bins, column.counts)[:-1]
    assert bins.tolist() == pytest.approx([100] * 10, abs=10)


# What is exact after one round already.


def shops(rows: int = 12_000) -> dict[str, Any]:
    """Counts and categories, sorted by shop: each part has other shops."""
    rng = np.random.default_rng(4)
    shop = rng.zipf(1.3, rows) % 400
    return {
        "visits": rng.poisson(6, rows),
        "is_open": rng.random(rows) < 0.8,
        "shop": np.sort(shop.astype(str)),
        "season": rng.integers(1, 5, rows),
        "note": np.where(np.arange(rows) % 10, "", "late"),
        "score": np.round(rng.random(rows), 2),
    }


@pytest.mark.slow
def test_discrete_columns_and_categories_are_those_built_at_once() -> None:
    data = shops()
    options: dict[str, Any] = {"categorical": ["season"], "predictions": "score"}
    parts = cut(data, [1, 900, 4000, 4001, 9000])  # two of one row
    whole = exact(Reference.build(data, **options))
    assert exact(added(parts, **options)) == whole
    assert exact(two_rounds(parts, **options)) == whole
    top = Counter(data["shop"].tolist())
    shop = column_of(added(parts, **options), "shop")
    assert shop.rows_by_category == top
    assert len(shop.bins.bin_names) == 53
    assert min(shop.counts[:50]) >= max(shop.rare_rows.values())


@pytest.mark.parametrize("cap", [3, 100])
def test_parts_under_the_cap_on_categories_keep_it(cap: int) -> None:
    names = [f"c{n:03}" for n in range(150) for _ in range(n + 1)]
    parts = cut({"x": names}, range(30, len(names), 30))
    assert exact(added(parts, max_categories=cap)) == exact(
        Reference.build({"x": names}, max_categories=cap)
    )


def test_of_countless_categories_the_first_round_s_are_counted_exactly() -> None:
    names = [f"c{n // 2}" for n in range(3 * MOST_NAMED)]
    names[::10] = ["often"] * len(names[::10])
    names[::100] = ["sometimes"] * len(names[::100])
    parts = cut({"x": names}, [2000, 9000, 24_000])
    cells = added(parts)
    total = added(parts, like=cells)
    assert exact(total) == exact(Reference.build({"x": names}, like=cells))
    column = column_of(total)
    assert column.rows_by_category["often"] == 2700
    assert column.rows_by_category["sometimes"] == 300
    assert len(column.rows_by_category) == MOST_NAMED
    assert column.rows == 3 * MOST_NAMED


# The order of adding.


def test_with_like_the_order_of_adding_does_not_matter() -> None:
    rng = np.random.default_rng(6)
    data = shops() | {"x": np.where(rng.random(12_000) < 0.1, np.nan, rng.normal(size=12_000))}
    parts = cut(data, range(1000, 12_000, 1000))
    cells = added(parts)
    built = [Reference.build(part, like=cells) for part in parts]
    expected = exact(reduce(add, built))
    random = Random(7)
    for _ in range(5):
        left = list(built)
        while len(left) > 1:  # any two of them, in any order
            random.shuffle(left)
            left.append(left.pop() + left.pop())
        assert exact(left[0]) == expected


@pytest.mark.parametrize("name", ["normal", "bimodal", "lognormal", "prices", "zero_inflated"])
def test_without_like_the_order_of_adding_hardly_matters(name: str) -> None:
    rng = np.random.default_rng(8)
    rows = DISTRIBUTIONS[name].rows
    built = [Reference.build({"x": rows(rng, 2000)}) for _ in range(10)]
    window = {"x": DISTRIBUTIONS[name].changed_rows(rng, 5000)}
    one, other = (
        scored(ReferenceMatrix([column_of(reduce(add, parts))]), window)
        for parts in (built, built[::-1])
    )
    assert one["ks_statistic"] == pytest.approx(other["ks_statistic"], abs=0.005)
    assert one["psi"] == pytest.approx(other["psi"], abs=0.01)


# Parts that lack something.


def test_a_part_without_a_column_counts_its_rows_as_missing() -> None:
    cells = added([{"x": [1.0, 2.0], "c": ["a", "b"]}, {"x": [3.0]}])
    part = Reference.build({"x": [4.0, 5.0, None]}, like=cells)
    assert [(c.name, c.rows, c.missing) for c in part.features] == [("x", 3, 1), ("c", 3, 3)]


def test_a_column_that_is_all_missing_in_a_part_is_counted_in_the_second_round() -> None:
    nothing = np.full(500, np.nan)
    data = {
        "x": np.concatenate((nothing, np.random.default_rng(9).normal(size=500))),
        "c": np.array([""] * 500 + ["a", "b"] * 250),
        "rows": np.arange(1000),
    }
    parts = cut(data, [250, 500, 750])
    assert column_of(added(parts)).rows == 1000
    total = two_rounds(parts)
    assert {c.name: (c.rows, c.missing) for c in total.features} == {
        "x": (1000, 500),
        "c": (1000, 500),
        "rows": (1000, 0),
    }


def test_categories_and_values_that_like_never_had_are_counted() -> None:
    old = Reference.build({"c": ["a", "a", "b"], "x": [1.0, 2.0, 3.0]})
    new = Reference.build({"c": ["c", "c", "a"], "x": [-5.0, 2.0, 99.0]}, like=old)
    assert column_of(new, "c").rows_by_category == {"c": 2, "a": 1}
    assert column_of(new).counts.tolist() == [1, 0, 0, 1, 0, 0, 1, 0]
    assert column_of(old + new, "c").rows_by_category == {"a": 3, "b": 1, "c": 2}


def test_a_part_without_rows_is_none() -> None:
    like = Reference.build({"x": [1.0]})
    for settled in (None, like):
        with pytest.raises(ValueError, match=r"^reference: expected rows, got none$"):
            Reference.build({"x": []}, like=settled)


# What like settles.


def test_like_settles_parts_kinds_and_caps() -> None:
    data = {"n": [1, 2, 2, 3], "x": [0.5] * 4, "y": [0.1] * 4, "new": [1.0] * 4}
    like = Reference.build(
        data, features=["n", "x"], predictions="y", categorical=["n"], max_categories=1
    )
    again = Reference.build(data, like=like)
    assert exact(again) == exact(like)
    assert column_of(again, "n").rows_by_category == {"1": 1, "2": 2, "3": 1}


def test_like_reads_the_data_once() -> None:
    passes = []

    def chunks() -> list[tuple[Data, int]]:
        passes.append(1)
        return [({"x": np.arange(2.0 * DISTINCT)}, 2 * DISTINCT)]

    like = Reference.build(chunks)
    assert len(passes) == 2
    assert exact(Reference.build(chunks, like=like)) == exact(like)
    assert len(passes) == 3


@pytest.mark.parametrize("texts", [["abc"], [None, "", b"x"], pa.table({"x": ["abc"]})])
def test_texts_for_numbers_are_refused(texts: Any) -> None:
    data = texts if isinstance(texts, pa.Table) else {"x": texts}
    like = Reference.build({"x": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"^reference: x: expected numbers as in `like`, got b?'"):
        Reference.build(data, like=like)
    with pytest.raises(ValueError, match=r"^reference: x: expected the same kind on both sides"):
        like + Reference.build(data)


def test_numbers_for_texts_are_categories() -> None:
    like = Reference.build({"x": ["1", "2"]})
    part = Reference.build({"x": [1.0, 2, True]}, like=like)
    assert column_of(part).rows_by_category == {"1": 1, "2": 1, "true": 1}


def test_other_data_altogether_is_refused() -> None:
    like = Reference.build({"x": [1.0], "y": [1.0]})
    message = "^reference: expected columns as in `like`, x, y; there are a, b$"
    with pytest.raises(ValueError, match=message):
        Reference.build({"a": [1.0], "b": [1.0]}, like=like)


def test_unchanged_time_brings_what_it_brings_in_the_worst_part() -> None:
    hours = np.arange(0, 30 * 24, 0.02)
    data = {"at": 1.7e9 + 3600 * hours, "x": np.sin(hours / 24 * 2 * np.pi) + hours % 1}
    timed: dict[str, Any] = {"time_column": "at", "windows": ["1h"]}
    parts = cut(data, [12_000, 20_000])
    cells = added(parts, **timed)
    built = [Reference.build(part, like=cells, **timed) for part in parts]
    of_parts = [column_of(part).variation[3600.0]["psi"] for part in built]
    total = column_of(reduce(add, built)).variation[3600.0]["psi"]
    assert total == max(of_parts)
    whole = column_of(Reference.build(data, **timed)).variation[3600.0]["psi"]
    assert total.variance == pytest.approx(whole.variance, rel=0.1)


# Arrow tables, in which parts of a distributed data set come.


def test_an_arrow_table_is_as_good_as_its_columns() -> None:
    data = {
        "x": [1.5, None, 2.5, 2.5],
        "n": [1, None, 3, 3],
        "c": ["a", None, "", "b"],
        "flag": [True, None, False, True],
        "price": [Decimal("1.25"), None, Decimal(2), Decimal(2)],
    }
    table = pa.table(data).append_column("d", pa.array(data["c"]).dictionary_encode())
    for rows in (table, pa.concat_tables([table[:1], table[1:]]), table.to_batches()[0]):
        built = Reference.build(rows, categorical=["flag"])
        expected = Reference.build({**data, "d": data["c"]}, categorical=["flag"])
        assert exact(built) == exact(expected)
    assert column_of(built, "flag").rows_by_category == {"true": 2, "false": 1}


def test_times_of_an_arrow_table_are_seconds() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    at = pa.array([noon] * 100, pa.timestamp("us", "UTC"))
    table = pa.table({"at": at, "c": ["a", "b"] * 50})
    assert column_of(Reference.build(table), "at").mean == noon.timestamp()
    built = Reference.build(table, time_column="at")
    assert [c.name for c in built.features] == ["c"]
