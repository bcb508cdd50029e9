"""Version against version: how much better or worse than the champion the others are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from mlmon_exporter.core.records import Readings

from .quality import QUALITY, Quality, qualities_of
from .readings import QualityReadings
from .tallies import SegmentSums
from .thresholds import LEAST_OF_CLASS, LOSS_FLOOR, SHARES


def differences(champion: QualityReadings, challenger: QualityReadings) -> Iterator[Readings]:
    """Give the deciding qualities of all rows of a challenger less those of the champion.

    For each window; and how far apart chance alone brings two versions that are alike.
    """
    settled = challenger.settled
    names = ("model", "version", "window")
    for k in sorted(champion.sums.keys() & challenger.sums.keys()):
        sides = champion.sums[k], challenger.sums[k]
        if min(side["rows"][0] for side in sides) < settled.policy.min_window_rows:
            continue
        z = NormalDist().inv_cdf(1 - settled.level(k) / 2)
        labels = ((settled.model, settled.version, settled.windows[k].label),)
        for name, quality in qualities_of(sides[0].layout.task).items():
            if quality.error is None:
                continue
            ours, theirs, noise = compared(quality, *sides)
            floor = settled.policy.share_floor if name in SHARES else LOSS_FLOOR * ours
            bar = max(z * noise, floor)
            yield Readings(f"mlmon_quality_{name}_difference", names, labels, [theirs - ours])
            yield Readings(f"mlmon_quality_{name}_difference_threshold", names, labels, [bar])


def compared(quality: Quality, *sides: SegmentSums) -> tuple[float, float, float]:
    """Return the quality of all rows on both sides, and the standard error of its difference.

    NaN where the rows do not say.
    """
    ours, theirs = (float(quality.of(side)[0]) for side in sides)
    return ours, theirs, _noise(quality, sides)


def _noise(quality: Quality, sides: Sequence[SegmentSums]) -> float:
    if quality.error is None:
        return math.nan
    errors = [float(quality.error(side)[0]) for side in sides]
    own = math.hypot(*errors)
    if quality is QUALITY["roc_auc"]:
        return own if all(map(_has_both_classes, sides)) else math.nan
    # Versions that are alike have one variance, and a few rows alone do not tell it as long as
    # what is rare has not come.
    rows = [float(side["scored" if quality.needs_scores else "rows"][0]) for side in sides]
    if not all(rows):
        return math.nan
    variance = sum(n * n * error * error for n, error in zip(rows, errors, strict=True)) / sum(rows)
    return max(own, math.sqrt(variance * sum(1 / n for n in rows)))


def _has_both_classes(side: SegmentSums) -> bool:
    return bool(side.points(0)[:, 1:].sum(axis=0).min() >= LEAST_OF_CLASS)
