"""Facts about how quality varies in unchanged time, against scikit-learn and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from mlmon_exporter.core.outcomes.reference import OutcomeReference
from mlmon_exporter.core.outcomes.task import OutcomeRows
from mlmon_exporter.core.outcomes.variation import row_values
from mlmon_exporter.core.stats.roc import area_error
from mlmon_exporter.reference.reference import Reference
from tests.soak.luck import DAY, Rows, reference_of, rows_of, run, worse

from .test_reference import outcome_scorer, sums

Floats = NDArray[np.float64]


def outcome_rows(rows: Rows) -> OutcomeRows:
    return OutcomeRows(rows.y, (rows.p >= 0.5).astype(float), rows.p[:, None])


def outcomes_of(rows: Rows) -> OutcomeReference:
    return outcome_scorer(reference_of(rows))


def test_the_means_of_row_values_are_scikit_learns_and_their_errors_the_windows() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of("iid", 10.0, 500.0, rng)
    reference = reference_of(rows)
    values = row_values(outcome_rows(rows), sums(reference))
    assert values["accuracy"].mean() == pytest.approx(metrics.accuracy_score(rows.y, rows.p >= 0.5))
    assert values["log_loss"].mean() == pytest.approx(metrics.log_loss(rows.y, rows.p))
    assert values["brier"].mean() == pytest.approx(metrics.brier_score_loss(rows.y, rows.p))
    assert values["roc_auc"].mean() == pytest.approx(0.0, abs=3e-4)
    error = values["roc_auc"].std() / math.sqrt(len(rows.p))
    assert error == pytest.approx(area_error(sums(reference).points(0)), rel=1e-3)


def test_the_area_of_a_stretch_is_that_of_all_rows_plus_the_mean_of_its_values() -> None:
    rng = np.random.default_rng(1)
    rows = rows_of("iid", 40.0, 500.0, rng)
    values = row_values(outcome_rows(rows), sums(reference_of(rows)))["roc_auc"]
    whole = metrics.roc_auc_score(rows.y, rows.p)
    some = rows.times < 4 * DAY
    exact = metrics.roc_auc_score(rows.y[some], rows.p[some])
    assert whole + values[some].mean() == pytest.approx(exact, abs=0.1 * abs(exact - whole) + 1e-3)


def test_independent_outcomes_have_no_variation() -> None:
    found = 0
    for seed in range(3):
        rows = rows_of("iid", 20.0, 500.0, np.random.default_rng(seed))
        residuals = outcomes_of(rows).residuals
        assert residuals is not None
        assert {3600.0, DAY} <= set(residuals.variation)
        found += sum(map(len, residuals.variation.values()))
    # Beyond four standard deviations of independent rows; a chi-square law's tail is longer.
    assert found <= 2


def test_the_variation_of_days_is_that_between_their_qualities() -> None:
    rows = rows_of("day", 200.0, 500.0, np.random.default_rng(3))
    residuals = outcomes_of(rows).residuals
    assert residuals is not None
    right = (rows.p >= 0.5) == rows.y
    day = (rows.times // DAY).astype(int)
    shares = np.bincount(day, right) / np.bincount(day)
    p = right.mean()
    between = ((shares - p) ** 2 - p * (1 - p) / np.bincount(day)).mean() / (p * (1 - p))
    found = residuals.variation[DAY]["accuracy"]
    assert found.variance == pytest.approx(between, rel=0.1)
    assert found.degrees == pytest.approx(200, abs=1)
    assert {"log_loss", "brier", "ks_statistic"} <= set(residuals.variation[DAY])


def test_a_regressions_losses_vary_as_its_days_do() -> None:
    rng = np.random.default_rng(4)
    times = np.sort(rng.uniform(0, 100 * DAY, 40_000))
    scale = np.exp(0.4 * rng.normal(size=100))[(times // DAY).astype(int)]
    truth = rng.gamma(2.0, 50.0, len(times))
    guess = truth + scale * rng.normal(size=len(times))
    data = {"at": times, "guess": guess, "y": truth}
    built = Reference.build(data, predictions="guess", ground_truth="y", time_column="at")
    residuals = outcome_scorer(built).residuals
    assert residuals is not None
    errors = np.abs(guess - truth)
    day = (times // DAY).astype(int)
    rows = np.bincount(day)
    means = np.bincount(day, errors) / rows
    between = (((means - errors.mean()) ** 2) / errors.var() - 1 / rows).mean()
    assert residuals.variation[DAY]["mae"].variance == pytest.approx(between, rel=0.1)
    assert "rmse" in residuals.variation[DAY]


def test_a_file_holds_the_variation() -> None:
    built = reference_of(rows_of("day", 60.0, 500.0, np.random.default_rng(5)))
    ours = outcome_scorer(built).residuals
    read = outcome_scorer(Reference.from_bytes(built.to_bytes())).residuals
    assert ours is not None
    assert read is not None
    assert "accuracy" in ours.variation[DAY]
    assert read.variation == ours.variation


def test_times_that_are_all_one_or_none_leave_rows_independent() -> None:
    rows = rows_of("iid", 2.0, 500.0, np.random.default_rng(6))
    once = outcomes_of(rows._replace(times=np.full(len(rows.p), 5.0))).residuals
    assert once is not None
    assert not once.variation


@pytest.mark.parametrize("kind", ["ar.99", "day", "hour"])
@pytest.mark.slow
def test_shared_luck_raises_no_verdict_and_untimed_it_would(kind: str) -> None:
    rng = np.random.default_rng(7)
    past, now = rows_of(kind, 30.0, 1000.0, rng), rows_of(kind, 15.0, 1000.0, rng)
    assert run(reference_of(past), now).rises <= 1
    if kind == "ar.99":
        untimed = reference_of(past, is_timed=False)
        # As independent rows would vary: an alarm more often than is promised for a month.
        assert run(untimed, now, is_known=False).rises > 1
        # Live traffic shows it, in a week.
        assert run(untimed, now).rises <= 1


@pytest.mark.slow
def test_a_worse_model_is_seen_as_soon_as_without_times_where_outcomes_are_independent() -> None:
    rng = np.random.default_rng(8)
    past = rows_of("iid", 20.0, 1000.0, rng)
    rows = worse(rows_of("iid", 5.0, 1000.0, rng), 0.3, 3 * DAY, rng)
    timed = run(reference_of(past), rows, since=3 * DAY)
    untimed = run(reference_of(past, is_timed=False), rows, since=3 * DAY, is_known=False)
    assert timed.first is not None
    assert timed.first == untimed.first
