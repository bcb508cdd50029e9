"""Facts about outcomes as data."""

from __future__ import annotations

import math
import re

import pytest

from mlmon_exporter.page.outcome_view import ALL
from mlmon_exporter.page.view import View

from .outcomes_served import credit_rows
from .shown import champion, page


def test_a_quality_is_that_of_the_joined_rows(shown: View) -> None:
    right = rows = 0
    for pane in range(12):
        told = {name: v[:350] for name, v in credit_rows(500, pane, drifted=pane >= 8).items()}
        right += int((told["said"] == told["paid"]).sum())
        rows += 350
    held = champion(shown).quality("accuracy", "24h")
    assert champion(shown).rows("24h") == rows
    assert held.value == pytest.approx(right / rows)
    built = credit_rows(6000, 1)
    assert held.reference == pytest.approx((built["said"] == built["paid"]).mean())


def test_a_segment_with_few_outcomes_is_last(shown: View) -> None:
    challenger = shown.models[0].outcomes.versions[1]
    values = [challenger.quality("accuracy", "24h", of).value for of in challenger.segments("24h")]
    absent = [math.isnan(value) for value in values]
    assert absent == sorted(absent)
    assert any(absent)


def test_what_came_back_and_what_waits_is_counted(shown: View) -> None:
    outcomes = shown.models[0].outcomes
    predicted, told = 12 * 500 + 400, 12 * 350 + 280
    assert outcomes.waiting == predicted - told
    assert outcomes.statuses["matched"] == told
    nobody = page(shown).partition('id="feedback"')[2].partition("</section>")[0]
    assert re.search("<dt>Unknown</dt><dd>1</dd>", nobody)
    assert "<bdi>calls</bdi>" in nobody


def test_a_quality_that_is_not_known_is_not_worse(shown: View) -> None:
    held = champion(shown).quality("mae", "24h", ALL)
    assert not held.is_worse
    assert math.isnan(held.severity)
