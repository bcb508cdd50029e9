"""Facts about the verdict of the demo."""

from __future__ import annotations

from mlmon_exporter.cli.demo.verdict import BIKE, INCOME, Verdict
from tests.cli.demo.replayed import feature, quality


def test_the_verdict_wants_the_temperature_and_no_income() -> None:
    verdict, found = Verdict(), []
    for elapsed, (model, name, is_drifted) in enumerate(
        [(BIKE, "temp", False), (BIKE, "temp", True), (INCOME, "age", True)]
    ):
        verdict.note([feature(model, name, is_drifted=is_drifted)], float(elapsed))
        found.append((verdict.is_good, verdict.text()))
    assert found == [
        (False, "temp of bike-demand has not drifted; no feature of income did"),
        (True, "temp of bike-demand drifted after 1 s; no feature of income did"),
        (False, "temp of bike-demand drifted after 1 s; age of income did"),
    ]


def test_the_verdict_says_since_when_predictions_are_worse() -> None:
    verdict = Verdict()
    verdict.note([feature(BIKE, "temp", is_drifted=True)], 1.0)
    verdict.note_quality([quality(BIKE, "mae", 40.0, threshold=53.3)], 2.0)
    assert "MAE" not in verdict.text()
    for elapsed in (3.0, 4.0):
        verdict.note_quality([quality(BIKE, "mae", 70.0, threshold=53.3)], elapsed)
    assert verdict.text() == (
        "temp of bike-demand drifted after 1 s, its MAE was worse than chance explains after 3 s; "
        "no feature of income did"
    )
