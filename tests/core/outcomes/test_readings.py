"""Facts about readings of quality: time, segments and versions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.core.outcome_rows import HOUR, NOW, overall, predicted, tell, told
from tests.core.outcomes.people import (
    FEATURES,
    assert_equal,
    binary_oracle,
    feed,
    parts,
    people,
    people_model,
)

DAY = 24 * HOUR


def test_few_rows_and_small_segments_are_absent() -> None:
    model, rows = people_model(), people(100, 9)
    rows["sex"][:75] = "m"
    rows["sex"][75:] = "f"
    feed(model, rows)
    found = told(model)
    assert ("quality_accuracy", "v1", "sex", "m") in found
    assert ("quality_accuracy", "v1", "sex", "f") not in found
    assert ("segment_selection_ratio", "v1", "sex", "f") not in found
    assert found["quality_rows", "v1", "sex", "f"] == 25


def test_outcomes_count_for_the_time_of_their_prediction() -> None:
    model, rows = people_model(), people(200, 10)
    feed(model, rows, at=NOW - 2 * HOUR)
    assert overall(told(model)) == {"rows": 0.0}
    assert_equal(overall(told(model, window="24h")), binary_oracle(rows))
    assert overall(told(model, now=NOW + 23 * HOUR, window="24h")) == {"rows": 0.0}


def test_outcomes_older_than_a_window_add_nothing_to_it() -> None:
    model, rows = people_model(), people(50, 11)
    waiting = predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"), at=NOW)
    later = NOW + 2 * HOUR
    added, _ = model.outcome_tallies([*zip(waiting, rows["y"], strict=True)], later)
    assert {key.window_seconds for key in added} == {86400.0}


def test_versions_are_compared_with_the_configured_one() -> None:
    model, rows = people_model(), people(4000, 14)
    feed(model, rows)
    worse = {**people(4000, 15)}
    worse["label"] = np.where(np.arange(4000) % 3 == 0, "yes", worse["label"]).astype(object)
    feed(model, worse, version="v2")
    feed(model, people(4000, 16), version="v3")
    found = told(model)
    gap = binary_oracle(worse)["accuracy"] - binary_oracle(rows)["accuracy"]
    assert found["quality_accuracy_difference", "v2"] == pytest.approx(gap)
    assert (
        -found["quality_accuracy_difference", "v2"]
        > found["quality_accuracy_difference_threshold", "v2"]
    )
    for name in ("accuracy", "roc_auc", "log_loss", "brier"):
        bar = found[f"quality_{name}_difference_threshold", "v3"]
        assert abs(found[f"quality_{name}_difference", "v3"]) < bar
    assert ("quality_accuracy_difference", "v1") not in found


def test_live_traffic_shows_days_of_bad_luck_and_thresholds_allow_for_them() -> None:
    known, bars = [], []
    for share in (0.0, 0.3):
        model = people_model()
        begin = NOW // DAY * DAY
        for part in range(6 * 10):
            rows = people(80, part)
            wrong = np.random.default_rng(part).random(80) < share * (part // 6 % 3 == 0)
            rows["y"] = np.where(wrong, np.where(rows["y"] == "yes", "no", "yes"), rows["y"])
            now = begin + part * DAY / 6
            waiting = predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"), at=now)
            tell(model, waiting, rows["y"], now)
            if part == 6 * 5:
                known.append(told(model, now, "24h")["outcome_dependence_known", "v1"])
        last = told(model, now, "24h")
        known.append(last["outcome_dependence_known", "v1"])
        bars.append(last["quality_log_loss_threshold", "v1", "", ""])
    assert known == [0, 1, 0, 1]
    assert bars[1] > 1.5 * bars[0]
