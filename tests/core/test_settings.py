"""Facts about settings of a model."""

from __future__ import annotations

import math

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.settings import (
    Policy,
    WindowName,
    window_names,
)
from tests.core.served_rows import (
    NOW,
    SETTINGS,
    batch,
    reference_of,
    samples,
)


def test_windows_are_sorted_by_length() -> None:
    assert window_names([("24h", 86400.0), ("5m", 300.0)]) == (
        WindowName("5m", 300.0),
        WindowName("24h", 86400.0),
    )


def test_the_policy_says_how_many_rows_are_enough() -> None:
    model = Model(SETTINGS._replace(policy=Policy(min_window_rows=1000)), reference_of())
    model.observe(batch(999), NOW)
    assert math.isnan(samples(model.readings(NOW))["mlmon_feature_psi", "v1", "age", "1h"])
    model.observe(batch(1), NOW)
    assert samples(model.readings(NOW))["mlmon_feature_psi", "v1", "age", "1h"] >= 0
