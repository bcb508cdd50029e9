"""Thresholds of quality: the worst that it becomes by chance, at a level.

The noise of both the window's and the reference's rows counts, and by how much unchanged time
varies beyond that. A quality beyond its threshold is worse by more than both, and by enough to
matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.settings import Policy
from mlmon_exporter.core.stats import roc
from mlmon_exporter.core.stats.thresholds import chance_share, whole_steps

from .quality import Quality, qualities_of
from .tallies import SegmentSums
from .task import REGRESSION

Floats = NDArray[np.float64]

LOSS_FLOOR = 0.05
"""Relative rise of a loss from which it matters."""
LEAST_OF_CLASS = 10
"""Rows of each class from which the area under the curve has a normal law, and least rows of each
in the reference."""
REGRESSION_LOSSES: Mapping[str, Callable[[Floats], Floats]] = {
    "mae": np.abs,
    "rmse": lambda residuals: np.square(np.clip(residuals, -1e150, 1e150)),
}
CLASS_LOSSES: Mapping[str, Callable[[Floats], Floats]] = {
    "log_loss": lambda residuals: residuals,
    "brier": lambda residuals: np.square(-np.expm1(-residuals)),
}
"""Quality -> the loss of rows that their residuals determine."""
_TILTS = np.geomspace(1e-4, 30.0, 160)


class TimeVariance(NamedTuple):
    """Natural variance of a quality, in variances of a row's value, beside the noise 1 / rows."""

    window: float = 0.0
    reference: float = 0.0
    """Of the whole reference: the mean of its independent stretches."""

    @property
    def both(self) -> float:
        return self.window + self.reference


NO_VARIANCE = TimeVariance()
Variances = Mapping[str, TimeVariance]
"""Quality -> its natural variance; one that is not there has none."""


class LossNoise(NamedTuple):
    """By how much a loss may rise."""

    level: float
    """Probability that chance exceeds it."""
    time: TimeVariance
    floor: float
    """Relative rise from which it matters."""


class LossLaw:
    """Distribution of the mean of a loss by chance, from the reference's losses."""

    def __init__(self, values: Floats, weights: Floats) -> None:
        """Take losses of 0 or more, and the number of rows of each."""
        values, weights = values[weights > 0], weights[weights > 0]
        shares = weights / weights.sum()
        self.mean = float((values * shares).sum())
        self.spread = spread = math.sqrt(float((np.square(values - self.mean) * shares).sum()))
        self._tilts = _TILTS / spread if spread > 0 else np.empty(0)
        tilted = self._tilts[:, None] * (values - self.mean) + np.log(shares)
        peak = tilted.max(axis=1, initial=-np.inf)
        self._cumulants = peak + np.log(np.exp(tilted - peak[:, None]).sum(axis=1))

    def worst_ratio(self, noise: float, level: float) -> float:
        """Return the mean of independent rows exceeded with this probability, over the true mean.

        Args:
            noise: 1 / rows of the window + 1 / rows of the reference.
            level: The probability.

        Source: Chernoff (1952), A Measure of Asymptotic Efficiency for Tests of a Hypothesis
        Based on the Sum of Observations. It holds for losses with long tails, too.
        """
        if not len(self._tilts) or not self.mean > 0:
            return math.nan
        over = (self._cumulants - math.log(level) * noise) / self._tilts
        return 1 + float(over.min()) / self.mean

    def worst_ratio_in_time(self, noise: float, level: float) -> float:
        """Return the same for rows that share luck, whose bad hours are worse than good are good.

        The logarithm of the mean is taken as normal; see `worst_share`.
        """
        if not self.mean > 0:
            return math.nan
        z = NormalDist().inv_cdf(1 - level)
        return math.exp(min(z * math.sqrt(noise) * self.spread / self.mean, 700.0))


def worst_share(share: float, noise: float, level: float) -> float:
    """Return the share that rows which share luck exceed with this probability, 0 to 1.

    The log odds are taken as normal: luck moves all rows at once, so that a share of a fifth rises
    much further than it falls. Simulated, of a latent AR(1) of .999: days of 5.1 standard
    deviations come as often as 3.4 of a normal law, and have .70 wrong; this law gives .67.

    Args:
        share: Share that is usual, 0 to 1.
        noise: Of both sides, in variances of a row.
        level: Probability, over 0.
    """
    if not 0 < share < 1:
        return share
    error = math.sqrt(noise / (share * (1 - share)))
    odds = math.log(share / (1 - share)) + NormalDist().inv_cdf(1 - level) * error
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0


