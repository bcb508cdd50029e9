"""Version against version: how much better or worse than the champion the others are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

from .outcome_readings import SliceReadings
from .quality import Quality, qualities_of
from .quality_thresholds import LOSS_FLOOR, SHARES
from .records import Readings
from .slices import SliceSums


def differences(champion: SliceReadings, challenger: SliceReadings) -> Iterator[Readings]:
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
            ours, theirs, noise = _compared(quality, *sides)
            floor = settled.policy.share_floor if name in SHARES else LOSS_FLOOR * ours
            bar = max(z * noise, floor)
            yield Readings(f"mlmon_quality_{name}_difference", names, labels, [theirs - ours])
            yield Readings(f"mlmon_quality_{name}_difference_threshold", names, labels, [bar])


def _compared(quality: Quality, *sides: SliceSums) -> tuple[float, float, float]:
    """Return the quality of all rows on both sides, and the standard error of its difference."""
    ours, theirs = (float(quality.of(side)[0]) for side in sides)
    errors = [float(quality.error(side)[0]) for side in sides] if quality.error else [math.nan]
    return ours, theirs, math.hypot(*errors)
