"""Facts about the demo's page in a terminal."""

from __future__ import annotations

import math
import re
from io import StringIO

import pytest
from rich.console import Console

from mlmon_exporter import Monitor
from mlmon_exporter.cli.demo.display import Scene, bars, line, page
from mlmon_exporter.cli.demo.paging import Links
from mlmon_exporter.cli.demo.quality import Parity
from mlmon_exporter.cli.demo.traffic import Speed
from mlmon_exporter.cli.demo.verdict import BIKE, INCOME
from mlmon_exporter.cli.demo.watch import BARS, FeatureDrift, Watch
from tests.cli.demo.replayed import NOW, Prepared, feature, quality


def scene(*features: FeatureDrift) -> Scene:
    speed, added = Speed(80, 0.002, 0.01, 0), Speed(80, 0.000051, 0.0002, 0)
    return Scene("http://127.0.0.1:1", 61.0, "spring", 29.0, speed, added, features)


def test_the_page_shows_score_threshold_and_verdict() -> None:
    console = Console(width=80, record=True, file=StringIO())
    moment = scene(feature(BIKE, "temp", is_drifted=True), feature(INCOME, "age", is_drifted=False))
    console.print(page(moment, height=24))
    text = console.export_text()
    assert re.search(r"temp +psi +0\.500 +0\.100 +300 .*drifted", text)
    assert "http://127.0.0.1:1/metrics" in text
    assert "80 requests/s, p50 2.0 ms, p99 10.0 ms; monitoring adds 0.05 ms, p99 0.20 ms" in text


def test_a_short_terminal_shows_the_features_that_drift_most() -> None:
    console = Console(width=80, record=True, file=StringIO())
    console.print(page(scene(*(feature(BIKE, f"f{i}", is_drifted=False) for i in range(9))), 10))
    text = console.export_text()
    assert "f2" in text
    assert "f3" not in text


def test_a_moment_in_a_line() -> None:
    moment = scene(feature(BIKE, "temp", is_drifted=True), feature(INCOME, "age", is_drifted=False))
    assert line(moment).split("  ")[-1] == (
        "bike-demand: 1 of 1 drifted (temp); income: 0 of 1 drifted"
    )


def test_bars_are_as_high_as_shares() -> None:
    assert bars([0.0, 0.001, 0.25, 0.5], top=0.5) == " ▁▄█"
    assert bars([0.0, 0.0], top=0.0) == ""


def test_the_window_of_the_bars_moves(prepared: Prepared) -> None:
    monitor = Monitor(prepared.folder / "mlmon.toml")
    watch = Watch(window_seconds=60.0)

    def current(value: float, now: float) -> list[float]:
        monitor.observe({"temp": [value] * 100}, model=BIKE, now=now)
        found = watch.look(monitor.readings(now=now), now)
        (temp,) = (f for f in found if (f.model, f.feature) == (BIKE, "temp"))
        assert len(temp.current) == len(temp.reference) <= BARS
        return [share for share in temp.current if share]

    assert current(0.9, NOW) == [1.0]
    assert current(0.1, NOW + 30) == [0.5, 0.5]
    assert current(0.1, NOW + 61) == [1.0]


def test_features_are_ranked_by_drift(prepared: Prepared) -> None:
    monitor = Monitor(prepared.folder / "mlmon.toml")
    rows = prepared.bike.traffic["summer"].rows[:500]
    monitor.observe({name: [r[name] for r in rows] for name in rows[0]}, model=BIKE, now=NOW)
    found = Watch(60.0).look(monitor.readings(now=NOW), NOW)
    excess = [f.excess for f in found]
    assert excess == sorted(excess, reverse=True)
    assert found[0].is_drifted
    assert not found[-1].is_drifted
    assert math.isnan(found[-1].value)  # incomes have no rows yet


def test_the_page_shows_quality_and_parity() -> None:
    console = Console(width=80, record=True, file=StringIO())
    moment = scene(feature(BIKE, "temp", is_drifted=True))._replace(
        quality=[quality(BIKE, "mae", 70.83, threshold=53.3)],
        parity=[Parity(INCOME, "sex", 0.302, {"Male": 0.26, "Female": 0.08})],
    )
    console.print(page(moment, height=24))
    text = console.export_text()
    assert re.search(r"bike-demand: MAE +70\.8 +43\.6 +53\.3 +4405 +worse", text)
    assert re.search(r"income: parity by sex +0\.302 +Male 26%, Female 8%", text)
    assert line(moment).endswith("bike-demand: 1 of 1 drifted (temp), MAE worse")


@pytest.mark.parametrize("height", [36, 50])
def test_the_page_fits_the_terminal(height: int) -> None:
    console = Console(width=80, height=height, record=True, file=StringIO())
    features = [feature(m, f"f{i}", is_drifted=True) for m in (BIKE, INCOME) for i in range(30)]
    measures = [quality(BIKE, "mae", 70.83, threshold=53.3)] * 3
    moment = scene(*features)._replace(
        quality=measures,
        parity=[Parity(INCOME, "sex", 0.302, {"Male": 0.26, "Female": 0.08})],
        links=Links("http://127.0.0.1:9090", "http://127.0.0.1:9093"),
    )
    console.print(page(moment, height))
    assert height - 5 <= console.export_text().count("\n") < height
