"""Facts about drift of residuals."""

from __future__ import annotations

import numpy as np

from tests.core.outcome_rows import NOW, told
from tests.core.outcomes.people import (
    feed,
    people,
    people_model,
)


def test_errors_drift_when_the_same_inputs_lead_to_other_outcomes() -> None:
    model, rows = people_model(), people(3000, 18)
    feed(model, rows)
    assert told(model)["concept_drifted", "v1"] == 0.0
    changed = people(3000, 19)
    flip = np.random.default_rng(0).random(3000) < 0.4
    changed["y"] = np.where(flip, np.where(changed["y"] == "yes", "no", "yes"), changed["y"])
    feed(model, changed, at=NOW + 7200)
    found = told(model, now=NOW + 7200)
    assert found["concept_drifted", "v1"] == 1.0
    assert found["error_ks_statistic", "v1"] > found["error_ks_threshold", "v1"]
    # The inputs are as they were, so the estimate is, too.
    before = found["reference_quality_accuracy", "v1", "", ""]
    assert abs(found["estimated_quality_accuracy", "v1"] - before) < 0.02
    assert found["quality_accuracy", "v1", "", ""] < before - 0.1
