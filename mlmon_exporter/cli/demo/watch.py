"""Drift of each feature for the terminal, from the monitor's readings."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mlmon_exporter.core.drift.tests import TESTS
from mlmon_exporter.core.records import Reading

BARS = 12
PREFIX = "mlmon_feature_"

Key = tuple[str, str]
"""Model and feature."""
Shares = dict[str, float]
"""Bin -> share of the rows."""


class FeatureDrift(NamedTuple):
    """One feature in the window against its reference."""

    model: str
    feature: str
    rows: int
    """In the window."""
    score: str
    """The deciding score closest to its threshold, or farthest over it."""
    value: float
    """Of the score; NaN with too few rows."""
    threshold: float
    is_drifted: bool
    reference: Sequence[float]
    """Shares of the bins."""
    current: Sequence[float]

    @property
    def excess(self) -> float:
        """The score divided by its threshold; 0 without a score."""
        return self.value / self.threshold if self.value == self.value else 0.0


class Watch:
    """Keeps counters of a window ago, to compute the window's rows per bin."""

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._past: deque[tuple[float, dict[Key, dict[str, float]]]] = deque()

    def look(self, readings: Iterable[Reading], now: float) -> list[FeatureDrift]:
        """Return all features, most drifted first.

        Args:
            readings: Of a monitor with a single window.
            now: Unix seconds of the readings.
        """
        numbers: dict[str, dict[Key, float]] = defaultdict(dict)
        bins: dict[str, dict[Key, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
        for reading in readings:
            labels = reading.labels
            if not reading.name.startswith(PREFIX) or "le" in labels or "quantile" in labels:
                continue
            name, key = reading.name.removeprefix(PREFIX), (labels["model"], labels["feature"])
            if "bin" in labels:
                bins[name][key][labels["bin"]] = reading.value
            else:
                numbers[name][key] = reading.value
        current = self._since_window_start(bins["bin_rows_total"], now)
        found = [
            _feature(key, numbers, bins["reference_ratio"][key], current[key])
            for key in bins["reference_ratio"]
        ]
        return sorted(found, key=lambda drift: -drift.excess)

    def _since_window_start(
        self, totals: dict[Key, dict[str, float]], now: float
    ) -> dict[Key, Shares]:
        self._past.append((now, totals))
        while len(self._past) > 1 and self._past[1][0] <= now - self._window_seconds:
            self._past.popleft()
        began, before = self._past[0]
        if began > now - self._window_seconds:
            before = {}  # rows before the first look are within the window
        return {
            key: {name: rows - before.get(key, {}).get(name, 0.0) for name, rows in by_bin.items()}
            for key, by_bin in totals.items()
        }


def _feature(
    key: Key,
    numbers: Mapping[str, Mapping[Key, float]],
    reference: Shares,
    current: Shares,
) -> FeatureDrift:
    score, value, threshold = max(
        (_tested(key, numbers, name) for name in TESTS), key=lambda test: test[1] / test[2]
    )
    shown = _shown_bins(reference, current)
    return FeatureDrift(
        *key,
        rows=int(numbers["window_rows"].get(key, 0)),
        score=score,
        value=value if value >= 0 else math.nan,
        threshold=threshold,
        is_drifted=numbers["drifted"].get(key) == 1.0,
        reference=_bars(reference, shown),
        current=_bars(current, shown),
    )


def _tested(
    key: Key, numbers: Mapping[str, Mapping[Key, float]], name: str
) -> tuple[str, float, float]:
    score = TESTS[name].score
    value, threshold = numbers[score].get(key), numbers[name].get(key)
    if value is None or threshold is None:
        return score, -1.0, 1.0
    return score, value, threshold


def _shown_bins(reference: Shares, current: Shares) -> list[str]:
    """Return the bins with rows, the most frequent ones if there are more than bars."""
    names = [name for name, share in reference.items() if share or current.get(name)]
    if len(names) <= BARS:
        return names
    ranked = sorted(names, key=lambda name: -reference[name])
    top = set(ranked[: BARS - 1])
    return [name for name in names if name in top]


def _bars(shares: Shares, shown: Sequence[str]) -> list[float]:
    """Return the shares of these bins, and of all others together if there are more."""
    total = sum(shares.values())
    if not total:
        return [0.0] * len(shown)
    bars = [shares.get(name, 0.0) / total for name in shown]
    return bars if len(shown) != BARS - 1 else [*bars, max(0.0, 1.0 - sum(bars))]
