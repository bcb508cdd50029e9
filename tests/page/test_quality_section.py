"""Facts about the section of quality."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from mlmon_exporter import Config, Monitor
from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.page.formatting import NO_VALUE
from mlmon_exporter.page.view import View

from .outcomes_served import CREDIT, RENTALS, options
from .served import HOSTILE, NOW
from .served import configured as without_outcomes
from .shown import champion, page, tables, view


def test_segments_are_shown_the_worst_first(shown: View) -> None:
    segments = champion(shown).segments("24h")
    worst = [
        max(
            severity
            for name in ("accuracy", "roc_auc", "log_loss", "brier")
            if not math.isnan(severity := champion(shown).quality(name, "24h", of).severity)
        )
        for of in segments
    ]
    assert segments[0] == ("region", HOSTILE)
    assert len(segments) == 6
    assert worst == sorted(worst, reverse=True)
    (first, *_) = tables(page(shown, model=CREDIT), "segments")
    assert first[0] == ["Segment", "Rows", "Accuracy", "F1", "ROC AUC"]
    assert first[1][0] == f"region = {HOSTILE}"
    assert first[1][2].startswith("▲")


def test_the_estimate_says_that_it_is_blind_and_does_not_follow_the_concept(shown: View) -> None:
    text = page(shown, model=CREDIT)
    assert "It is blind to concept drift" in text
    first = tables(text, "quality")[0]
    assert first[0] == ["Quality", "Reference", "1h", "24h", "Estimate"]
    accuracy = next(row for row in first if row[0].startswith("Accuracy"))
    assert abs(float(accuracy[4]) - float(accuracy[1])) < 0.02


def test_a_regression_has_an_estimate_of_its_error(shown: View) -> None:
    rentals = tables(page(shown, model=RENTALS), "quality")[0]
    error = next(row for row in rentals if "MAE" in row[0])
    assert abs(float(error[4]) / float(error[1]) - 1) < 0.5


def test_no_estimate_is_shown_of_rows_unlike_any_of_the_reference(tmp_path: Path) -> None:
    monitor = Monitor(Config(**options(tmp_path)))
    hours = {"hour": [99.0] * 400}
    ids = [str(i) for i in range(400)]
    monitor.observe(hours, [100.0] * 400, model=RENTALS, prediction_ids=ids, now=NOW)
    text = page(view(monitor), model=RENTALS)
    assert "No estimate of 24h: 100 % of its rows are unlike any of the reference." in text
    assert "blind" not in text


def test_concept_drift_has_a_verdict(shown: View, tmp_path: Path) -> None:
    assert "No concept drift." in page(shown, model=RENTALS)
    monitor = Monitor(Config(**options(tmp_path)))
    assert "too few outcomes" not in page(view(monitor))  # there are none: nothing is said
    ids = [str(i) for i in range(400)]
    hours = {"hour": [float(i % 24) for i in range(400)]}
    monitor.observe(hours, [100.0] * 400, model=RENTALS, prediction_ids=ids, now=NOW)
    for i in ids:
        monitor.observe_ground_truth(i, 300.0, now=NOW)
    text = page(view(monitor))
    assert "The concept has drifted." in text
    assert re.search(r"<b>Concept drift</b> of <bdi>rentals</bdi> in 1h and 24h", text)


def test_it_says_what_alerts_on_quality_wait_for(shown: View) -> None:
    text = page(shown, model=RENTALS)
    assert "No alert on quality comes yet." in text
    assert "nine days of 20 outcomes or more each" in text


def test_versions_are_side_by_side_the_configured_one_first(shown: View) -> None:
    (found,) = tables(page(shown, model=CREDIT), "quality versions")
    assert found[0] == ["Quality", "1", "2"]
    accuracy = next(row for row in found if row[0] == "Accuracy")
    difference = champion(shown).quality("accuracy", "24h").value
    challenger = shown.models[0].outcomes.versions[1]
    difference = challenger.quality("accuracy", "24h").value - difference
    assert float(re.findall(r"\+(\S+) of ±", accuracy[2])[0]) == pytest.approx(difference, abs=1e-4)


def test_models_without_outcomes_say_nothing_of_them(tmp_path: Path) -> None:
    text = page(view(Monitor(Config(**without_outcomes(tmp_path, features=12)))))
    for word in ("Quality", "Fairness", "ground truth", "Business numbers", "Of no model"):
        assert word not in text


def test_the_report_has_outcomes_too(outcomes_monitor: Monitor) -> None:
    text = outcomes_monitor.report(now=NOW)
    assert "Version against version" in text
    assert "Fairness by <bdi>region</bdi>" in text


def test_without_a_reference_quality_is_shown_and_nothing_is_compared() -> None:
    monitor = Monitor(Config(models=[{"name": "m", "task": "regression"}], learn_rows=500))
    for name in "ab":
        ids = [f"{name}{i}" for i in range(500)]
        rows = {"x": [float(i) for i in range(500)]}
        monitor.observe(rows, [1.0] * 500, prediction_ids=ids, now=NOW)
        monitor._desk.ground_truths([GroundTruth(i, 3.0) for i in ids], NOW)
    text = page(view(monitor), model="m")
    (found,) = tables(text, "quality")
    mae = next(row for row in found if row[0].startswith("MAE"))
    assert mae[1:] == [NO_VALUE, "2.00", "2.00"]
    assert "Concept drift" not in text
