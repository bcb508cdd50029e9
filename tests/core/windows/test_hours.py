from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlmon_exporter.core.windows.hours import HourProfiles
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import references


def profiles() -> tuple[HourProfiles, np.ndarray]:
    rng = np.random.default_rng(0)
    columns = references({"x": rng.normal(size=4800), "flat": rng.normal(size=4800)})
    hours = rng.integers(1, 40, size=(24, len(columns[0].bins.bin_names)))
    hours[5] = 0
    matrix = ReferenceMatrix([replace(columns[0], hours=hours), columns[1]])
    return matrix.hours, hours


def test_each_hour_is_expected_as_often_as_the_window_has_it() -> None:
    found, hours = profiles()
    assert found.known.tolist() == [True, False]
    of_window = np.zeros(24)
    of_window[[3, 4]] = 30, 10
    bins, rows = found.expected(of_window)
    shares = 0.75 * hours[3] / hours[3].sum() + 0.25 * hours[4] / hours[4].sum()
    # The variance of the mixture is that of so many rows.
    worth = 1 / (0.75**2 / hours[3].sum() + 0.25**2 / hours[4].sum())
    width = hours.shape[1]
    np.testing.assert_allclose(bins[:width], shares * worth)
    assert np.isclose(rows[0], worth)
    assert np.isnan(rows[1])


def test_an_hour_that_the_reference_lacks_is_compared_with_nothing() -> None:
    found, _ = profiles()
    of_window = np.zeros(24)
    of_window[[5, 6]] = 1, 100
    assert np.isnan(found.expected(of_window)[1]).all()
