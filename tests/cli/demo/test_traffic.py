"""Facts about the demo's traffic: real drift, replayed."""

from __future__ import annotations

import math
import random
import re

import httpx
import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.cli.demo.datasets import SEASONS, Labelled
from mlmon_exporter.cli.demo.server import Server, listen
from mlmon_exporter.cli.demo.traffic import Calendar, Latencies, Replay
from mlmon_exporter.cli.demo.verdict import BIKE, INCOME
from tests.cli.demo.replayed import NOW, Prepared


def drifted(prepared: Prepared, model: str, *stretches: str, rows: int = 4000) -> set[str]:
    monitor = Monitor(prepared.folder / "mlmon.toml")
    parts = prepared.bike if model == BIKE else prepared.income
    rng = random.Random(0)
    sent = [
        row
        for stretch in stretches
        for row in rng.choices(parts.traffic[stretch].rows, k=rows // len(stretches))
    ]
    monitor.observe({name: [row[name] for row in sent] for name in sent[0]}, model=model, now=NOW)
    readings = monitor.readings(now=NOW)
    return {
        reading.labels["feature"]
        for reading in readings
        if reading.name == "mlmon_feature_drifted" and reading.value
    }


@pytest.mark.parametrize("rows", [150, 500, 2000, 6000])
def test_nothing_drifts_in_the_winter_of_the_reference(prepared: Prepared, rows: int) -> None:
    assert drifted(prepared, BIKE, "winter", rows=rows) == set()


@pytest.mark.parametrize("rows", [150, 500, 2000, 6000])
def test_incomes_do_not_drift(prepared: Prepared, rows: int) -> None:
    assert drifted(prepared, INCOME, "all", rows=rows) == set()


@pytest.mark.parametrize("season", SEASONS[1:])
def test_temperature_drifts_when_half_of_the_window_is_another_season(
    prepared: Prepared, season: str
) -> None:
    assert "temp" in drifted(prepared, BIKE, "winter", season)


def test_traffic_reaches_the_monitor(prepared: Prepared) -> None:
    listener = listen(0)
    port = listener.getsockname()[1]
    latencies = Latencies()
    with listener, Server(prepared.app, listener):
        replay = Replay(port, ("/income/predict",), lambda: prepared.income.reference, latencies)
        replay.send()
        replay.close()
        answer = httpx.post(
            f"http://127.0.0.1:{port}/bike/predict",
            json={"instances": [prepared.bike.reference.rows[0]]},
            timeout=60,
        ).json()
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        row = {"instances": prepared.bike.reference.rows[:3]}
        stream = httpx.post(f"http://127.0.0.1:{port}/bike/stream", json=row, timeout=60).text
        page = httpx.get(f"http://127.0.0.1:{port}/", follow_redirects=True, timeout=60)
        docs = httpx.get(f"http://127.0.0.1:{port}/docs", timeout=60)
    assert latencies.speed().failures == 0
    assert 0 < prepared.added.speed().p50_seconds < latencies.speed().p50_seconds
    assert len(answer["predictions"]) == 1
    assert stream.count("data: ") == 3
    assert docs.status_code == 200
    assert page.url.path == "/mlmon"
    assert "bike-demand" in page.text
    for output in ("rentals", "label", "probability"):
        assert re.search(
            rf'mlmon_prediction_bin_rows_total{{.*output="{output}".*}} [1-9]', metrics
        )
    assert not re.search(r"mlmon_parse_errors_total{.*} [1-9]", metrics)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/")


def test_a_request_that_fails_is_counted() -> None:
    with listen(0) as listener:
        port = listener.getsockname()[1]
        latencies = Latencies()
        Replay(port, ("/",), lambda: Labelled([{"a": 1}] * 9, [1] * 9), latencies).send()
    assert latencies.speed().failures == 1
    assert math.isnan(latencies.speed().p50_seconds)


def test_seasons_pass_and_return() -> None:
    seasons = [Calendar(10.0).season(elapsed) for elapsed in (0, 9.9, 10, 25, 39, 40)]
    assert seasons == ["winter", "winter", "spring", "summer", "autumn", "winter"]
    once = [Calendar(10.0, is_one_year=True).season(elapsed) for elapsed in (0, 10, 39, 40, 90)]
    assert once == ["winter", "spring", "autumn", "autumn", "autumn"]
