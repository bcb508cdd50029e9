"""Facts about tallies: what some rows amount to, and that parts add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.windows.tally import Layout, Tally, tally_columns
from tests.core.distributions import Floats

NAN, INF = math.nan, math.inf
NUMBERS = NumericBins(np.array([0.0, 1.0, 2.0]), np.array([1.0]))
COLOURS = CategoryBins(("red", "green"))
CONSTANT = NumericBins(np.array([5.0]), np.array([]))
LAYOUT = Layout(("n", "c", "k"), (NUMBERS, COLOURS, CONSTANT))
RED, GREEN, OTHER, UNSEEN, ABSENT = range(5)
ROWS = st.lists(
    st.tuples(
        st.sampled_from([NAN, INF, -INF, -1.0, 0.0, 0.5, 1.0, 2.0, 1e300]),
        st.sampled_from([RED, GREEN, OTHER, UNSEEN, ABSENT, NAN]),
        st.floats(-10, 10),
    ),
    max_size=40,
)


def matrix(rows: Sequence[Sequence[Any]]) -> Floats:
    return np.array(rows, dtype=np.float64).reshape(len(rows), 3)


def tally(rows: Sequence[Sequence[Any]], engine: str = "fastdigest") -> Tally:
    return tally_columns(LAYOUT, matrix(rows).T, engine)


def same(a: Tally, b: Tally) -> None:
    assert a.rows == b.rows
    np.testing.assert_array_equal(a.counts, b.counts)
    np.testing.assert_array_equal(a.invalid, b.invalid)
    np.testing.assert_allclose(a.sums, b.sums, rtol=1e-9, atol=1e-9)
    sizes = [[digest and digest.rows for digest in side.digests] for side in (a, b)]
    assert sizes[0] == sizes[1]


def test_a_layout_lays_cells_and_bins_one_after_another() -> None:
    assert LAYOUT.cell_starts.tolist() == [0, 5, 10, 13]
    assert LAYOUT.bin_starts.tolist() == [0, 3, 8, 10]
    assert (LAYOUT.numeric, LAYOUT.categorical) == ((0, 2), (1,))


def test_a_layout_may_be_empty() -> None:
    empty = Layout((), ())
    assert empty.cell_starts.tolist() == [0]
    assert tally_columns(empty, np.empty((0, 3)), "fastdigest").rows == 3


def test_rows_are_counted_by_cell(engine: str) -> None:
    rows = [(0.5, RED, 5), (2.0, RED, 5), (9.0, UNSEEN, 4), (NAN, ABSENT, 6), (INF, NAN, NAN)]
    got = tally(rows, engine)
    assert [part.tolist() for part in np.split(got.counts, LAYOUT.cell_starts[1:-1])] == [
        [0, 1, 1, 1, 2],
        [2, 0, 0, 1, 2],
        [3, 1, 1],
    ]
    assert got.invalid.tolist() == [1, 1, 0]
    assert got.sums.tolist() == [11.5, 0.0, 20.0]
    assert [digest and digest.rows for digest in got.digests] == [3, None, 4]


def test_no_rows_amount_to_nothing(engine: str) -> None:
    got = tally([], engine)
    assert (got.rows, got.counts.sum(), got.digests) == (0, 0, [None, None, None])


@given(ROWS, st.integers(0, 40), st.booleans())
def test_parts_add_up_to_the_whole(rows: Any, cut: int, is_packed: bool) -> None:
    first, second = tally(rows[:cut]), tally(rows[cut:])
    if is_packed:
        first.pack()
        second.pack()
    first.merge(second)
    same(first, tally(rows))


@given(ROWS, ROWS)
def test_merging_leaves_the_other_as_it_is(a: Any, b: Any) -> None:
    ours, theirs = tally(a), tally(b)
    ours.merge(theirs)
    same(theirs, tally(b))
    ours.merge(theirs)
    same(theirs, tally(b))


@given(ROWS, ROWS)
def test_totals_are_those_of_all_rows_but_for_digests(a: Any, b: Any) -> None:
    totals = Tally(LAYOUT)
    for part in (a, b):
        totals.merge_counts(tally(part))
    whole = tally([*a, *b])
    assert totals.rows == whole.rows
    np.testing.assert_array_equal(totals.counts, whole.counts)
    np.testing.assert_array_equal(totals.invalid, whole.invalid)
    assert totals.digests == [None, None, None]


@settings(max_examples=20)
@given(ROWS)
def test_a_packed_tally_takes_more_rows(rows: Any) -> None:
    packed, plain = tally(rows), tally(rows)
    packed.pack()
    for side in (packed, plain):
        side.merge(tally(rows))
    same(packed, plain)


@pytest.mark.parametrize(
    ("most", "size"), [(0, 1), (255, 1), (256, 2), (65536, 4), (2**32 - 1, 4), (2**32, 8)]
)
def test_packed_counts_are_as_narrow_as_they_may_be(most: int, size: int) -> None:
    packed = tally([])
    packed.counts[1] = most
    packed.pack()
    assert packed.counts.itemsize == size
    for _ in range(2):
        packed.merge(packed.copy())
        packed.pack()
    assert packed.counts.tolist() == [0, 4 * most, *[0] * (len(packed.counts) - 2)]
    packed.merge_max(tally([]))
    assert packed.counts[1] == 4 * most
    assert packed.counts.dtype.kind in "iu"


def test_merged_digests_are_near_that_of_all_rows(engine: str) -> None:
    values = np.random.default_rng(1).lognormal(size=3000)
    rows = np.column_stack((values, np.zeros(3000), values))
    merged = Tally(LAYOUT)
    for part in np.split(rows, 8):
        merged.merge(tally_columns(LAYOUT, part.T, engine))
    digest = merged.digests[0]
    assert digest is not None
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    ranks = np.searchsorted(np.sort(values), digest.quantiles(shares)) / 3000
    assert ranks == pytest.approx(shares, abs=0.01)


@given(hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(allow_nan=False)))
def test_sums_stay_finite(values: Floats) -> None:
    """One infinite sum would make a histogram's sum infinite, or NaN, for ever."""
    rows = np.column_stack((values, np.zeros(len(values)), values))
    totals = Tally(LAYOUT)
    for _ in range(3):
        totals.merge(tally_columns(LAYOUT, rows.T, "fastdigest"))
    assert np.isfinite(totals.sums).all()
    digest = totals.digests[0]
    assert digest is None or np.isfinite(digest.quantiles([0.0, 0.5, 1.0])).all()


def test_the_work_pauses_between_columns() -> None:
    pauses: list[int] = []
    tally_columns(LAYOUT, matrix([(1, RED, 1)]).T, "fastdigest", lambda: pauses.append(1))
    assert len(pauses) == 3


def test_tallying_leaves_the_rows_as_they_are() -> None:
    rows = matrix([(2, RED, 1), (1, GREEN, 3)])
    before = rows.copy()
    for part in (rows, rows[:1], rows[:, :1].repeat(3, axis=1)):
        tally_columns(LAYOUT, part.T, "fastdigest")
    np.testing.assert_array_equal(rows, before)


def test_the_greater_of_two_counts_is_kept_and_the_digests_of_more_rows() -> None:
    ours = tally([[0.0, RED, 1.0]] * 3)
    theirs = tally([[0.0, RED, 1.0]] * 2 + [[2.0, GREEN, 1.0]] * 2)
    expected = np.maximum(ours.counts, theirs.counts)
    digests = theirs.digests
    ours.merge_max(theirs)
    np.testing.assert_array_equal(ours.counts, expected)
    assert (ours.rows, ours.digests) == (4, digests)
