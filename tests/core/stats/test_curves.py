"""Facts about distribution functions: distances and quantiles, held against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import reference, scored
from tests.core.distributions import Floats, bimodal, drawn

MADE = {
    "counts": (drawn("poisson", 30.0), drawn("poisson", 33.0)),
    "bimodal": (bimodal(0.5), bimodal(0.55)),
    "normal": (drawn("normal", 0.0, 1.0), drawn("normal", 0.1, 1.0)),
}
HEAVY = {
    "lognormal": drawn("lognormal", 0.0, 2.0),
    "pareto": drawn("pareto", 1.1),
    "cauchy": drawn("standard_cauchy"),
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


@pytest.mark.parametrize("name", HEAVY)
def test_wasserstein_of_a_heavy_tail_is_of_the_right_size(name: str) -> None:
    # A digest takes the last rows of a tail together; these decide on the distance.
    rng = np.random.default_rng(3)
    rows = HEAVY[name](rng, 20_000)
    window = np.clip(HEAVY[name](rng, 5_000), rows.min(), rows.max())
    exact = wasserstein_distance(rows, window) / rows.std()
    assert ratio(rows, window) == pytest.approx(exact, rel=0.6, abs=0.005)


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
