"""Faults of the monitor in the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from mlmon_exporter.core.records import Block, Readings

from .labels import FAULTS

Faults = dict[tuple[str, ...], float]
"""Counter and label values -> count."""

RECENT_SECONDS = 300.0
LEAST_SECONDS = 10.0
"""Looks closer than this count as one."""


class Recent:
    """Counts of faults at the looks of the last minutes.

    At most 31 looks, each of a number a fault. Not thread-safe: the page locks.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Faults]] = deque()

    def look(self, blocks: Iterable[Block], now: float) -> Faults:
        """Return the rise since the oldest look of the last five minutes, and record this look.

        Nothing if there is none: the rise is unknown.
        """
        faults = fault_counts(blocks)
        while self._looks and not 0 <= now - self._looks[0][0] <= RECENT_SECONDS:
            self._looks.popleft()
        since, before = self._looks[0] if self._looks else (now, {})
        if not self._looks or now - self._looks[-1][0] >= LEAST_SECONDS:
            self._looks.append((now, faults))
        if now - since < LEAST_SECONDS:
            return {}
        return {fault: count - before.get(fault, 0.0) for fault, count in faults.items()}


def fault_counts(blocks: Iterable[Block]) -> Faults:
    """Return the counters of the monitor's faults."""
    return {
        (block.name, *labels): float(value)
        for block in blocks
        if isinstance(block, Readings) and block.name in FAULTS
        for labels, value in zip(block.labels, block.values, strict=True)
    }
