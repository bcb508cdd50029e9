"""Coverage: the share of predictions whose ground truth came.

Where it differs between predicted classes, quality is that of the outcomes that came, not of the
model: defaults are known early, good loans at their end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mlmon_exporter.core.labels import distinct_labels
from mlmon_exporter.core.profile.bins import OTHER
from mlmon_exporter.core.stats.shares import effective, least_ratio

from .tallies import SegmentSums
from .task import CLASSIFICATION

ALL_CLASSES = ""
"""Name of all predictions together."""


class Coverage(NamedTuple):
    """Shares of a window's predictions whose ground truth came."""

    ratios: Mapping[str, float]
    """Predicted class, or `ALL_CLASSES`, -> share, 0 to 1; absent without any."""
    parity: float
    """Least ratio of the shares of two classes that differ by more than chance; 1 if none do.

    NaN where fewer than two classes have rows enough."""


def coverage(
    sums: SegmentSums, min_rows: int, level: float, natural: float = 0.0
) -> Coverage | None:
    """Return the coverage of a window; None without outcomes, and of a regression.

    Args:
        sums: Sums of the window.
        min_rows: Rows from which a class is compared.
        level: Probability that classes of one coverage differ by chance.
        natural: Natural variance of a share over the time of the window, beside 1 / rows.
    """
    task = sums.layout.task
    if task.kind != CLASSIFICATION or not sums["rows"][0]:
        return None
    # All classes that are not known are one.
    places = [*range(len(task.classes) + 1)]
    made, came = (np.add.reduceat(sums.each(name)[0], places) for name in ("made", "predicted"))
    # Of rows that an older release counted, the outcomes alone are known.
    made = np.maximum(made, came)
    names = (*distinct_labels(task.classes, reserved=(ALL_CLASSES, OTHER)), OTHER)
    ratios = {ALL_CLASSES: float(came.sum() / made.sum())}
    ratios |= {
        name: float(share / rows)
        for name, rows, share in zip(names, made, came, strict=True)
        if rows
    }
    is_large = made >= min_rows
    hits, rows = effective(came[is_large], made[is_large], natural)
    return Coverage(ratios, least_ratio(hits, rows, level))
