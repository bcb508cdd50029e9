"""Facts about versions side by side: alike ones keep to their thresholds, however few the rows."""

from __future__ import annotations

import math
from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest

from mlmon_exporter.core.outcomes.differences import compared
from mlmon_exporter.core.outcomes.quality import QUALITY, qualities_of
from mlmon_exporter.core.outcomes.task import OutcomeRows

from .test_thresholds import classified, reference_of, window_of


def rarely_positive(rng: np.random.Generator, n: int) -> OutcomeRows:
    """Calibrated probabilities, of which few are great: 15 in 1000 come true."""
    p = rng.beta(0.3, 20, n)
    return OutcomeRows((rng.random(n) < p).astype(float), (p >= 0.5).astype(float), p[:, None])


@pytest.mark.parametrize("challenger_rows", [100, 1000])
@pytest.mark.slow
def test_alike_versions_of_unlike_traffic_raise_at_most_the_promised_alarms(
    challenger_rows: int,
) -> None:
    rng, level = np.random.default_rng(challenger_rows), 0.01
    outcomes, _ = reference_of(rarely_positive(rng, 3000))
    z, counts = NormalDist().inv_cdf(1 - level / 2), Counter[str]()
    for _ in range(500):
        sides = [window_of(outcomes, rarely_positive(rng, n)) for n in (2000, challenger_rows)]
        for name, quality in qualities_of(outcomes.task).items():
            if quality.error is not None:
                ours, theirs, noise = compared(quality, *sides)
                counts[name] += abs(theirs - ours) > z * noise
    # Five are expected of 500; 14 come once in 3000 times.
    assert max(counts.values()) <= 14, counts


def test_without_ten_rows_of_each_class_areas_have_no_noise() -> None:
    rng = np.random.default_rng(0)
    outcomes, _ = reference_of(classified(rng, 2000))
    many, rows = window_of(outcomes, classified(rng, 2000)), classified(rng, 200)
    for positives in (9, 10):
        truth = np.where(np.arange(200) < positives, 1.0, 0.0)
        few = window_of(outcomes, OutcomeRows(truth, rows.predicted, rows.scores))
        *_, noise = compared(QUALITY["roc_auc"], many, few)
        assert math.isnan(noise) == (positives < 10)


def test_the_luck_of_time_is_noise_of_both_sides() -> None:
    rng, quality = np.random.default_rng(0), QUALITY["accuracy"]
    outcomes, _ = reference_of(classified(rng, 2000))
    sides = [window_of(outcomes, classified(rng, rows)) for rows in (2000, 300)]
    *_, own = compared(quality, *sides)
    *_, more = compared(quality, *sides, natural=0.01)
    shares = [float(side["correct"][0] / side["rows"][0]) for side in sides]
    assert more**2 - own**2 == pytest.approx(0.01 * sum(p * (1 - p) for p in shares), rel=0.02)
