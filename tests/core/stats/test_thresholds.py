"""Facts about what a score may be by chance, against SciPy and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mlmon_exporter.core.stats import scores
from mlmon_exporter.core.stats.thresholds import (
    LOOKS,
    chance_ks,
    chance_psi,
    chance_share,
    level,
)
from tests.core.oracles import exact_ks
from tests.formats.memory import at_most_traced


def test_the_level_shares_the_budget_among_tests_and_looks() -> None:
    hour, month = 3600.0, 30 * 86400.0
    assert level(hour, month, tests=1) == pytest.approx(1 / 720 / LOOKS)
    assert level(hour, month, tests=50) == pytest.approx(1 / 720 / 50 / LOOKS)
    assert level(hour, month, tests=50, looks=1) == pytest.approx(1 / 720 / 50)


@pytest.mark.parametrize(
    ("seconds", "budget", "tests"), [(1.0, 1.0, 0), (0.0, 1.0, 1), (1.0, 0.0, 1), (1e9, 1.0, 1)]
)
def test_the_level_is_5_percent_at_most(seconds: float, budget: float, tests: int) -> None:
    assert level(seconds, budget, tests) == 0.05


@pytest.mark.parametrize("at", [0.05, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize(
    ("hits", "n", "m"),
    [
        (0, 100, 100),
        (0, 100_000, 20_000),
        (1, 100_000, 20_000),
        (100, 100_000, 20_000),
        (50_000, 100_000, 20_000),
        (99_990, 100_000, 20_000),
        (100_000, 100_000, 20_000),
        (5, 1000, 100_000),
        (3, 10, 1),
    ],
)
@pytest.mark.parametrize("extra_hits", [1.0, 2.0])
def test_chance_share_is_the_beta_binomial_quantile(
    hits: int, n: int, m: int, extra_hits: float, at: float
) -> None:
    alpha = hits + extra_hits
    beta = max(n + 1 - alpha, 0.5)
    got = chance_share(hits, n, m, at, extra_hits) * m
    rows = round(got)
    assert got == pytest.approx(rows, rel=1e-12)
    # The least number of rows that is exceeded with at most this probability. Probabilities are
    # summed from the far end: SciPy's own tail is 1 less a sum.
    beyond = stats.betabinom.pmf(np.arange(m, rows - 1, -1), m, alpha, beta)
    assert beyond[:-1].sum() <= at * (1 + 1e-6)
    assert rows == 0 or beyond.sum() > at * (1 - 1e-6)


@pytest.mark.parametrize(("hits", "n"), [(0, 500), (25, 500), (250, 500), (3, 10), (2, 5000)])
@pytest.mark.parametrize("at", [0.01, 1e-6])
@pytest.mark.slow
def test_in_a_huge_window_chance_is_half_a_percent_more_at_most(
    hits: int, n: int, at: float
) -> None:
    m = 2_000_000
    alpha, beta = hits + 1.0, float(n - hits)
    logs = stats.betabinom.logpmf(np.arange(m, -1, -1), m, alpha, beta)
    beyond = np.cumsum(np.exp(logs))
    exact = float(m - np.searchsorted(beyond, at, side="right")) / m
    mean = alpha / (alpha + beta)
    assert exact - 1e-6 <= chance_share(hits, n, m, at) <= mean + 1.005 * (exact - mean) + 1e-4


@pytest.mark.parametrize("m", [10**8, 10**11, 2**53])
@pytest.mark.parametrize(("hits", "n"), [(0, 3000), (100, 3000), (30_000, 60_000)])
def test_the_share_of_a_huge_window_takes_little_memory_and_is_on_the_safe_side(
    hits: int, n: int, m: int
) -> None:
    with at_most_traced(50 * 2**20):
        got = chance_share(hits, n, m, 1e-6)
    # With so many rows the window's own noise is nothing: what is left is the reference's.
    limit = stats.beta.isf(1e-6, hits + 1, n - hits)
    assert limit <= got <= 1.002 * limit


def test_a_share_is_never_above_1() -> None:
    assert chance_share(100, 100, 50, 1e-12) == 1.0


@pytest.mark.parametrize(("n", "m", "at"), [(100_000, 20_000, 1e-3), (50, 70, 0.05)])
def test_chance_ks_is_smirnovs_law(n: int, m: int, at: float) -> None:
    d = float(chance_ks(n, m, at))
    assert 2 * math.exp(-2 * d * d * n * m / (n + m)) == pytest.approx(at)


def test_chance_ks_without_rows_is_nan() -> None:
    got = chance_ks([0, 10, 10], [10, 0, 10], 1e-3)
    assert np.array_equal(np.isnan(got), [True, True, False])


def test_chance_ks_holds_what_it_says() -> None:
    rng = np.random.default_rng(5)
    bar = float(chance_ks(300, 200, 0.05))
    over = sum(exact_ks(rng.random(300), rng.random(200)) > bar for _ in range(2000))
    assert 0.02 < over / 2000 < 0.05


BINS = {
    "ten equal": np.full(10, 0.1),
    "ten equal and an empty one": np.append(np.full(10, 0.1), 0.0),
    "skewed": 0.5 ** np.arange(1, 13) / (1 - 0.5**12),
    "many rare": np.append(np.full(50, 1e-4), 0.995),
    "one full, one empty": np.array([1.0, 0.0]),
    "two halves": np.array([0.5, 0.5]),
}


@pytest.mark.parametrize("shares", BINS.values(), ids=BINS)
@pytest.mark.parametrize(("n", "m"), [(100_000, 20_000), (5000, 500), (500, 5000), (20_000, 150)])
@pytest.mark.slow
def test_psi_of_unchanged_rows_stays_under_chance(shares: np.ndarray, n: int, m: int) -> None:
    rng = np.random.default_rng(n + m)
    windows, over = 4000, 0
    references = rng.multinomial(n, shares, size=30)
    for reference in references:
        bar = chance_psi(reference.tolist(), m, 0.001)
        current = rng.multinomial(m, shares, size=windows)
        starts = np.arange(windows) * len(shares)
        values = scores.psi(np.tile(reference, windows), current.ravel(), starts)
        over += int((values > bar).sum())
    assert over / (windows * len(references)) <= 0.002


@pytest.mark.parametrize("at", [0.05, 1e-3, 1e-6, 1e-8])
@pytest.mark.parametrize("bins", [2, 5, 10, 50])
@pytest.mark.parametrize("m", [8192, 20_000, 100_000])
def test_chance_of_full_bins_is_near_the_chi_square_law(bins: int, m: int, at: float) -> None:
    n = 100_000
    got = chance_psi([n // bins] * bins, m, at)
    noise = 1 / n + 1 / m
    assert got >= noise * stats.chi2.isf(at, bins - 1) * 0.99
    # Rows of each bin are counted as independent: a degree of freedom more, and a little.
    assert got <= noise * stats.chi2.isf(at, bins) * 1.2


def test_chance_psi_without_rows_is_nan() -> None:
    assert math.isnan(chance_psi([0, 0], 100, 0.001))


@pytest.mark.parametrize("m", [1, 2, 3, 100, 10**7])
def test_chance_psi_is_finite_for_every_window(m: int) -> None:
    for bins in ([1, 0], [1], [10**9, 1, 0], [3] * 60):
        assert 0 <= chance_psi(bins, m, 1e-9) < math.inf


def test_chance_psi_rises_as_the_level_falls_and_falls_as_rows_grow() -> None:
    bins = [1000] * 10
    by_level = [chance_psi(bins, 5000, at) for at in (0.5, 0.05, 1e-3, 1e-6, 1e-9)]
    assert by_level == sorted(by_level)
    assert by_level[0] < by_level[-1]
    by_rows = [chance_psi(bins, m, 1e-6) for m in (100, 300, 1000, 3000, 10_000, 100_000)]
    assert by_rows == sorted(by_rows, reverse=True)
