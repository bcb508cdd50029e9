"""Facts about the estimates of a served model: what they follow, and when there are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.model import Model
from mlmon_exporter.reference.reference import Reference
from tests.core.outcome_rows import NOW, SETTINGS, Columns, overall, predicted, told

OLDER = 7200.0
"""Seconds after which a window of an hour has no row of before."""


def rentals(count: int, seed: int, warm: float = 0.5) -> dict[str, Any]:
    """Errors are four times as large on warm days."""
    rng = np.random.default_rng(seed)
    is_warm = rng.random(count) < warm
    demand = rng.normal(100.0, 20.0, count)
    error = np.where(is_warm, 40.0, 10.0) * rng.normal(size=count)
    weather = np.where(is_warm, "warm", "cold").astype(object)
    return {"weather": weather, "wind": rng.normal(size=count), "p": demand, "y": demand + error}


REFERENCE = Reference.build(rentals(8000, 0), predictions="p", ground_truth="y")


def estimates(model: Model, rows: Columns, at: float) -> dict[str, float]:
    features = {name: rows[name] for name in ("weather", "wind")}
    predicted(model, features, {"p": rows["p"]}, at=at)
    return overall(told(model, now=at), "estimated_quality_")


def test_expected_errors_follow_the_inputs() -> None:
    model = Model(SETTINGS, REFERENCE.for_model("r.json"))
    for i, warm in enumerate((0.5, 0.1, 0.9)):
        rows = rentals(4000, 1 + i, warm)
        error = rows["y"] - rows["p"]
        found = estimates(model, rows, NOW + i * OLDER)
        assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=0.05)
        assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=0.05)


def test_few_rows_and_references_without_expected_losses_have_none() -> None:
    model = Model(SETTINGS, REFERENCE.for_model("r.json"))
    assert not estimates(model, rentals(29, 1), NOW)
    known = REFERENCE.for_model("r.json")
    assert known.outcomes is not None
    older = known._replace(outcomes=replace(known.outcomes, expected=None))
    assert not estimates(Model(SETTINGS, older), rentals(4000, 1), NOW)


def test_a_sum_that_no_loss_can_have_is_absent() -> None:
    known = REFERENCE.for_model("r.json")
    assert known.outcomes is not None
    assert known.outcomes.expected is not None
    low = replace(known.outcomes.expected, means=np.array([-1e3, -1e6]))
    broken = known._replace(outcomes=replace(known.outcomes, expected=low))
    assert not estimates(Model(SETTINGS, broken), rentals(4000, 1), NOW)
