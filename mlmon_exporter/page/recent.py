"""Request and fault counts of the last minutes, or since the start."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.records import Histograms, Readings

from .labels import FAULTS

Block = Readings | Histograms
Counts = dict[str, NDArray[np.float64]]
"""Model -> requests, client errors, server errors, then requests per bucket of duration."""

RECENT_SECONDS = 300.0
LEAST_SECONDS = 10.0
"""Looks closer than this count as one."""
OUTCOMES = ("client_error", "server_error")


Faults = dict[tuple[str, ...], float]
"""Counter and label values -> count."""


class Requests(NamedTuple):
    """Requests to a model over a span of time."""

    total: float
    seconds: float
    """Length of the span; NaN if it began at the start."""
    client_errors: float
    server_errors: float
    bounds: tuple[float, ...]
    """Upper bounds of the buckets of duration, seconds."""
    buckets: NDArray[np.float64]

    def error_ratio(self) -> float:
        """Return the share of requests that the server failed; NaN without requests."""
        return self.server_errors / self.total if self.total else math.nan

    def quantile(self, q: float) -> float:
        """Return a quantile of the duration, seconds; NaN without requests.

        Spread evenly in its bucket, as Prometheus does; the greatest bound where it is over it.
        """
        below = np.cumsum(self.buckets)
        if not len(below) or not below[-1]:
            return math.nan
        rank = q * below[-1]
        i = int(np.searchsorted(below, rank))
        if i >= len(self.bounds):
            return self.bounds[-1]
        low = self.bounds[i - 1] if i else 0.0
        before = below[i - 1] if i else 0.0
        return float(low + (self.bounds[i] - low) * (rank - before) / self.buckets[i])


class Changes(NamedTuple):
    """Requests and faults over the last minutes."""

    requests: Mapping[str, Requests]
    """By model."""
    faults: Mapping[tuple[str, ...], float]
    """Counter and label values -> increase; empty if unknown."""


class Recent:
    """Counts at the looks of the last minutes.

    At most 31 looks, each some thirty numbers a model and one a fault. Not thread-safe: the page
    locks.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Counts, Faults]] = deque()

    def look(self, blocks: Sequence[Block], now: float) -> Changes:
        """Return changes since the oldest look of the last five minutes, and record this look."""
        (bounds, counts), faults = request_counts(blocks), fault_counts(blocks)
        while self._looks and not 0 <= now - self._looks[0][0] <= RECENT_SECONDS:
            self._looks.popleft()
        since, before, faults_before = self._looks[0] if self._looks else (now, {}, {})
        if not self._looks or now - self._looks[-1][0] >= LEAST_SECONDS:
            self._looks.append((now, counts, faults))
        if now - since < LEAST_SECONDS:
            return since_the_start(blocks)
        requests = {
            model: _requests(total, before.get(model), now - since, bounds)
            for model, total in counts.items()
        }
        risen = {fault: count - faults_before.get(fault, 0.0) for fault, count in faults.items()}
        return Changes(requests, risen)


def since_the_start(blocks: Sequence[Block]) -> Changes:
    """Return the totals; the increase of faults is unknown."""
    bounds, counts = request_counts(blocks)
    requests = {model: _requests(total, None, math.nan, bounds) for model, total in counts.items()}
    return Changes(requests, {})


def _requests(
    total: NDArray[np.float64],
    before: NDArray[np.float64] | None,
    seconds: float,
    bounds: tuple[float, ...],
) -> Requests:
    if before is not None and len(before) == len(total):
        # A state that was removed starts again at 0.
        total = total - np.where(before <= total, before, 0.0)
    return Requests(total[0], seconds, total[1], total[2], bounds, total[3:])


def request_counts(blocks: Iterable[Block]) -> tuple[tuple[float, ...], Counts]:
    """Return the bounds of durations, and each model's counts summed over versions and routes."""
    bounds: tuple[float, ...] = ()
    heads: Counts = {}
    buckets: Counts = {}
    for block in blocks:
        if block.name == "mlmon_requests_total" and isinstance(block, Readings):
            for labels, value in zip(block.labels, block.values, strict=True):
                head = heads.setdefault(labels[0], np.zeros(3))
                head += value * np.array([1.0, *(labels[-1] == o for o in OUTCOMES)])
        elif block.name == "mlmon_request_duration_seconds" and isinstance(block, Histograms):
            for labels, each, rows in zip(block.labels, block.bounds, block.counts, strict=True):
                bounds = each
                buckets[labels[0]] = buckets.get(labels[0], 0.0) + np.asarray(rows, dtype=float)
    empty = np.zeros(len(bounds) + 1)
    counts = {m: np.concatenate((head, buckets.get(m, empty))) for m, head in heads.items()}
    return bounds, counts


def fault_counts(blocks: Iterable[Block]) -> Faults:
    """Return the counters of the monitor's faults."""
    return {
        (block.name, *labels): float(value)
        for block in blocks
        if isinstance(block, Readings) and block.name in FAULTS
        for labels, value in zip(block.labels, block.values, strict=True)
    }
