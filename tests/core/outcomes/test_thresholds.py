"""Facts about thresholds of quality: unchanged windows keep to them, worse ones do not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from mlmon_exporter.core.outcomes.losses import LEAST_PROBABILITY
from mlmon_exporter.core.outcomes.quality import QUALITY, quality
from mlmon_exporter.core.outcomes.readings import ReferenceOutcomes
from mlmon_exporter.core.outcomes.scored_rows import scored_rows, tally_outcomes
from mlmon_exporter.core.outcomes.scorer import OutcomeScorer, outcome_scorer
from mlmon_exporter.core.outcomes.tallies import SegmentSums
from mlmon_exporter.core.outcomes.task import OutcomeRows
from mlmon_exporter.core.outcomes.thresholds import (
    LossLaw,
    TimeVariance,
    quality_thresholds,
    worst_share,
)
from mlmon_exporter.core.settings import ModelSettings, Policy
from mlmon_exporter.core.stats import roc
from mlmon_exporter.core.stats.thresholds import chance_share, whole_steps
from mlmon_exporter.reference.reference import Reference

Generator = np.random.Generator
Generate = Callable[..., OutcomeRows]
PAID, FREE = 1, 2
"""Slices: those of the plan's values, most frequent first, come after that of all rows."""
# Without floors, so that chance alone decides.
CHANCE_ONLY = Policy(share_floor=0.0)


def classified(rng: Generator, n: int, worse: float = 0.0) -> OutcomeRows:
    """Calibrated probabilities, mostly sure; of a share the outcome is turned round."""
    p = rng.beta(0.4, 1.2, n)
    y = (rng.random(n) < p) ^ (rng.random(n) < worse)
    return OutcomeRows(y.astype(float), (p >= 0.5).astype(float), p[:, None])


def measured(rng: Generator, n: int, worse: float = 0.0) -> OutcomeRows:
    """Numbers with errors that have a long tail."""
    y = rng.gamma(2.0, 50.0, n)
    guess = y + rng.standard_t(4, n) * 10 * (1 + worse)
    return OutcomeRows(y, guess, np.empty((n, 0)))


def mostly_undecided(rng: Generator, n: int) -> tuple[OutcomeRows, NDArray[np.bool_]]:
    """Calibrated probabilities, and which tenth of the rows hardly ever comes true."""
    is_free = rng.random(n) < 0.1
    p = np.where(is_free, 0.02, rng.uniform(0.3, 0.7, n))
    y = rng.random(n) < p
    return OutcomeRows(y.astype(float), (p >= 0.5).astype(float), p[:, None]), is_free


def reference_of(
    rows: OutcomeRows, plan: NDArray[np.bool_] | None = None
) -> tuple[OutcomeScorer, ReferenceOutcomes]:
    data = {"p": rows.scores[:, 0] if rows.scores.size else rows.predicted, "y": rows.truth}
    if plan is None:
        built = Reference.build(data, predictions="p", ground_truth="y")
    else:
        plans = np.where(plan, "free", "paid")
        built = Reference.build(
            data | {"plan": plans}, predictions="p", ground_truth="y", segments=["plan"]
        )
    made = built.for_model("")
    outcomes = outcome_scorer(ModelSettings("m"), made)
    assert outcomes is not None
    assert outcomes.reference is not None
    assert made.outcomes is not None
    sums = SegmentSums(outcomes.layout, outcomes.reference)
    return outcomes, ReferenceOutcomes(sums, made.outcomes.residuals)


def window_of(
    outcomes: OutcomeScorer, rows: OutcomeRows, plan: NDArray[np.bool_] | None = None
) -> SegmentSums:
    which = np.zeros((1, len(rows.truth)), dtype=np.intp)
    if plan is not None:
        which = np.stack([which[0], np.where(plan, FREE, PAID)])
    scored = scored_rows(outcomes.layout, rows)
    return SegmentSums(outcomes.layout, tally_outcomes(outcomes.layout, scored, which))


def alarms(
    outcomes: OutcomeScorer,
    reference: ReferenceOutcomes,
    rows: OutcomeRows,
    level: float,
    policy: Policy = CHANCE_ONLY,
) -> set[str]:
    """The qualities that are on the wrong side of their threshold."""
    window = window_of(outcomes, rows)
    found = quality(window)
    bars = quality_thresholds(reference.sums, window, reference.laws, policy, level)
    return {name for name, bar in bars.items() if QUALITY[name].sign * (found[name] - bar)[0] < 0}


