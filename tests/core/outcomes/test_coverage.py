"""Facts about coverage: the share of predictions whose ground truth came."""

from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter.core.outcomes.coverage import coverage
from tests.core.outcome_rows import Values, predicted, tell, told
from tests.core.outcomes.people import FEATURES, Rows, parts, people, people_model

PARITY = ("ground_truth_parity_ratio", "v1")


def covered(rows: Rows, came: np.ndarray) -> Values:
    model = people_model()
    waiting = predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"))
    tell(model, [waiting[i] for i in np.flatnonzero(came)], rows["y"][came])
    return told(model)


def test_coverage_is_the_share_of_each_predicted_class() -> None:
    rng, rows = np.random.default_rng(0), people(3000, 0)
    came = rng.random(3000) < 0.4
    found = covered(rows, came)
    assert found["ground_truth_coverage_ratio", "v1", ""] == pytest.approx(came.mean())
    for name in ("yes", "no"):
        exact = came[rows["label"] == name].mean()
        assert found["ground_truth_coverage_ratio", "v1", name] == pytest.approx(exact)
    assert found[PARITY] == 1.0


def test_outcomes_that_come_early_for_one_class_are_uneven() -> None:
    rng, rows = np.random.default_rng(1), people(3000, 1)
    came = (rows["y"] == "yes") | (rng.random(3000) < 0.2)
    found = covered(rows, came)
    shares = [came[rows["label"] == name].mean() for name in ("yes", "no")]
    assert found[PARITY] == pytest.approx(min(shares) / max(shares))
    assert found[PARITY] < 0.8


def test_without_outcomes_there_is_no_coverage() -> None:
    found = covered(people(500, 2), np.zeros(500, dtype=bool))
    assert not any(name.startswith("ground_truth_") for name, *_ in found)


def test_a_class_of_few_predictions_has_coverage_and_no_part_in_its_parity() -> None:
    rows = people(600, 3)
    rows["label"][:] = "no"
    rows["label"][:20] = "yes"
    came = np.arange(600) >= 20
    found = covered(rows, came)
    assert found["ground_truth_coverage_ratio", "v1", "yes"] == 0.0
    assert found["ground_truth_coverage_ratio", "v1", "no"] == 1.0
    assert PARITY not in found


def test_coverage_of_classes_that_share_their_luck_is_uneven_by_more() -> None:
    model = people_model()
    rows = people(400, 4)
    came = (rows["label"] == "yes") | (np.random.default_rng(4).random(400) < 0.7)
    waiting = predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"))
    tell(model, [waiting[i] for i in np.flatnonzero(came)], rows["y"][came])
    told(model)
    quality = model.versions._version("v1").quality
    assert quality is not None
    sums = quality.sums[0]
    found = [coverage(sums, 20, 1e-6, natural) for natural in (0.0, 0.05)]
    assert [each is not None and each.parity < 0.8 for each in found] == [True, False]
