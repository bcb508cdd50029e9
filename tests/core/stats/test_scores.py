"""Facts about drift scores of counts, against SciPy, NumPy and hand-worked numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import jensenshannon

from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.stats.scores import (
    js_distance,
    ks_statistic,
    l_infinity,
    psi,
    wasserstein_ratio,
)
from tests.core.oracles import exact_ks

COUNT_SCORES = [psi, js_distance, l_infinity, ks_statistic]


@st.composite
def two_sides(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two sides' rows per bin; each side has a row at least."""
    size = draw(st.integers(1, 60))
    counts = st.integers(0, 10**6) | st.integers(0, 3)
    sides = [draw(hnp.arrays(np.int64, size, elements=counts)) for _ in range(2)]
    for side in sides:
        side[draw(st.integers(0, size - 1))] += 1
    return sides[0], sides[1]


@given(two_sides())
def test_psi_is_its_formula(sides: tuple[Any, Any]) -> None:
    expected = 0.0
    bins, n, m = len(sides[0]), int(sides[0].sum()), int(sides[1].sum())
    for r_rows, c_rows in zip(*map(list, sides), strict=True):
        r = (float(r_rows) + 0.5) / (n + 0.5 * bins)
        c = (float(c_rows) + 0.5) / (m + 0.5 * bins)
        expected += (c - r) * math.log(c / r)
    assert psi(*sides)[0] == pytest.approx(expected, rel=1e-9, abs=1e-15)


@given(two_sides())
def test_psi_is_symmetric_and_never_under_0(sides: tuple[Any, Any]) -> None:
    reference, current = sides
    assert psi(reference, current)[0] >= 0.0
    assert psi(reference, current)[0] == pytest.approx(psi(current, reference)[0])
    assert psi(reference, reference)[0] == 0.0


def test_psi_by_hand() -> None:
    # 9.5 / 20 and 10.5 / 20 against 4.5 / 10 and 5.5 / 10.
    expected = -0.025 * math.log(0.45 / 0.475) + 0.025 * math.log(0.55 / 0.525)
    assert psi([9, 10], [4, 5])[0] == pytest.approx(expected, rel=1e-12)


def test_psi_of_an_empty_bin_is_finite() -> None:
    expected = 2 * (1000 / 1001) * math.log(1000.5 / 0.5)
    assert psi([1000, 0], [0, 1000])[0] == pytest.approx(expected, rel=1e-12)


@given(two_sides())
def test_js_distance_is_that_of_scipy(sides: tuple[Any, Any]) -> None:
    expected = jensenshannon(*sides, base=2)
    # The root of a difference of logarithms: 1e-16 in the divergence is 1e-8 in the distance.
    assert js_distance(*sides)[0] == pytest.approx(expected, abs=2e-7)
    assert 0.0 <= js_distance(*sides)[0] <= 1.0 + 1e-12


@given(two_sides())
def test_l_infinity_is_the_greatest_gap(sides: tuple[Any, Any]) -> None:
    shares = [side / side.sum() for side in sides]
    expected = max(abs(a - b) for a, b in zip(*shares, strict=True))
    assert l_infinity(*sides)[0] == expected


@given(two_sides())
def test_ks_statistic_is_the_greatest_gap_of_the_sums(sides: tuple[Any, Any]) -> None:
    below = [np.cumsum(side) / side.sum() for side in sides]
    assert ks_statistic(*sides)[0] == pytest.approx(np.abs(below[0] - below[1]).max(), abs=1e-12)


# Values with ties: few different ones, and some that nothing else is near.
VALUES = hnp.arrays(
    np.float64,
    st.integers(1, 80),
    elements=st.integers(-5, 5).map(float) | st.floats(-1e300, 1e300, allow_subnormal=False),
)


@given(VALUES, VALUES, hnp.arrays(np.float64, st.integers(0, 12), elements=st.floats(-10, 10)))
def test_ks_is_never_above_exact_and_at_most_a_cells_share_below(
    reference: Any, current: Any, edges: Any
) -> None:
    bins = NumericBins(np.unique(edges), np.empty(0))
    cells = [bins.count(side)[0][:-1] for side in (reference, current)]
    exact = exact_ks(reference, current)
    got = ks_statistic(*cells)[0]
    assert got <= exact + 1e-12
    assert got >= exact - cells[0].max() / len(reference) - 1e-12


@pytest.mark.parametrize("score", COUNT_SCORES)
def test_a_side_without_rows_gives_nan(score: Any) -> None:
    assert np.isnan(score([0, 0], [1, 2])).all()
    assert np.isnan(score([1, 2], [0, 0])).all()
    assert np.isnan(score([0, 0], [0, 0])).all()


@pytest.mark.parametrize("score", COUNT_SCORES)
@settings(max_examples=20)
@given(st.lists(two_sides(), min_size=1, max_size=5))
def test_a_column_has_the_score_that_it_has_alone(score: Any, columns: list[Any]) -> None:
    columns = [*columns, (columns[0][0], 0 * columns[0][1]), columns[-1]]
    sizes = [len(reference) for reference, _ in columns]
    starts = np.cumsum([0, *sizes[:-1]]).astype(np.intp)
    reference, current = (np.concatenate([column[k] for column in columns]) for k in (0, 1))
    alone = [score(*column)[0] for column in columns]
    together = score(reference, current, starts)
    assert np.allclose(together, alone, rtol=1e-12, atol=1e-15, equal_nan=True)
    assert np.isnan(together[-2])


@pytest.mark.parametrize("score", COUNT_SCORES)
def test_counts_may_be_of_any_numeric_type(score: Any) -> None:
    expected = score([3, 4], [1, 9])
    for dtype in (np.uint32, np.int64, np.float32):
        found = score(np.array([3, 4], dtype=dtype), np.array([1, 9], dtype=dtype))
        assert np.array_equal(found, expected)


def test_wasserstein_is_in_standard_deviations_and_nan_without_a_usable_one() -> None:
    distances = np.array([1.0, np.nan, 1.0, 1.0, 1.0])
    got = wasserstein_ratio(distances, np.array([2.0, 1.0, 0.0, np.nan, np.inf]))
    assert np.array_equal(got, [0.5, np.nan, np.nan, np.nan, np.nan], equal_nan=True)