@pytest.mark.parametrize("generate", [classified, measured], ids=["classes", "numbers"])
@pytest.mark.parametrize(("reference_rows", "window_rows"), [(2000, 100), (2000, 2000), (500, 400)])
@pytest.mark.slow
def test_unchanged_windows_raise_at_most_the_promised_alarms(
    generate: Generate, reference_rows: int, window_rows: int
) -> None:
    rng, level, windows = np.random.default_rng(reference_rows + window_rows), 0.01, 25
    counts: Counter[str] = Counter()
    # The reference is noise, too: what is promised is promised over references.
    for _ in range(40):
        outcomes, reference = reference_of(generate(rng, reference_rows))
        for _ in range(windows):
            counts.update(alarms(outcomes, reference, generate(rng, window_rows), level))
    # With 1000 windows and a level of 1 %, 10 are expected; 21 come once in 700 times. Windows
    # of one reference are not independent, so there may be some more.
    assert max(counts.values(), default=0) <= 25, counts


@pytest.mark.slow
def test_a_segment_of_rare_losses_raises_at_most_the_promised_alarms() -> None:
    rng, level, windows = np.random.default_rng(5), 0.01, 25
    counts: Counter[str] = Counter()
    for _ in range(40):
        rows, plan = mostly_undecided(rng, 5000)
        outcomes, reference = reference_of(rows, plan=plan)
        for _ in range(windows):
            window = window_of(outcomes, *mostly_undecided(rng, 2000))
            bars = quality_thresholds(reference.sums, window, reference.laws, CHANCE_ONLY, level)
            worse = (name for name in bars if (quality(window)[name] > bars[name])[FREE])
            counts.update({*worse} & {"log_loss", "brier"})
    assert max(counts.values(), default=0) <= 25, counts


@pytest.mark.parametrize(
    ("generate", "worse", "seen"),
    [(classified, 0.1, {"accuracy", "roc_auc", "log_loss", "brier"}), (measured, 0.5, {"mae"})],
    ids=["classes", "numbers"],
)
def test_a_worse_model_is_seen(generate: Generate, worse: float, seen: set[str]) -> None:
    rng = np.random.default_rng(0)
    outcomes, reference = reference_of(generate(rng, 5000))
    assert alarms(outcomes, reference, generate(rng, 3000, worse), 1e-6, Policy()) >= seen


@pytest.mark.slow
def test_what_is_too_little_to_matter_raises_nothing() -> None:
    rng = np.random.default_rng(1)
    outcomes, reference = reference_of(classified(rng, 50_000))
    rows = classified(rng, 400_000, worse=0.012)
    assert "accuracy" in alarms(outcomes, reference, rows, 1e-4)
    assert "accuracy" not in alarms(outcomes, reference, rows, 1e-4, Policy())


def test_a_perfect_reference_leaves_room_for_a_mistake() -> None:
    p = np.tile([0.0, 1.0], 500)
    perfect = OutcomeRows(p, p, p[:, None])
    outcomes, reference = reference_of(perfect)
    truth = p[:200].copy()
    truth[0] = 1.0
    one_wrong = OutcomeRows(truth, p[:200], np.clip(p[:200, None], 0.01, 0.99))
    assert not {"accuracy", "roc_auc"} & alarms(outcomes, reference, one_wrong, 1e-4)


@pytest.mark.parametrize("level", [0.05, 1e-3, 1e-6])
def test_the_law_of_a_mean_is_near_the_normal_where_rows_are_many(level: float) -> None:
    values = np.abs(np.random.default_rng(3).normal(size=20_000)) + 1
    law, n = LossLaw(values, np.ones(len(values))), 5000
    exact = 1 + norm.isf(level) * values.std() / np.sqrt(n) / values.mean()
    worst = law.worst_ratio(1 / n, level)
    # Chernoff's bound is on the safe side, by as much as the factor before the exponential.
    assert exact <= worst <= 1 + 1.6 * (exact - 1)


def test_the_law_of_equal_losses_is_unknown() -> None:
    assert np.isnan(LossLaw(np.full(5, 2.0), np.ones(5)).worst_ratio(0.1, 0.01))
    assert np.isnan(LossLaw(np.zeros(5), np.ones(5)).worst_ratio(0.1, 0.01))
    assert LossLaw(np.array([0, -np.log(LEAST_PROBABILITY)]), np.array([9.0, 1])).mean > 3


def rare(rng: Generator, n: int, positives: int, *, is_noise: bool = False) -> OutcomeRows:
    """Rows of which few are positive; their scores are higher unless they are noise."""
    y = np.zeros(n)
    y[:positives] = 1
    odds = rng.normal(size=n) + (0.0 if is_noise else 2.5) * y
    p = 1 / (1 + np.exp(8 - 1.5 * odds))
    return OutcomeRows(y, np.zeros(n), p[:, None])


def area_bar(reference: ReferenceOutcomes, window: SegmentSums, level: float, **more: Any) -> float:
    bars = quality_thresholds(reference.sums, window, reference.laws, CHANCE_ONLY, level, **more)
    return float(bars["roc_auc"][0])