def loss_laws(residuals: ColumnReference | None, *, is_regression: bool) -> Mapping[str, LossLaw]:
    """Return the laws of the losses that a column of residuals determines, by quality."""
    if residuals is None or residuals.digest is None:
        return {}
    values, weights = residuals.digest.centroids()
    losses = REGRESSION_LOSSES if is_regression else CLASS_LOSSES
    return {name: LossLaw(loss(values), weights) for name, loss in losses.items()}


def worst_accuracy(
    reference: SegmentSums,
    current: SegmentSums,
    policy: Policy,
    level: float,
    time: TimeVariance = NO_VARIANCE,
) -> Floats:
    """Return the threshold of accuracy of each segment; NaN where a side has no rows."""
    bars = []
    wrong = reference["rows"] - reference["correct"]
    for hits, n, m in zip(wrong, reference["rows"], current["rows"], strict=True):
        if not n or not m:
            bars.append(math.nan)
            continue
        # As many independent rows would scatter alike.
        known, seen = 1 / (1 / n + time.reference), max(1 / (1 / m + time.window), 1.0)
        effective_hits = math.ceil(hits * known / n)
        chance = chance_share(effective_hits, max(int(known), 1), whole_steps(int(seen)), level)
        if time.both:
            chance = max(chance, worst_share(hits / n, 1 / n + 1 / m + time.both, level))
        bars.append(1 - min(1.0, max(chance, hits / n + policy.share_floor)))
    return np.array(bars)


def worst_roc_auc(
    reference: SegmentSums,
    current: SegmentSums,
    policy: Policy,
    level: float,
    time: TimeVariance = NO_VARIANCE,
) -> Floats:
    """Return the threshold of ROC AUC of each segment.

    NaN where the reference has fewer than `LEAST_OF_CLASS` rows of a class, the window none of
    the one, or fewer than that of both.
    """
    bars = [math.nan] * reference.layout.segment_count
    for i in range(len(bars) if reference.layout.curves == 1 else 0):
        points = reference.points(i)
        rows = current.points(i)[:, 1:].sum(axis=0)
        known = points[:, 1:].sum(axis=0)
        if min(known) < LEAST_OF_CLASS or not min(rows) or max(rows) < LEAST_OF_CLASS:
            continue
        worst = _worst_area if min(rows) >= LEAST_OF_CLASS else _worst_area_of_few
        bar = worst(points, rows, level, time.both)
        bars[i] = max(0.0, min(bar, roc.area(points) - policy.share_floor))
    return np.array(bars)


def _worst_area(points: Floats, m: Floats, level: float, natural: float) -> float:
    """Return the least area by chance of a window with many rows of each class.

    The log odds of the area are taken as normal, with their variance in the reference.
    Source: Pepe (2003), The Statistical Evaluation of Medical Tests, chapter 5.

    Args:
        points: Curve of the reference.
        m: Positives and negatives of the window.
        level: The probability.
        natural: Variance of both sides beside that of independent rows.
    """
    n = points[:, 1:].sum(axis=0)
    # Half a pair is added on both sides: a perfect area would have no noise.
    safe = (roc.area(points) * n[0] * n[1] + 0.5) / (n[0] * n[1] + 1)
    parts = np.array(roc.area_variance(points)) + safe * (1 - safe) / n
    error = math.sqrt(float((parts * (1 / n + 1 / m + natural * n.sum() / n)).sum()))
    z = NormalDist().inv_cdf(1 - level)
    odds = math.log(safe / (1 - safe)) - z * error / (safe * (1 - safe))
    return 1 / (1 + math.exp(-odds))


