"""Facts about the rows that a shift needs, against windows of simulated rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mlmon_exporter.core.drift.power import least_shift, rows_needed, rows_until_seen
from mlmon_exporter.core.stats.scatter import Scatter
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import LEVEL, reference, scored

COLUMN = reference(np.random.default_rng(0).normal(size=50_000))


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_half_of_all_windows_see_a_shift_in_the_rows_that_it_needs(shift: float) -> None:
    rng = np.random.default_rng(1)
    frame = ReferenceMatrix([COLUMN])
    rows = round(rows_needed(COLUMN, shift, 3600.0, LEVEL, floor=0.1))

    def seen(count: int) -> float:
        windows = [scored(frame, {"x": rng.normal(size=count) + shift}) for _ in range(40)]
        return float(np.mean([w["ks_statistic"][0] > w["ks_threshold"][0] for w in windows]))

    # The greatest of many gaps is a little more than the gap at the middle.
    assert 0.45 <= seen(max(rows, 100)) <= 1.0
    assert seen(max(round(0.6 * rows), 20)) < 0.45 or rows < 200


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_in_a_rolling_window_a_shift_is_seen_once_enough_rows_have_it(shift: float) -> None:
    rng = np.random.default_rng(2)
    frame = ReferenceMatrix([COLUMN])
    rows = round(rows_until_seen(COLUMN, shift, 2000.0, 86400.0, LEVEL, floor=0.1))

    def seen(shifted: int) -> float:
        each = (rng.normal(size=2000) + shift * (np.arange(2000) < shifted) for _ in range(30))
        windows = [scored(frame, {"x": values}) for values in each]
        return float(np.mean([w["ks_statistic"][0] > w["ks_threshold"][0] for w in windows]))

    assert seen(round(0.8 * rows)) < 0.5 < seen(round(1.15 * rows))
    assert rows_until_seen(COLUMN, 0.1, 2000.0, 86400.0, LEVEL, floor=0.1) == math.inf


def test_a_threshold_and_the_least_shift_are_two_sides_of_one_law() -> None:
    assert least_shift(math.erf(0.5 / math.sqrt(8))) == pytest.approx(0.5)
    assert least_shift(1.0) == math.inf
    assert math.isnan(least_shift(math.nan))


def test_what_time_brings_hides_shifts_for_ever() -> None:
    varied = replace(COLUMN, variation={3600.0: {"ks_statistic": Scatter(0.02, 14.0)}})
    assert rows_needed(varied, 0.25, 3600.0, LEVEL, floor=0.1) == math.inf
    assert rows_needed(varied, 2.0, 3600.0, LEVEL, 0.1) > rows_needed(
        COLUMN, 2.0, 3600.0, LEVEL, 0.1
    )
    assert rows_needed(COLUMN, 0.1, 3600.0, LEVEL, floor=0.1) == math.inf
