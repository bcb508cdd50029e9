"""Column-wise numbers one by one, for those who look at a few."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .records import Histograms, Reading, Readings


def flat(block: Readings | Histograms) -> Iterator[Reading]:
    """Give each number with its labels; histograms bucket by bucket, cumulative."""
    names = block.label_names
    if isinstance(block, Readings):
        for labels, value in zip(block.labels, block.values, strict=True):
            if value == value:
                yield Reading(block.name, dict(zip(names, labels, strict=True)), float(value))
        return
    rows = zip(block.labels, block.bounds, block.counts, block.sums, strict=True)
    for labels, bounds, counts, total in rows:
        named = dict(zip(names, labels, strict=True))
        below = np.cumsum(np.asarray(counts)).tolist()
        for bound, count in zip((*bounds, float("inf")), below, strict=True):
            yield Reading(f"{block.name}_bucket", {**named, "le": str(bound)}, float(count))
        yield Reading(f"{block.name}_count", named, float(below[-1]))
        yield Reading(f"{block.name}_sum", named, float(total))
