"""Facts about dependence that is measured from live traffic, against streams whose law is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import norm

from mlmon_exporter.core.drift.dependence import LiveDependence, mean_scatters
from mlmon_exporter.core.stats.scatter import Sides
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.stretches import DAY_SECONDS, Stretches
from mlmon_exporter.core.windows.tally import tally_columns
from tests.core.build import references

Floats = NDArray[np.float64]
HOUR = 3600.0
ROWS = 80
"""Rows of an hour."""
MATRIX = ReferenceMatrix(references({"x": np.random.default_rng(9).normal(size=5000)}))
SCORES = ("psi", "ks_statistic", "missing_ratio", "tail_ratio")


def measured(
    values: Callable[[Floats, np.random.Generator], Floats],
    days: int = 28,
    seed: int = 0,
    rows: int = ROWS,
    seconds: float = 0.0,
) -> tuple[LiveDependence, float]:
    """The dependence that so many days show, and the time at their end."""
    rng = np.random.default_rng(seed)
    hours = np.repeat(np.arange(24 * days), rows).astype(float)
    x = values(hours, rng).reshape(-1, rows)
    stretches = Stretches(MATRIX.layout, [HOUR, DAY_SECONDS])
    for hour, each in enumerate(x):
        stretches.add(tally_columns(MATRIX.layout, each[None, :], ""), hour * HOUR)
    return LiveDependence(MATRIX, stretches, seconds), days * DAY_SECONDS


def shape(found: LiveDependence, now: float, seconds: float, effect: float = 1.0) -> float:
    variance, _, _ = found.at(now, np.full(1, effect)).of("ks_statistic", seconds)
    return float(variance[0])


def independent(hours: Floats, rng: np.random.Generator) -> Floats:
    return rng.normal(size=len(hours))


def of_days(sd: float) -> Callable[[Floats, np.random.Generator], Floats]:
    def values(hours: Floats, rng: np.random.Generator) -> Floats:
        day = (hours // 24).astype(int)
        means = sd * rng.normal(size=day.max() + 1)
        return np.asarray(rng.normal(size=len(hours)) + means[day])

    return values


def moved(shift: float) -> float:
    """The mean square of the gap that a shift of the mean makes, in units of F(1 - F)."""
    x = np.linspace(-5, 5, 2001)
    f = norm.cdf(x)
    weights = norm.pdf(x)
    gaps = (f - norm.cdf(x - shift)) ** 2
    return float((weights * gaps).sum() / (weights * f * (1 - f)).sum())


@pytest.mark.parametrize("seed", range(5))
def test_independent_rows_have_no_variance(seed: int) -> None:
    found, now = measured(independent, seed=seed)
    for score in SCORES:
        for seconds in (HOUR, 6 * HOUR, DAY_SECONDS):
            variance, _, _ = found.at(now, np.ones(1)).of(score, seconds)
            assert variance.tolist() == [0.0]


def test_days_that_differ_have_the_variance_of_their_means() -> None:
    found = [measured(of_days(0.3), seed=seed) for seed in range(10)]
    of_a_day = [shape(*each, DAY_SECONDS) for each in found]
    # Neighbours are six days that differ as well.
    assert np.mean(of_a_day) == pytest.approx(moved(0.3) * 7 / 6, rel=0.25)
    # An hour is part of a day, and varies no less.
    assert all(shape(*each, HOUR) >= shape(*each, DAY_SECONDS) for each in found)


def test_nights_are_seen_in_hours_and_not_in_days() -> None:
    found, now = measured(lambda h, rng: independent(h, rng) + 1.5 * (h % 24 < 7), seed=1)
    share = 7 / 24
    assert shape(found, now, HOUR) == pytest.approx(share * (1 - share) * moved(1.5), rel=0.3)
    assert shape(found, now, DAY_SECONDS) == 0.0


def test_a_week_has_its_weekend() -> None:
    found, now = measured(lambda h, rng: independent(h, rng) + (h // 24 % 7 >= 5), days=9)
    # Two of the seven days, each beside others of its kind: over half of p (1 - p).
    assert shape(found, now, DAY_SECONDS) > 0.5 * 2 / 7 * 5 / 7 * moved(1.0)


def test_a_standing_change_does_not_explain_itself() -> None:
    found, now = measured(lambda h, rng: independent(h, rng) + (h >= 14 * 24))
    # Not the quarter of its square that two halves differ by, but the days around it.
    assert 0 < shape(found, now, DAY_SECONDS) < 0.05 * moved(1.0)


def test_the_doubt_is_that_of_the_days_that_were_seen() -> None:
    found, now = measured(of_days(0.3), days=12)
    _, degrees, _ = found.at(now, np.ones(1)).of("ks_statistic", HOUR)
    # The first and the last day are left out, and one is the mean of all.
    assert degrees.tolist() == [9.0]


def test_dependence_is_known_after_a_week_of_whole_days() -> None:
    found, _ = measured(independent, days=10)
    known = [found.is_known(day * DAY_SECONDS) for day in (1, 7, 7.9, 8, 10)]
    assert known == [False, False, False, True, True]


def test_what_requests_explain_is_not_explained_by_time_as_well() -> None:
    def alike(hours: Floats, rng: np.random.Generator) -> Floats:
        return np.repeat(rng.normal(size=len(hours) // 10), 10)

    found, now = measured(alike, seed=3)
    assert shape(found, now, HOUR) == pytest.approx(9 / ROWS, rel=0.25)
    found, now = measured(alike, seed=3)
    assert shape(found, now, HOUR, effect=10.0) == 0.0


def test_rows_that_follow_each_other_have_the_variance_of_their_means() -> None:
    def ar(hours: Floats, rng: np.random.Generator) -> Floats:
        rho = 0.95
        noise = rng.normal(size=len(hours)) * math.sqrt(1 - rho**2)
        noise[0] = rng.normal()
        return np.asarray(lfilter([1], [1, -rho], noise))

    (found, now) = measured(ar, seed=4)
    x = ar(np.zeros(2000 * ROWS), np.random.default_rng(5)).reshape(-1, ROWS)
    grid = norm.ppf(np.arange(1, 10) / 10)
    f = np.arange(1, 10) / 10
    gaps = ((x[:, :, None] < grid).mean(axis=1) - f) ** 2
    true = gaps.mean(axis=0).sum() / (f * (1 - f)).sum() - 1 / ROWS
    assert shape(found, now, HOUR) == pytest.approx(true, rel=0.25)


def test_a_reference_of_some_hours_is_one_more_stretch() -> None:
    night = lambda h, rng: independent(h, rng) + 1.5 * (h % 24 < 7)  # noqa: E731
    of_weeks, now = measured(night, seed=1)
    learned, _ = measured(night, seed=1, seconds=3 * HOUR)
    hour = shape(of_weeks, now, HOUR)
    assert shape(learned, now, DAY_SECONDS) == pytest.approx(hour)
    assert shape(learned, now, HOUR) == pytest.approx(2 * hour)


def test_the_mean_of_a_value_varies_as_its_days_do() -> None:
    rng = np.random.default_rng(0)
    days, rows, values = 60, 2000, np.array([0.0, 1.0, 4.0])
    shares = np.array([0.5, 0.3, 0.2])
    variance = float(shares @ values**2 - (shares @ values) ** 2)
    tilt = 0.05 * rng.normal(size=days)[:, None] * np.array([-1.0, 0.0, 1.0])
    counts = np.array([rng.multinomial(rows, each) for each in shares + tilt])
    sides = Sides(counts, counts.sum(axis=0) - counts)
    found = mean_scatters(sides, days, {"loss": values, "none": np.ones(3)})
    # The mean moves by 4 times the tilt.
    assert found["loss"].variance == pytest.approx((4 * 0.05) ** 2 / variance, rel=0.3)
    still = rng.multinomial(rows, shares, size=days)
    assert mean_scatters(Sides(still, still.sum(axis=0) - still), days, {"loss": values}) == {}
    assert "none" not in found
