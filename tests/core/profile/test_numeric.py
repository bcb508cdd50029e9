"""Facts about numeric columns in the making: which cells are chosen, and what they count."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.coerce import rounding_of
from mlmon_exporter.core.profile.bins import UNSEEN, NumericBins, per_bin
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.edges import BY_VALUE
from mlmon_exporter.core.profile.numeric import DISTINCT
from tests.core.build import Floats, edges_of, reference, references
from tests.core.distributions import Distribution
from tests.core.oracles import rows_per_bin

ROWS = {"fastdigest": 30_000, "tdigest": 3000}


def bin_edges(column: ColumnReference) -> Floats:
    assert isinstance(column.bins, NumericBins)
    return column.bins.bin_edges


def bin_rows(column: ColumnReference) -> list[int]:
    """The rows per bin; of a discrete column without the bin of values that are new."""
    rows = dict(zip(column.bins.bin_names, per_bin(column.bins, column.counts), strict=True))
    assert rows.pop(UNSEEN, 0) == 0
    return [int(count) for count in rows.values()]


def test_two_passes_count_exactly(distribution: Distribution, engine: str) -> None:
    values = distribution.rows(np.random.default_rng(1), ROWS[engine])
    values[::97] = np.nan
    column = reference(values, engine=engine, chunk_rows=1000)
    assert column.counts.tolist() == rows_per_bin(values, edges_of(column))
    assert bin_rows(column) == rows_per_bin(values, bin_edges(column))
    assert column.rank_error == 0.0
    assert column.rows == len(values)


def test_bins_are_about_ten_and_share_the_rows(distribution: Distribution) -> None:
    values = distribution.rows(np.random.default_rng(2), 30_000)
    column = reference(values)
    atoms, atom_rows = np.unique(values, return_counts=True)
    frequent = atoms[atom_rows >= 0.05 * len(values)]
    shares = np.array(bin_rows(column)[:-1]) / len(values)
    edges = [-math.inf, *bin_edges(column), math.inf]
    if len(atoms) == 1:
        assert shares.tolist() == [1.0]
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
    edges = [-math.inf, *edges_of(column), math.inf]
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


@pytest.mark.slow
def test_how_rows_are_cut_into_chunks_does_not_matter(distribution: Distribution) -> None:
    values = distribution.rows(np.random.default_rng(6), 3000)
    whole = reference(values, chunk_rows=3000)
    for chunk_rows in (1, 64):
        cut = reference(values, chunk_rows=chunk_rows, passes=1)
        assert edges_of(cut).tolist() == edges_of(whole).tolist()
        assert cut.counts.tolist() == whole.counts.tolist()


def test_one_pass_over_many_values_is_off_by_its_rank_error_at_most(
    distribution: Distribution,
) -> None:
    values = distribution.rows(np.random.default_rng(7), 40_000)
    column = reference(values, passes=1)
    exact = np.cumsum(rows_per_bin(values, edges_of(column)))
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
    edges = edges_of(column)
    cell = int(np.searchsorted(edges, atom))
    near = float(rounding_of(np.array([atom]))[0])
    assert edges[cell] == atom + near
    assert cell == 0 or edges[cell - 1] == np.nextafter(atom - near, -math.inf)
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
    assert column.counts.tolist() == rows_per_bin(array, edges_of(column))
    assert bin_rows(column) == rows_per_bin(array, bin_edges(column))
    assert np.isfinite(edges_of(column)).all()
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
    assert column.counts.tolist() == rows_per_bin(array, edges_of(column))
    bins = bin_rows(column)
    assert sum(bins) == len(values)
    assert min(bins[:-1]) > 0 or len(np.unique(array[np.isfinite(array)])) == 1
