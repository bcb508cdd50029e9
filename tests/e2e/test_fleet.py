"""Two replicas that serve different rows, scored as one model by Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import Body, FastAPI
from numpy.typing import NDArray

from mlmon_exporter import Monitor, Reference, instrument
from mlmon_exporter.assets.rules.all_scores import Plan, Window, all_groups
from mlmon_exporter.assets.rules.rule_files import rule_file
from mlmon_exporter.core.records import Reading
from mlmon_exporter.core.stats.scores import psi
from tests.newest_prometheus import newest_binary

from .pager import PACED
from .servers import Prometheus, prometheus, serving, wait_until

pytestmark = PACED
PLAN = Plan((Window("20s", "1s"), Window("16s", "2s", is_from_rate=True)), "5s", every="1s")
"""The hour and the day of the rules, shorter."""
LATE = 3.0
"""A rule that is evaluated now is about a time no more seconds ago: it is due every two at most."""
FULL_SCRAPES = 23 + round(LATE)
"""So many seconds fill both windows, and the rate before them."""
CONFIG = """
global: {{scrape_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: models
    static_configs: [{{targets: {targets}}}]
"""
SEASONS = ["winter", "spring", "autumn"]
SCORES = ("psi", "js_distance", "l_infinity")
"""Scores that are made of bins alone: those of the fleet are those of one process."""

Rows = Mapping[str, NDArray[Any]]
Scores = Mapping[tuple[str, str], float]
Shares = Mapping[tuple[str, str], float]
ROWS = 300
"""Rows of a request."""
TURNS = 1000
"""As many requests does one process serve that is compared with, for whole ones to have the same
shares."""


def rows_of(count: int, shares: list[float], shift: float, power: float) -> Rows:
    rng = np.random.default_rng(7)
    temp = rng.normal(shift, 1.0, count)
    temp[: count // 50] = np.nan
    seasons = rng.choice(SEASONS, count, p=shares)
    return {"temp": temp, "season": seasons, "cnt": rng.random(count) ** power}


REFERENCE = rows_of(5000, [0.3, 0.4, 0.3], shift=0.0, power=1.0)
WARM = rows_of(ROWS, [0.7, 0.1, 0.2], shift=1.0, power=0.5)
# The other replica is off by as much the other way: the fleet is less so than either of them, and
# no mean of their scores would do.
COLD = {
    "temp": -WARM["temp"],
    "season": np.array([SEASONS[2 - SEASONS.index(season)] for season in WARM["season"]]),
    "cnt": 1 - WARM["cnt"],
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("reference") / "bike.json"
    Reference.build(dict(REFERENCE), predictions="cnt").save(path)
    return str(path)


@contextmanager
def replica(reference: str) -> Iterator[str]:
    """Serve the model; gives its URL."""
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        return {"predictions": [row["answer"] for row in body["instances"]]}

    instrument(app, model="bike", reference=reference)
    with serving(app) as url:
        yield url


def body_of(rows: Rows) -> dict[str, Any]:
    columns = zip(*(rows[name].tolist() for name in ("temp", "season", "cnt")), strict=True)
    return {
        "instances": [
            {"temp": None if np.isnan(temp) else temp, "season": season, "answer": answer}
            for temp, season, answer in columns
        ]
    }


@contextmanager
def traffic(bodies: Mapping[str, Any]) -> Iterator[None]:
    """Post to each server its body, in turns, until the block ends."""
    is_over = threading.Event()

    def post() -> None:
        with httpx.Client(timeout=30) as client:
            while not is_over.wait(0.02):
                for url, body in bodies.items():
                    client.post(f"{url}/predict", json=body).raise_for_status()

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(10)


def one_process(reference: str, *parts: tuple[Rows, int]) -> list[Reading]:
    """Return what one process says that serves rows so many times each."""
    monitor = Monitor(model="bike", reference=reference)
    for rows, times in parts:
        repeated = {name: np.tile(values, times) for name, values in rows.items()}
        features = {"temp": repeated["temp"], "season": repeated["season"]}
        monitor.observe(features, {"cnt": repeated["cnt"]})
    return monitor.readings()


def scores_of(readings: list[Reading]) -> Scores:
    """Return the scores of an hour, by the name of the gauge and the column."""
    return {
        (reading.name, reading.labels.get("feature", "cnt")): reading.value
        for reading in readings
        if reading.labels.get("window") == "1h"
    }


def shares_of(readings: list[Reading]) -> Shares:
    """Return the shares of the rows in bins, by column and bin."""
    return {
        (reading.labels.get("feature", "cnt"), reading.labels["bin"]): reading.value / ROWS
        for reading in readings
        if reading.name.endswith("_bin_rows_total")
    }


def psi_of(readings: list[Reading], column: str, rows: float) -> float:
    """Return what PSI one process says if its rows were so many, with the same shares.

    Half a row is added to each bin: how many rows there are counts.
    """
    reference = {
        reading.labels["bin"]: reading.value
        for reading in readings
        if reading.name.endswith("_reference_ratio")
        and reading.labels.get("feature", "cnt") == column
    }
    found = {of: share for (name, of), share in shares_of(readings).items() if name == column}
    counts = np.array([found.get(of, 0.0) for of in reference])
    expected = np.array([*reference.values()]) * len(REFERENCE["cnt"])
    return float(psi(expected, counts / counts.sum() * rows)[0])


def scores_of_fleet(server: Prometheus, window: str, at: float) -> Scores:
    """Return what the rules say, by the name of the gauge and the column."""
    scores = {}
    for labels, value in server.query(f'{{__name__=~"(feature|output):.+:{window}"}}', at):
        name = labels.pop("__name__").split(":")[1]
        column = labels.pop("feature", None) or labels.pop("output")
        assert labels == {"job": "models", "model": "bike"}
        scores[name, column] = value
    return scores


def shares_of_fleet(server: Prometheus, window: str, at: float) -> Shares:
    """Return the shares that the rules score, by column and bin."""
    found = server.query(f'{{__name__=~".+_bin_ratio:{window}"}}', at)
    return {(labels.get("feature", "cnt"), labels["bin"]): value for labels, value in found}


def are_evaluated(server: Prometheus, at: float) -> bool:
    """Return whether all rules have been evaluated that were due until then."""
    groups = httpx.get(f"{server.url}/api/v1/rules", timeout=30).json()["data"]["groups"]
    # Of each group's last evaluation that is over, this is when it began.
    began = [datetime.fromisoformat(group["lastEvaluation"]).timestamp() for group in groups]
    return min(began) > at + LATE


def settled(server: Prometheus) -> float:
    """Wait for a moment by which all rules were evaluated on scrapes of which none had failed.

    A scrape that takes longer than a second, on a busy machine, ends all series for that second.
    """
    for _ in range(30):
        at = time.time() - LATE
        wait_until(partial(are_evaluated, server, at), what="all rules evaluated")
        answered = server.query("min_over_time(up[5s])", at)
        if [value for _, value in answered] == [1, 1]:
            return at
    raise TimeoutError("no five seconds in which all scrapes worked")


def is_scraped(server: Prometheus, times: int) -> bool:
    """Return whether both replicas were scraped so often, with rows."""
    counts = server.query("count_over_time(mlmon_prediction_rows_total[40s])")
    return len(counts) == 2 and all(count >= times for _, count in counts)


def test_the_fleet_has_the_scores_of_one_process_that_serves_all_rows(
    reference: str, tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    (tmp_path / "fleet.yml").write_text(rule_file(all_groups(PLAN), ""))
    binaries = {"installed": require_binary("prometheus"), "newest": newest_binary("prometheus")}
    with ExitStack() as stack:
        warm, cold = (stack.enter_context(replica(reference)) for _ in range(2))
        targets = [url.removeprefix("http://") for url in (warm, cold)]
        config = CONFIG.format(rules=tmp_path / "fleet.yml", targets=targets)
        stack.enter_context(traffic({warm: body_of(WARM), cold: body_of(COLD)}))
        servers = [
            stack.enter_context(prometheus(binary, tmp_path / name, config))
            for name, binary in binaries.items()
        ]
        for server in servers:
            wait_until(partial(is_scraped, server, FULL_SCRAPES), what="full windows")
            at = settled(server)
            for window in PLAN.windows:
                shares = shares_of_fleet(server, window.range, at)
                check_scores(scores_of_fleet(server, window.range, at), shares, reference)


def check_scores(fleet: Scores, shares: Shares, reference: str) -> None:
    assert {column for _, column in fleet} == {"temp", "season", "cnt"}
    parts = [one_process(reference, (rows, 1)) for rows in (WARM, COLD)]
    warm, cold = map(shares_of, parts)
    for column in ("temp", "season", "cnt"):
        weight = weight_of_warm(shares, warm, cold, column)
        times = round(weight * TURNS)
        readings = one_process(reference, (WARM, times), (COLD, TURNS - times))
        pooled = {**scores_of(readings)}
        of_model = f"mlmon_{'prediction' if column == 'cnt' else 'feature'}"
        said = pooled[f"{of_model}_psi", column]
        assert said == pytest.approx(psi_of(readings, column, TURNS * ROWS), rel=1e-6)
        rows = fleet[f"{of_model}_rows", column]
        pooled[f"{of_model}_psi", column] = psi_of(readings, column, rows)
        for (name, scored), score in fleet.items():
            if scored != column:
                continue
            if name.endswith(SCORES):
                assert score == pytest.approx(pooled[name, column], rel=0.005), (name, column)
                assert all(scores_of(part)[name, column] > 1.1 * score for part in parts)
            elif name.endswith("ks_statistic"):
                # Bins are coarser than the cells in which one process compares.
                assert 0.7 * pooled[name, column] < score < 1.01 * pooled[name, column]
    assert len(fleet) == 3 * len(("rows", "psi", "noise", "js", "hellinger", "ks or l_infinity"))


def weight_of_warm(fleet: Shares, warm: Shares, cold: Shares, column: str) -> float:
    """Return the share of the fleet's rows that the warm replica served, from a column's bins.

    Both serve as many, but a window begins and ends with a scrape, and each replica is scraped at
    its own time: in so short a window that is worth a few percent.
    """
    bins = [key for key in warm if key[0] == column]
    of_fleet, of_warm, of_cold = (
        np.array([shares.get(key, 0.0) for key in bins]) for shares in (fleet, warm, cold)
    )
    change = of_warm - of_cold
    weight = float((of_fleet - of_cold) @ change / (change @ change))
    assert weight == pytest.approx(0.5, abs=0.1)
    assert of_fleet == pytest.approx(of_cold + weight * change, abs=0.002)
    return weight