def _worst_area_of_few(points: Floats, m: Floats, level: float, natural: float) -> float:
    """Return the least area by chance of a window with few rows of one class.

    The area is their mean placement, the share of the other class on their right side. Its law is
    Chernoff's bound with the placements of the reference, and of one more row that is placed worst:
    so the tail is not taken to end where the reference's does. The noise of the other class and of
    time is added. Source: Pepe and Cai (2004), The Analysis of Placement Values for Evaluating
    Discriminatory Measures.

    The arguments are those of `_worst_area`.
    """
    n = points[:, 1:].sum(axis=0)
    few = int(np.argmin(m))
    other = 1 - few
    rows, others = points[:, 1 + few], points[:, 1 + other]
    misplaced = (np.cumsum(others) - others / 2) / n[other]
    losses = 1 - misplaced if few == 0 else misplaced
    law = LossLaw(np.append(losses, 1.0), np.append(rows, 1.0))
    parts = np.array(roc.area_variance(points))
    variance = parts[other] * (1 / n[other] + 1 / m[other])
    variance += natural * float((parts * n.sum() / n).sum())
    z = NormalDist().inv_cdf(1 - level)
    worst = law.mean * law.worst_ratio(1 / n[few] + 1 / m[few], level)
    return float(1 - worst - z * math.sqrt(variance))


def quality_thresholds(
    reference: SegmentSums,
    current: SegmentSums,
    laws: Mapping[str, LossLaw],
    policy: Policy,
    level: float,
    variances: Variances = MappingProxyType({}),
    floor_share: float = 1.0,
) -> dict[str, Floats]:
    """Return the threshold of each deciding quality, for each segment; NaN where unknown.

    Args:
        reference: Sums of the reference.
        current: Sums of the window, of the same layout.
        laws: Laws of the reference's losses.
        policy: Changes that matter.
        level: Probability that one test of unchanged traffic fails.
        variances: Natural variance of each quality.
        floor_share: Of the changes that matter, how much counts.
    """
    bars = {}
    policy = policy._replace(share_floor=floor_share * policy.share_floor)
    loss_floor = floor_share * LOSS_FLOOR
    for name, each in qualities_of(reference.layout.task).items():
        if each.error is None:
            continue
        time = variances.get(name, NO_VARIANCE)
        if name in SHARES:
            bars[name] = SHARES[name](reference, current, policy, level, time)
        elif name in laws:
            noise = LossNoise(level, time, loss_floor)
            bars[name] = _worst_loss(name, (reference, current), laws[name], noise)
    return bars


SHARES: Mapping[str, Callable[[SegmentSums, SegmentSums, Policy, float, TimeVariance], Floats]] = {
    "accuracy": worst_accuracy,
    "roc_auc": worst_roc_auc,
}
"""Qualities that are shares, 0 to 1 -> thresholds."""


def _worst_loss(
    name: str,
    sides: tuple[SegmentSums, SegmentSums],
    law: LossLaw,
    allowed: LossNoise,
) -> Floats:
    """Return the threshold of a loss of each segment, given reference and window."""
    reference, current = sides
    is_regression = reference.layout.task.kind == REGRESSION
    rows = reference["rows" if is_regression else "scored"]
    of_window = current["rows" if is_regression else "scored"]
    quality = qualities_of(reference.layout.task)[name]
    values, spread = quality.of(reference), _spread(quality, reference, rows)
    bars = []
    for value, more, n, m in zip(values, spread, rows, of_window, strict=True):
        noise = more * (1 / n + 1 / m + allowed.time.both) if n and m else math.nan
        worst = law.worst_ratio(noise, allowed.level)
        if allowed.time.both:
            worst = max(worst, law.worst_ratio_in_time(noise, allowed.level))
        # The law is that of the mean square; the quality is its root.
        bars.append(value * max(math.sqrt(worst) if name == "rmse" else worst, 1 + allowed.floor))
    return np.array(bars)


def _spread(quality: Quality, reference: SegmentSums, rows: Floats) -> Floats:
    """Return the relative variance of the loss in each segment over that in all rows.

    1 or more: the law is that of all rows, which may have rare losses that a small segment lacks.
    """
    if quality.error is None:
        return np.ones(len(rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = rows * np.square(quality.error(reference) / quality.of(reference))
        return np.asarray(np.fmax(variance / variance[0], 1.0))


def count_thresholds(reference: SegmentSums) -> int:
    """Return the number of tests of quality, for one window."""
    deciding = [q for q in qualities_of(reference.layout.task).values() if q.error is not None]
    return len(deciding) * int(np.count_nonzero(reference["rows"]))
