"""Facts about what chance makes of the scores that do not decide, against SciPy and simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from mlmon_exporter.core.stats import scores
from mlmon_exporter.core.stats.chance import (
    chi_square_quantile,
    noise_of_js_distance,
    noise_of_l_infinity,
    noise_of_wasserstein_ratio,
)

LEVEL = 0.01
RUNS = 2000
MOST = 0.01 + 3 * math.sqrt(0.01 * 0.99 / RUNS)


@pytest.mark.parametrize("degrees", range(1, 61))
@pytest.mark.parametrize("level", [0.5, 0.05, 1e-3, 1e-6, 1e-9])
def test_chi_square_quantile_is_scipys(degrees: int, level: float) -> None:
    got = chi_square_quantile(level, degrees)
    assert got == pytest.approx(stats.chi2.isf(level, degrees), rel=1e-8)


@pytest.mark.parametrize(("level", "degrees"), [(0.0, 1), (1.0, 1), (0.1, 0)])
def test_chi_square_quantile_says_what_it_takes(level: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="expected 0 < level < 1"):
        chi_square_quantile(level, degrees)


@pytest.mark.parametrize(
    "shares", [np.full(10, 0.1), np.array([0.9, 0.1]), np.array([0.5, 0.3, 0.15, 0.04, 0.01])]
)
@pytest.mark.parametrize(("n", "m"), [(1000, 500), (100_000, 2000)])
@pytest.mark.slow
def test_scores_of_unchanged_bins_are_over_their_noise_as_rarely_as_said(
    shares: np.ndarray[tuple[int], np.dtype[np.float64]], n: int, m: int
) -> None:
    rng = np.random.default_rng(5)
    over_js = over_gap = 0
    js = noise_of_js_distance(len(shares), n, m, LEVEL)
    for _ in range(RUNS):
        reference, current = rng.multinomial(n, shares), rng.multinomial(m, shares)
        over_js += scores.js_distance(reference, current)[0] > js
        gap = noise_of_l_infinity(reference, m, LEVEL)
        over_gap += scores.l_infinity(reference, current)[0] > gap
    assert over_js / RUNS <= MOST
    assert over_gap / RUNS <= MOST
    # And they are no idle bounds: a fifth less would be gone over.
    assert js == pytest.approx(
        np.sqrt(stats.chi2.isf(LEVEL, len(shares) - 1) / 8 / math.log(2) * (1 / n + 1 / m))
    )


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform"])
@pytest.mark.slow
def test_wasserstein_of_unchanged_rows_is_over_its_noise_more_rarely_than_said(draw: str) -> None:
    rng = np.random.default_rng(6)
    n, m = 5000, 500
    over, seen = 0, []
    for _ in range(400):
        reference, current = (getattr(rng, draw)(size=size) for size in (n, m))
        ranks = np.quantile(reference, (np.arange(100) + 0.5) / 100)
        noise = noise_of_wasserstein_ratio(ranks, float(reference.std()), n, m, LEVEL)
        got = stats.wasserstein_distance(reference, current) / reference.std()
        over += got > noise
        seen.append(got / noise)
    assert over / 400 <= LEVEL
    assert max(seen) > 0.5


def test_noise_falls_as_rows_grow_and_rises_as_the_level_falls() -> None:
    ranks = np.linspace(-2, 2, 100)
    noises: list[Callable[[int, float], float]] = [
        lambda m, at: noise_of_js_distance(10, 10_000, m, at),
        lambda m, at: noise_of_l_infinity([100] * 10, m, at),
        lambda m, at: noise_of_wasserstein_ratio(ranks, 1.1, 10_000, m, at),
    ]
    for noise in noises:
        assert noise(100, 0.01) > noise(1000, 0.01) > noise(10_000, 0.01)
        assert noise(1000, 1e-6) > noise(1000, 1e-3)


def test_without_rows_or_spread_there_is_no_noise_to_tell() -> None:
    ranks = np.linspace(-2, 2, 100)
    assert math.isnan(noise_of_js_distance(10, 0, 100, LEVEL))
    assert math.isnan(noise_of_l_infinity([0, 0], 100, LEVEL))
    assert math.isnan(noise_of_l_infinity([1, 1], 0, LEVEL))
    assert math.isnan(noise_of_wasserstein_ratio(ranks, 0.0, 100, 100, LEVEL))
    assert math.isnan(noise_of_wasserstein_ratio(ranks, 1.0, 100, 0, LEVEL))
    assert noise_of_js_distance(1, 100, 100, LEVEL) == 0.0
