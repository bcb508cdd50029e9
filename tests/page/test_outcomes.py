"""Facts about what the page says of outcomes."""

from __future__ import annotations

import html
import math
import re
from pathlib import Path

import pytest

from mlmon_exporter import Config, Monitor
from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.page.app import rendered
from mlmon_exporter.page.figures import NO_VALUE
from mlmon_exporter.page.outcomes import ALL, VersionOutcomes
from mlmon_exporter.page.traffic import since_the_start
from mlmon_exporter.page.view import View, view_of

from .outcomes_served import CREDIT, RENTALS, credit_rows, fill_outcomes, options
from .served import HOSTILE, NOW
from .served import configured as without_outcomes


def view(monitor: Monitor) -> View:
    snapshot = monitor._readout.snapshot(now=NOW)
    return view_of(snapshot, since_the_start(snapshot.blocks))


def page(shown: View, **query: str) -> str:
    return rendered(shown, query)[1].decode()


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Monitor:
    monitor = Monitor(Config(**options(tmp_path_factory.mktemp("outcomes"))))
    fill_outcomes(monitor)
    return monitor


@pytest.fixture(scope="module")
def shown(monitor: Monitor) -> View:
    return view(monitor)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> View:
    monitor = Monitor(Config(**options(tmp_path_factory.mktemp("calm"))))
    fill_outcomes(monitor, drifted=False)
    return view(monitor)


def champion(shown: View) -> VersionOutcomes:
    return shown.models[0].outcomes.versions[0]


