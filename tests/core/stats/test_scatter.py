"""Facts about natural variation, against SciPy's laws and brute force on simulated streams."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from mlmon_exporter.core.stats.scatter import (
    Scatter,
    Sides,
    doubt,
    mean_scatter,
    natural_gap,
    psi_scatter,
    scatter_of_excess,
    shape_scatter,
    share_scatter,
    two_sided_square,
)

Floats = NDArray[np.float64]
ROWS = 500
EDGES = stats.norm.ppf(np.arange(1, 32) / 32)
BIN_STARTS = np.arange(0, 32, 4)


def stretches_of(values: Floats) -> NDArray[np.int64]:
    """Rows per cell of stretches of `ROWS` rows each."""
    cells = np.searchsorted(EDGES, values).reshape(-1, ROWS)
    return np.array([np.bincount(row, minlength=32) for row in cells])


def sides_of(values: Floats) -> Sides:
    counts = stretches_of(values)
    return Sides(counts, counts.sum(axis=0) - counts)


def ar(rho: float, rows: int, rng: np.random.Generator) -> Floats:
    noise = rng.normal(size=rows) * math.sqrt(1 - rho**2)
    noise[0] = rng.normal()
    return np.asarray(lfilter([1], [1, -rho], noise))


def days(sd: float, rows: int, rng: np.random.Generator) -> Floats:
    """Rows of stretches whose means differ; of variance 1 all together."""
    level = np.repeat(rng.normal(size=rows // ROWS), ROWS)
    return math.sqrt(1 - sd**2) * rng.normal(size=rows) + sd * level


def test_independent_rows_have_no_scatter() -> None:
    rng = np.random.default_rng(0)
    found: list[Scatter | None] = []
    for _ in range(100):
        sides = sides_of(rng.normal(size=20 * ROWS))
        is_rare = np.arange(32) == 31
        found += [
            shape_scatter(sides, 20.0),
            psi_scatter(sides, BIN_STARTS, 20.0),
            share_scatter(*sides.share(is_rare), sides.noise, 20.0),
        ]
    assert sum(scatter is not None for scatter in found) <= 3


@pytest.mark.parametrize("stream", ["ar", "days"])
def test_shape_scatter_is_the_variance_that_rows_do_not_explain(stream: str) -> None:
    rng = np.random.default_rng(1)

    def rows(stretches: int) -> Floats:
        count = stretches * ROWS
        return ar(0.97, count, rng) if stream == "ar" else days(0.3, count, rng)

    estimates = []
    for _ in range(20):
        found = shape_scatter(sides_of(rows(60)), 60.0)
        assert found is not None
        estimates.append(found.variance)
    # The oracle: many stretches against the distribution itself.
    shares = np.cumsum(stretches_of(rows(4000)), axis=1)[:, :-1] / ROWS
    true = np.arange(1, 32) / 32
    gaps = ((shares - true) ** 2).mean(axis=0).sum() / (true * (1 - true)).sum()
    assert np.mean(estimates) == pytest.approx(gaps - 1 / ROWS, rel=0.1)


def test_psi_scatter_knows_one_way_of_varying_from_many() -> None:
    rng = np.random.default_rng(2)
    moved = psi_scatter(sides_of(days(0.3, 400 * ROWS, rng)), BIN_STARTS, 400.0)
    shares = rng.dirichlet(np.full(8, 60.0), size=400)
    bins = np.array([rng.multinomial(ROWS, share) for share in shares])
    many = psi_scatter(Sides(bins, bins.sum(axis=0) - bins), np.arange(8), 400.0)
    assert moved is not None
    assert many is not None
    # A mean that moves by 0.3 sd moves PSI by its square, and nearly all of it one way.
    assert moved.variance == pytest.approx(0.09, rel=0.25)
    assert moved.strongest > 0.85 * moved.variance
    # Seven equal ways: the root of the sum of their squares is the mean by the root of seven.
    assert many.strongest == pytest.approx(many.variance / math.sqrt(7), rel=0.25)


def test_the_scatter_of_a_share_is_that_of_bursts() -> None:
    rng = np.random.default_rng(3)
    # One in fifty rows, in bursts of ten: each burst counts as one draw.
    hits = np.repeat(rng.random(4000 * ROWS // 10) < 0.02, 10).reshape(-1, ROWS).sum(axis=1)
    here = hits / ROWS
    there = (hits.sum() - hits) / (len(hits) - 1) / ROWS
    noise = np.full(len(hits), 1 / ROWS)
    found = share_scatter(here, there, noise, float(len(hits)))
    assert found is not None
    assert found.variance == pytest.approx(9 / ROWS, rel=0.1)
    assert share_scatter(here * 0, there * 0, noise, 10.0) is None


@pytest.mark.parametrize("level", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("degrees", [5.0, 14.0, 60.0, 1000.0])
def test_doubt_is_that_of_students_t(degrees: float, level: float) -> None:
    exact = (stats.t.isf(level / 2, degrees) / stats.norm.isf(level / 2)) ** 2
    found = float(doubt(np.array([degrees]), level)[0])
    assert 0.99 * exact <= found <= 1.2 * exact


def test_a_known_variance_has_no_doubt() -> None:
    assert doubt(np.array([math.inf]), 1e-6).tolist() == [1.0]


@pytest.mark.parametrize("level", [1e-2, 1e-5])
def test_the_two_sided_square_bounds_the_normal_law(level: float) -> None:
    square = two_sided_square(level)
    assert stats.norm.isf(level / 2) ** 2 <= square
    # It is where Smirnov's law has the level.
    assert stats.kstwobign.sf(math.sqrt(square) / 2) == pytest.approx(level, rel=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_the_natural_gap_of_windows_worth_a_few_rows_is_that_of_so_few(rows: int) -> None:
    for level in (1e-2 / 4**rows, 1e-5, 1e-8):
        exact = stats.kstwo.isf(level, rows)
        assert natural_gap(np.array([1 / rows]), level)[0] == pytest.approx(exact, abs=0.002)


def test_the_natural_gap_is_that_of_a_normal_law_whose_mean_varies() -> None:
    level = 1e-4
    for sd in (0.05, 0.3, 1.0):
        # Means of this sd reach, at the level, so many standard deviations ...
        moved = sd * float(stats.norm.isf(level / 2))
        exact = 2 * stats.norm.cdf(moved / 2) - 1
        # ... and the variance, in units of F(1 - F), is the mean of phi squared by that.
        found = natural_gap(np.array([sd**2 * math.sqrt(3) / math.pi]), level)[0]
        assert found == pytest.approx(exact, rel=0.12)
        assert found <= 1


def test_an_excess_becomes_the_scatter_that_reaches_it() -> None:
    square = two_sided_square(1e-5)
    shape = scatter_of_excess("ks_statistic", 0.2, 0.5, 1e-5)
    assert math.sqrt(square / 4 * shape.variance) == pytest.approx(0.2)
    share = scatter_of_excess("missing_ratio", 0.1, 0.02, 1e-5)
    assert math.sqrt(square * share.variance * 0.02 * 0.98) == pytest.approx(0.1)
    psi = scatter_of_excess("psi", 0.3, 0.5, 1e-5)
    assert psi.variance * (1 + 1.25 * (square - 1)) == pytest.approx(0.3)


def gaps_of(values: Floats) -> tuple[Floats, Floats]:
    """Return the gaps of stretches of `ROWS` rows from the rest, and their noise."""
    parts = values.reshape(-1, ROWS)
    rest = len(values) - ROWS
    others = (values.sum() - parts.sum(axis=1)) / rest
    gaps = (parts.mean(axis=1) - others) / values.std()
    return gaps, np.full(len(parts), 1 / ROWS + 1 / rest)


def test_a_mean_of_independent_rows_has_no_scatter_whatever_their_tails() -> None:
    rng = np.random.default_rng(20)
    found = 0
    for _ in range(150):
        for values in (rng.normal(size=20 * ROWS), rng.lognormal(sigma=1.5, size=20 * ROWS)):
            kurtosis = float(stats.kurtosis(values))
            found += mean_scatter(*gaps_of(values), 20.0, kurtosis) is not None
    assert found <= 2


def test_a_mean_of_autocorrelated_rows_has_the_variance_of_its_process() -> None:
    rng = np.random.default_rng(21)
    values, rho = ar(0.99, 400 * ROWS, rng), 0.99
    found = mean_scatter(*gaps_of(values), 400.0, 0.0)
    lags = np.arange(1, ROWS)
    exact = 2 / ROWS * ((1 - lags / ROWS) * rho**lags).sum()
    assert found is not None
    assert found.variance == pytest.approx(exact, rel=0.15)