@pytest.mark.parametrize("positives", [1, 3, 8])
@pytest.mark.slow
def test_an_area_of_few_positives_is_under_its_threshold_as_seldom_as_promised(
    positives: int,
) -> None:
    rng, level, fails, windows = np.random.default_rng(positives), 0.02, 0, 50
    for _ in range(30):
        outcomes, reference = reference_of(rare(rng, 6000, 60))
        for _ in range(windows):
            window = window_of(outcomes, rare(rng, 400, positives))
            area = quality(window)["roc_auc"][0]
            fails += area < area_bar(reference, window, level)
    assert fails <= 30 * windows * level


def test_noise_is_seen_by_few_positives_and_one_tells_nothing_of_a_small_reference() -> None:
    rng = np.random.default_rng(9)
    outcomes, reference = reference_of(rare(rng, 100_000, 500))
    seen = 0
    for _ in range(20):
        window = window_of(outcomes, rare(rng, 4000, 8, is_noise=True))
        seen += quality(window)["roc_auc"][0] < area_bar(reference, window, 1e-5)
    assert seen >= 15
    outcomes, reference = reference_of(rare(rng, 6000, 20))
    assert area_bar(reference, window_of(outcomes, rare(rng, 4000, 1)), 1e-4) == 0.0


def test_without_a_row_of_each_class_there_is_no_threshold_of_the_area() -> None:
    rng = np.random.default_rng(10)
    outcomes, reference = reference_of(rare(rng, 6000, 60))
    assert np.isnan(area_bar(reference, window_of(outcomes, rare(rng, 400, 0)), 0.01))
    outcomes, reference = reference_of(rare(rng, 6000, 9))
    assert np.isnan(area_bar(reference, window_of(outcomes, rare(rng, 400, 40)), 0.01))


def test_natural_variance_takes_the_place_of_rows() -> None:
    rng, level = np.random.default_rng(11), 1e-4
    outcomes, reference = reference_of(classified(rng, 5000))
    window = window_of(outcomes, classified(rng, 2000))
    time = TimeVariance(window=1 / 1000, reference=1 / 20_000)
    variances = dict.fromkeys(("accuracy", "roc_auc", "log_loss"), time)
    bars = quality_thresholds(reference.sums, window, reference.laws, CHANCE_ONLY, level, variances)
    # As 4000 rows of a reference, and as 666 of a window.
    wrong = reference.sums["rows"][0] - reference.sums["correct"][0]
    fewer = chance_share(math.ceil(wrong * 4000 / 5000), 4000, whole_steps(666), level)
    noise, share = 1 / 5000 + 1 / 2000 + time.both, wrong / 5000
    shared = worst_share(share, noise, level)
    assert bars["accuracy"][0] == pytest.approx(1 - max(fewer, shared))
    law, loss = reference.laws["log_loss"], reference.quality["log_loss"][0]
    worst = max(law.worst_ratio(noise, level), law.worst_ratio_in_time(noise, level))
    assert bars["log_loss"][0] == pytest.approx(loss * worst)
    # DeLong's error on the scale of log odds, grown by as much as a row's variance is of it.
    points = reference.sums.points(0)
    area, n = roc.area(points), points[:, 1:].sum(axis=0)
    m = window.points(0)[:, 1:].sum(axis=0)
    parts = np.array(roc.area_variance(points))
    error = math.sqrt((parts * (1 / n + 1 / m + time.both * n.sum() / n)).sum())
    odds = math.log(area / (1 - area)) - norm.isf(level) * error / (area * (1 - area))
    assert bars["roc_auc"][0] == pytest.approx(1 / (1 + math.exp(-odds)), abs=1e-3)


@pytest.mark.parametrize("spread", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("usual", [-0.8, 0.0, 0.8])
def test_the_worst_share_is_that_of_rows_whose_luck_is_a_latent_normal_number(
    spread: float, usual: float
) -> None:
    luck = norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    shares = norm.cdf(usual + spread * luck)
    usual_share = float(shares.mean())
    noise = float(shares.var()) / (usual_share * (1 - usual_share))
    for level in (1e-2, 1e-4):
        exact = norm.cdf(usual + spread * norm.isf(level))
        found = worst_share(usual_share, noise, level)
        assert found == pytest.approx(exact, rel=0.08)
    assert worst_share(0.2, 0.0, 1e-4) == pytest.approx(0.2)
    assert (worst_share(0.0, 0.1, 1e-4), worst_share(1.0, 0.1, 1e-4)) == (0.0, 1.0)


def test_the_worst_loss_in_time_is_that_of_a_loss_whose_logarithm_is_normal() -> None:
    law = LossLaw(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    # The mean of a day is twice the usual at two standard deviations of its logarithm.
    deviation = math.log(2) / 2
    noise = (deviation * law.mean / law.spread) ** 2
    assert law.worst_ratio_in_time(noise, float(norm.sf(2.0))) == pytest.approx(2.0)