def tables(text: str, class_: str) -> list[list[list[str]]]:
    """The cells' texts of all tables of a class, by row."""
    found = re.findall(rf'<table class="{class_}">(.*?)</table>', text, re.DOTALL)
    rows = [re.findall(r"<tr.*?>(.*?)</tr>", table, re.DOTALL) for table in found]
    return [
        [[_text(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in table]
        for table in rows
    ]


def _text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", markup)).strip()


def test_a_quality_is_that_of_the_joined_rows(shown: View) -> None:
    right = rows = 0
    for pane in range(12):
        told = {name: v[:350] for name, v in credit_rows(500, pane, drifted=pane >= 8).items()}
        right += int((told["said"] == told["paid"]).sum())
        rows += 350
    held = champion(shown).held("accuracy", "24h")
    assert champion(shown).rows("24h") == rows
    assert held.value == pytest.approx(right / rows)
    built = credit_rows(6000, 1)
    assert held.reference == pytest.approx((built["said"] == built["paid"]).mean())


def test_what_chance_does_not_explain_is_firing(shown: View, calm: View) -> None:
    assert champion(shown).held("accuracy", "24h").is_worse
    assert champion(shown).held("log_loss", "1h").is_worse
    text = page(shown)
    assert "Quality is worse than chance explains" in text
    firing = _text(re.findall(r'<section class="firing".*?</section>', text, re.DOTALL)[0])
    assert re.search(r"Quality\s+of\s+credit\s+1\s+in 24h: Accuracy 0\.7\d+ under 0\.7", firing)
    assert re.search(r"Log loss 0\.5\d+ over 0\.5", firing)
    assert RENTALS not in firing


def test_nothing_fires_while_quality_is_that_of_the_reference(calm: View) -> None:
    text = page(calm)
    assert "Nothing has drifted" in text
    assert 'class="firing"' not in text
    assert 'class="over-text"' not in page(calm, model=CREDIT)


def test_segments_are_shown_the_worst_first(shown: View) -> None:
    segments = champion(shown).segments("24h")
    worst = [
        max(
            severity
            for name in ("accuracy", "roc_auc", "log_loss", "brier")
            if not math.isnan(severity := champion(shown).held(name, "24h", of).severity)
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


def test_a_segment_with_few_outcomes_is_last(shown: View) -> None:
    challenger = shown.models[0].outcomes.versions[1]
    values = [challenger.held("accuracy", "24h", of).value for of in challenger.segments("24h")]
    absent = [math.isnan(value) for value in values]
    assert absent == sorted(absent)
    assert any(absent)


def test_the_estimate_says_that_it_is_blind_and_does_not_follow_the_concept(shown: View) -> None:
    text = page(shown, model=CREDIT)
    assert "It is blind to concept drift" in text
    first = tables(text, "quality")[0]
    assert first[0] == ["Quality", "Reference", "1h", "24h", "Estimate"]
    accuracy = next(row for row in first if row[0].startswith("Accuracy"))
    assert abs(float(accuracy[4]) - float(accuracy[1])) < 0.02
    assert "blind" not in page(shown, model=RENTALS)


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
    assert "Concept has drifted." in text
    assert re.search(r"<b>Concept drift</b> of <bdi>rentals</bdi> in 1h and 24h", text)


def test_what_came_back_and_what_waits_is_counted(shown: View) -> None:
    outcomes = shown.models[0].outcomes
    predicted, told = 12 * 500 + 400, 12 * 350 + 280
    assert outcomes.waiting == predicted - told
    assert outcomes.statuses["matched"] == told
    nobody = page(shown).partition('id="feedback"')[2].partition("</section>")[0]
    assert re.search("<dt>Unknown</dt><dd>1</dd>", nobody)
    assert "<bdi>calls</bdi>" in nobody


def test_versions_are_side_by_side_the_configured_one_first(shown: View) -> None:
    (found,) = tables(page(shown, model=CREDIT), "quality versions")
    assert found[0] == ["Quality", "1", "2"]
    accuracy = next(row for row in found if row[0] == "Accuracy")
    difference = champion(shown).held("accuracy", "24h").value
    challenger = shown.models[0].outcomes.versions[1]
    difference = challenger.held("accuracy", "24h").value - difference
    assert float(re.findall(r"\+(\S+) of ±", accuracy[2])[0]) == pytest.approx(difference, abs=1e-4)


def test_parities_are_shown_with_the_rates_of_segments(shown: View) -> None:
    rates = champion(shown).rates("24h", "region")
    selected = [rate["selection"] for rate in rates.values()]
    parities = champion(shown).parities("24h")["region"]
    assert parities["demographic_parity_ratio"] == pytest.approx(min(selected) / max(selected))
    text = page(shown, model=CREDIT)
    assert text.count("Fairness by <bdi>region</bdi>") == 2  # one for each version
    assert [row[0] for row in tables(text, "rates")[0][1:]][:2] == ["north", HOSTILE]
    assert HOSTILE not in text
    assert tables(page(shown), "rates") == []


def test_business_numbers_have_sum_and_mean(shown: View) -> None:
    (kpi,) = shown.models[0].outcomes.kpis
    assert (kpi.name, kpi.version, kpi.events) == ("revenue", "1", 30)
    assert kpi.total == pytest.approx(sum(10.5 + i for i in range(30)))
    (found,) = tables(page(shown, model=CREDIT), "kpis")
    assert found == [["Name", "Events", "Sum", "Mean"], ["revenue", "30", "750", "25.0"]]


def test_models_without_outcomes_say_nothing_of_them(tmp_path: Path) -> None:
    text = page(view(Monitor(Config(**without_outcomes(tmp_path, features=12)))))
    for word in ("Quality", "Fairness", "ground truth", "Business numbers", "Of no model"):
        assert word not in text


def test_the_report_has_outcomes_too(monitor: Monitor) -> None:
    text = monitor.report(now=NOW)
    assert "Version against version" in text
    assert "Fairness by <bdi>region</bdi>" in text


def test_a_quality_that_is_not_known_is_not_worse(shown: View) -> None:
    held = champion(shown).held("mae", "24h", ALL)
    assert not held.is_worse
    assert math.isnan(held.severity)


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


def test_only_a_score_that_decides_has_a_threshold(shown: View) -> None:
    found = tables(page(shown, model=CREDIT, version="1", feature="age"), "scores")[0]
    with_threshold = {row[0].split("  ")[0] for row in found if " of " in row[1]}
    assert with_threshold == {"PSI", "KS statistic", "Missing", "Tails"}
    assert {"Jensen-Shannon", "Wasserstein"} < {row[0].split("  ")[0] for row in found}
