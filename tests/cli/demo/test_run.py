from __future__ import annotations

import math
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from mlmon_exporter import Monitor
from mlmon_exporter.cli.demo.datasets import SEASONS, Labelled, Splits, bike_splits, income_splits
from mlmon_exporter.cli.demo.display import Scene, bars, line, page, quality_table
from mlmon_exporter.cli.demo.models import BikeModel, IncomeModel
from mlmon_exporter.cli.demo.paging import Links
from mlmon_exporter.cli.demo.preparation import prepare
from mlmon_exporter.cli.demo.quality import Measure, Parity, measures
from mlmon_exporter.cli.demo.server import DemoError, Server, listen
from mlmon_exporter.cli.demo.traffic import Calendar, Latencies, Replay, Speed
from mlmon_exporter.cli.demo.verdict import BIKE, INCOME, Verdict
from mlmon_exporter.cli.demo.watch import BARS, FeatureDrift, Watch
from mlmon_exporter.cli.program import program
from mlmon_exporter.core.outcomes.pending import GroundTruth

from .processes import processes_of

TOKEN = "secret"
NOW = 1_700_000_000.0
DEMO = [sys.executable, "-m", "mlmon_exporter.cli", "demo", "--port", "0"]


class Prepared(NamedTuple):
    bike: Splits
    income: Splits
    app: Any
    monitor: Monitor
    folder: Path
    added: Latencies


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("demo")
    bike, income, app, monitor = prepare(Console(quiet=True), folder, added := Latencies(), TOKEN)
    yield Prepared(bike, income, app, monitor, folder, added)
    monitor.close()


# --- Data and models ---


def test_training_and_reference_know_winter_only(prepared: Prepared) -> None:
    for part in (prepared.bike.training, prepared.bike.reference):
        assert {row["season"] for row in part.rows} == {1}
    for number, season in enumerate(SEASONS, 1):
        assert {row["season"] for row in prepared.bike.traffic[season].rows} == {number}


def test_every_row_is_in_one_part() -> None:
    parts = income_splits()
    sizes = [len(part.rows) for part in (parts.training, parts.reference, parts.traffic["all"])]
    assert sum(sizes) == 48_842
    assert abs(sizes[0] - 2 * sizes[1]) <= 2
    winter = bike_splits()
    held = (winter.training, winter.reference, winter.traffic["winter"])
    assert sum(len(part.rows) for part in held) == 2068 + 2174


def test_no_income_is_marked_by_a_question_mark(prepared: Prepared) -> None:
    values = {value for row in prepared.income.training.rows for value in row.values()}
    assert None in values
    assert "?" not in values


def test_models_have_learned_something(prepared: Prepared) -> None:
    bike, income = prepared.bike, prepared.income
    predicted = np.array(BikeModel(bike.training).predict(bike.reference.rows))
    rentals = np.array(bike.reference.outcomes)
    assert np.square(predicted - rentals).sum() < 0.5 * np.square(rentals - rentals.mean()).sum()
    predictions = IncomeModel(income.training).predict(income.reference.rows)
    pairs = zip(predictions, income.reference.outcomes, strict=True)
    assert np.mean([p["label"] == outcome for p, outcome in pairs]) > 0.85


def test_models_take_what_they_do_not_know(prepared: Prepared) -> None:
    (rentals,) = BikeModel(prepared.bike.training).predict([{"temp": "warm"}])
    assert math.isfinite(rentals)
    (prediction,) = IncomeModel(prepared.income.training).predict([{"workclass": "pirate"}])
    assert prediction["label"] in {"<=50K", ">50K"}


# --- The story is honest: no HTTP, no clock ---


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


def worse(prepared: Prepared, model: str, stretch: str, rows: int) -> set[str]:
    """The qualities that are worse than chance explains, once all outcomes are known."""
    monitor = Monitor(prepared.folder / "mlmon.toml")
    parts = prepared.bike if model == BIKE else prepared.income
    chosen = random.Random(0).choices(range(len(parts.traffic[stretch].rows)), k=rows)
    sent = [parts.traffic[stretch].rows[i] for i in chosen]
    outputs: Any
    if model == BIKE:
        outputs = BikeModel(parts.training).predict(sent)
    else:
        answers = IncomeModel(parts.training).predict(sent)
        outputs = {name: [answer[name] for answer in answers] for name in answers[0]}
    columns = {name: [row[name] for row in sent] for name in sent[0]}
    ids = [str(i) for i in range(rows)]
    monitor.observe(columns, outputs, model=model, prediction_ids=ids, now=NOW)
    outcomes = [parts.traffic[stretch].outcomes[i] for i in chosen]
    truths = [GroundTruth(i, outcome) for i, outcome in zip(ids, outcomes, strict=True)]
    monitor._desk.ground_truths(truths, NOW)
    found = measures(monitor.readings(now=NOW))
    assert {m.rows for m in found if m.model == model} == {rows}
    return {measure.name for measure in found if measure.is_worse}


