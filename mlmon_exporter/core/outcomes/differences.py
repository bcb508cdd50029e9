"""Quality of a version compared with the champion's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from mlmon_exporter.core.drift.context import WINDOW_LABELS
from mlmon_exporter.core.records import Readings

from .quality import QUALITY, Quality, qualities_of
from .readings import QualityReadings
from .tallies import SegmentSums
from .thresholds import LEAST_OF_CLASS, LOSS_FLOOR, NO_VARIANCE, SHARES


def differences(
    champion: QualityReadings, challenger: QualityReadings, _now: float
) -> Iterator[Readings]:
    """Give the deciding qualities of all rows of a challenger less those of the champion.

    They are of the windows that both have last read. Also, for each window, the difference that
    chance alone makes between two equal versions.
    """
    context = challenger.context
    for k, sides in enumerate(zip(champion.sums, challenger.sums, strict=False)):
        if min(side["rows"][0] for side in sides) < context.policy.min_window_rows:
            continue
        z = NormalDist().inv_cdf(1 - context.level(k) / 2)
        labels = context.window_labels[k]
        for name, quality in qualities_of(sides[0].layout.task).items():
            if quality.error is None:
                continue
            natural = challenger.variances(k).get(name, NO_VARIANCE).window
            ours, theirs, noise = compared(quality, *sides, natural=natural)
            floor = context.policy.share_floor if name in SHARES else LOSS_FLOOR * ours
            bar, metric = max(z * noise, floor), f"mlmon_quality_{name}_difference"
            yield Readings(metric, WINDOW_LABELS, labels, [theirs - ours])
            yield Readings(f"{metric}_threshold", WINDOW_LABELS, labels, [bar])


def compared(
    quality: Quality, *sides: SegmentSums, natural: float = 0.0
) -> tuple[float, float, float]:
    """Return the quality of all rows on both sides, and the standard error of its difference.

    NaN where the rows are too few.

    Args:
        quality: The quality.
        sides: Sums of two versions.
        natural: Natural variance of the quality, in variances of a row's value: the rows of two
            versions are others, and each version may have had its own bad hours.
    """
    ours, theirs = (float(quality.of(side)[0]) for side in sides)
    return ours, theirs, math.hypot(_noise(quality, sides), _of_time(quality, sides, natural))


def _of_time(quality: Quality, sides: Sequence[SegmentSums], natural: float) -> float:
    if quality.error is None or not natural:
        return 0.0
    errors = (float(quality.error(side)[0]) for side in sides)
    each = zip(sides, errors, strict=True)
    return math.sqrt(natural * sum(_rows(quality, side) * error**2 for side, error in each))


def _rows(quality: Quality, side: SegmentSums) -> float:
    return float(side["scored" if quality.needs_scores else "rows"][0])


def _noise(quality: Quality, sides: Sequence[SegmentSums]) -> float:
    if quality.error is None:
        return math.nan
    errors = [float(quality.error(side)[0]) for side in sides]
    own = math.hypot(*errors)
    if quality is QUALITY["roc_auc"]:
        return own if all(map(_has_both_classes, sides)) else math.nan
    # Equal versions have one variance, and a few rows alone do not show it before the rare
    # outcomes have come.
    rows = [_rows(quality, side) for side in sides]
    if not all(rows):
        return math.nan
    variance = sum(n * n * error * error for n, error in zip(rows, errors, strict=True)) / sum(rows)
    return max(own, math.sqrt(variance * sum(1 / n for n in rows)))


def _has_both_classes(side: SegmentSums) -> bool:
    return bool(side.points(0)[:, 1:].sum(axis=0).min() >= LEAST_OF_CLASS)
