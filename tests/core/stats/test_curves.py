"""Facts about distribution functions: distances and quantiles, held against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import reference, scored
from tests.core.distributions import Floats, bimodal, drawn, moved

MADE = {
    "counts": (drawn("poisson", 30.0), drawn("poisson", 33.0)),
    "bimodal": (bimodal(0.5), bimodal(0.55)),
    "normal": (drawn("normal", 0.0, 1.0), drawn("normal", 0.1, 1.0)),
}
HEAVY = {
    "lognormal": (drawn("lognormal", 0.0, 2.0), drawn("lognormal", 0.1, 2.0)),
    "pareto": (drawn("pareto", 1.1), drawn("pareto", 1.0)),
    "cauchy": (drawn("standard_cauchy"), moved(drawn("standard_cauchy"), 0.3)),
}


def ratio(rows: Floats, window: Floats) -> float:
    found = scored(ReferenceMatrix([reference(rows)]), {"x": window})
    return float(found["wasserstein_ratio"][0])


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("name", MADE)
def test_wasserstein_is_within_5_percent_of_scipy_s(name: str, changed: bool) -> None:
    rng = np.random.default_rng(3)
    rows, window = MADE[name][0](rng, 20_000), MADE[name][changed](rng, 5_000)
    exact = wasserstein_distance(rows, window) / rows.std()
    assert ratio(rows, window) == pytest.approx(exact, rel=0.05, abs=0.002)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("sizes", [(20_000, 5_000), (100_000, 20_000)])
@pytest.mark.parametrize("name", HEAVY)
def test_wasserstein_of_a_heavy_tail_is_within_5_percent_of_scipy_s(
    name: str, sizes: tuple[int, int], changed: bool
) -> None:
    # A digest takes the last rows together, which decide on the distance; cells do not.
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows = HEAVY[name][0](rng, sizes[0])
        window = np.clip(HEAVY[name][changed](rng, sizes[1]), rows.min(), rows.max())
        exact = wasserstein_distance(rows, window) / rows.std()
        assert ratio(rows, window) == pytest.approx(exact, rel=0.05, abs=0.002)


def test_rows_far_beyond_the_reference_keep_their_distance() -> None:
    # Their centroids, which hold rows before the last edge, too, are parted by the cells' counts.
    rng = np.random.default_rng(6)
    rows = rng.normal(size=20_000)
    for far in (np.full(3, 1e4), np.array([50.0, 1e3, 1e5]), -np.array([30.0, 40.0, 1e4])):
        window = np.concatenate((rng.normal(size=5_000), far))
        exact = wasserstein_distance(rows, window) / rows.std()
        assert ratio(rows, window) == pytest.approx(exact, rel=0.05)


@given(
    st.lists(st.integers(0, 6), min_size=100, max_size=200),
    st.lists(st.integers(-1, 8), min_size=100, max_size=200),
)
def test_wasserstein_of_few_values_is_exact(rows: list[int], window: list[int]) -> None:
    values = np.array(rows * 20, dtype=np.float64)
    if values.std() == 0:
        return
    known = np.clip(np.array(window, dtype=np.float64), min(rows), max(rows))
    known = known[np.isin(known, values)]
    if len(known) < 100:
        return
    exact = wasserstein_distance(values, known) / values.std()
    assert ratio(values, known) == pytest.approx(exact, abs=1e-6)