@pytest.mark.parametrize("rows", [150, 2000])
def test_predictions_are_as_good_as_in_the_reference_while_nothing_changes(
    prepared: Prepared, rows: int
) -> None:
    assert worse(prepared, BIKE, "winter", rows) == set()
    assert worse(prepared, INCOME, "all", rows) == set()


@pytest.mark.parametrize("season", ["summer", "autumn"])
def test_rentals_are_predicted_worse_in_a_season_that_the_model_never_saw(
    prepared: Prepared, season: str
) -> None:
    assert worse(prepared, BIKE, season, 500) == {"mae"}


# --- Server and traffic ---


def test_traffic_reaches_the_monitor(prepared: Prepared) -> None:
    listener = listen(0)
    port = listener.getsockname()[1]
    latencies = Latencies()
    with listener, Server(prepared.app, listener):
        replay = Replay(port, "/income/predict", lambda: prepared.income.reference, latencies)
        replay.send()
        replay.close()
        answer = httpx.post(
            f"http://127.0.0.1:{port}/bike/predict",
            json={"instances": [prepared.bike.reference.rows[0]]},
            timeout=60,
        ).json()
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        page = httpx.get(f"http://127.0.0.1:{port}/", follow_redirects=True, timeout=60)
        docs = httpx.get(f"http://127.0.0.1:{port}/docs", timeout=60)
    assert latencies.speed().failures == 0
    assert 0 < prepared.added.speed().p50_seconds < latencies.speed().p50_seconds
    assert len(answer["predictions"]) == 1
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
        Replay(port, "/", lambda: Labelled([{"a": 1}] * 9, [1] * 9), latencies).send()
    assert latencies.speed().failures == 1
    assert math.isnan(latencies.speed().p50_seconds)


def test_seasons_pass_and_return() -> None:
    seasons = [Calendar(10.0).season(elapsed) for elapsed in (0, 9.9, 10, 25, 39, 40)]
    assert seasons == ["winter", "winter", "spring", "summer", "autumn", "winter"]


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=f"--port: cannot serve on port {port}: "):
            listen(port)
        result = CliRunner().invoke(program(), ["demo", "--port", str(port)])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1


# --- What is shown ---


def feature(model: str, name: str, *, is_drifted: bool) -> FeatureDrift:
    return FeatureDrift(model, name, 300, "psi", 0.5, 0.1, is_drifted, [0.5, 0.5], [0.1, 0.9])


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


def quality(model: str, name: str, value: float, *, threshold: float) -> Measure:
    return Measure(model, name, 4405, value, 43.6, threshold)


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


def test_quality_that_is_not_known_yet_is_not_worse() -> None:
    console = Console(width=80, record=True, file=StringIO())
    measure = quality(INCOME, "accuracy", math.nan, threshold=math.nan)
    console.print(quality_table([measure], []))
    assert not measure.is_worse
    assert re.search(r"income: accuracy +- +43\.6 +- +4405", console.export_text())


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


# --- The whole ---


def test_the_demo_sees_the_drift_that_is_there(tmp_path: Path) -> None:
    result = subprocess.run(
        [*DEMO, "--once", "--seconds", "20"],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={"TMPDIR": str(tmp_path), "PATH": str(tmp_path), "LOKY_MAX_CPU_COUNT": "1"},
    )
    assert result.stderr == ""
    assert result.returncode == 0, result.stdout
    assert "temp of bike-demand drifted after" in result.stdout
    for quality in ("income: accuracy", "income: F1", "income: parity by sex"):
        assert re.search(rf"{quality} +0\.\d", result.stdout), quality
    assert re.search(r"bike-demand: MAE +\d", result.stdout)
    assert "No alertmanager and no prometheus on the PATH: with both" in result.stdout
    assert "Paged" not in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_stops_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        DEMO,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                if text.startswith("Serving on"):
                    process.send_signal(number)
                    break
            output = process.stdout.read()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
    assert output.endswith("Stopped.\n")
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []
