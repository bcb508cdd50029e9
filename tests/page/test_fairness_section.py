"""Facts about fairness and business numbers."""

from __future__ import annotations

import pytest

from mlmon_exporter.page.view import View

from .outcomes_served import CREDIT
from .served import HOSTILE
from .shown import champion, page, tables


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
