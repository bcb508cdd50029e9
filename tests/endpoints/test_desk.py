"""Facts about ground truths and KPIs: from a prediction to its outcome, wherever it waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from mlmon_exporter import Monitor, Reference, instrument
from mlmon_exporter.state.errors import StoreError
from tests.e2e.postgresql import postgresql

NOW = 1_800_000_000.0
DAY = 86400.0
TOKEN = "secret"
NO_VALUE = (
    "ground_truth: expected a finite number, a boolean, or a text of 1 to 128 characters, "
    "got nothing"
)
Options = Mapping[str, Any]
Build = Callable[..., Monitor]
IN_POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression: the prediction is `x`, the truth is near it."""
    rng = np.random.default_rng(0)
    x = rng.normal(10.0, 2.0, 2000)
    data = {"x": x, "color": rng.choice(["red", "blue"], 2000), "y_hat": x}
    path = tmp_path_factory.mktemp("reference") / "reference.json"
    truth = x + rng.normal(0.0, 0.5, 2000)
    Reference.build({**data, "y": truth}, predictions="y_hat", ground_truth="y").save(path)
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["memory", "shared", IN_POSTGRESQL])
def options(request: pytest.FixtureRequest, tmp_path: Path, reference: Path) -> Options:
    options: dict[str, Any] = {"model": "m", "reference": str(reference), "flush_seconds": 3600}
    if request.param == "shared":
        options["state_dir"] = str(tmp_path / "state")
    elif request.param == "postgresql":
        options["ground_truth_store"] = request.getfixturevalue("server")
    return options


@pytest.fixture
def build() -> Iterator[Build]:
    """Give what builds a monitor, which is closed after the test."""
    built: list[Monitor] = []

    def one(options: Options, **more: Any) -> Monitor:
        built.append(Monitor(**{**options, **more}))
        return built[-1]

    yield one
    for monitor in built:
        monitor.close()


def predict(monitor: Monitor, ids: list[str], now: float = NOW) -> None:
    rows = np.arange(len(ids)) + 8.0
    colors = ["red"] * len(ids)
    monitor.observe({"x": rows, "color": colors}, {"y_hat": rows}, prediction_ids=ids, now=now)


def shown(monitor: Monitor, name: str, now: float = NOW, **labels: str) -> list[float]:
    return [
        reading.value
        for reading in monitor.readings(now)
        if reading.name == name and labels.items() <= reading.labels.items()
    ]


def statuses(monitor: Monitor, now: float = NOW) -> dict[str, float]:
    return {
        reading.labels["outcome"]: reading.value
        for reading in monitor.readings(now)
        if reading.name == "mlmon_ground_truth_total" and reading.value
    }


def unique(request: pytest.FixtureRequest, count: int) -> list[str]:
    """Return ids that no other test has used on the same server."""
    return [f"{request.node.name}-{i}" for i in range(count)]


def test_each_ground_truth_is_answered_and_counted(
    options: Options, build: Build, request: pytest.FixtureRequest
) -> None:
    monitor = build(options)
    new, old, odd, *_ = ids = unique(request, 3)
    predict(monitor, [new, odd])
    predict(monitor, [old], now=NOW - 2 * DAY)
    answers = [
        monitor.observe_ground_truth(new, 9.0, now=NOW),
        monitor.observe_ground_truth(new, 9.0, now=NOW),
        monitor.observe_ground_truth(old, 9.0, now=NOW),
        monitor.observe_ground_truth("nobody", 9.0, now=NOW),
        monitor.observe_ground_truth(odd, "nine", now=NOW),
    ]
    assert answers == ["matched", "duplicate", "late", "unknown", "invalid"]
    # A ground truth that cannot be used does not use its prediction up.
    assert monitor.observe_ground_truth(odd, 9.5, now=NOW) == "matched"
    assert len(ids) == 3


def test_quality_is_of_the_joined_rows(
    options: Options, build: Build, request: pytest.FixtureRequest
) -> None:
    monitor = build(options, min_window_rows=1)
    ids = unique(request, 20)
    predict(monitor, ids)
    truth = np.arange(20) + 8.0 + np.where(np.arange(20) % 2, 1.0, -3.0)
    for name, value in zip(ids[:15], truth, strict=False):
        monitor.observe_ground_truth(name, float(value), now=NOW)
    errors = np.where(np.arange(15) % 2, 1.0, -3.0)
    for window in ("1h", "24h"):
        assert shown(monitor, "mlmon_quality_mae", window=window) == [
            pytest.approx(np.abs(errors).mean())
        ]
        assert shown(monitor, "mlmon_quality_rows", window=window) == [15.0]


def test_predictions_that_wait_are_counted(
    options: Options, build: Build, request: pytest.FixtureRequest
) -> None:
    monitor = build(options)
    before = sum(shown(monitor, "mlmon_pending_predictions"))
    ids = unique(request, 5)
    predict(monitor, ids)
    assert sum(shown(monitor, "mlmon_pending_predictions")) == before + 5
    monitor.observe_ground_truth(ids[0], 1.0, now=NOW)
    assert sum(shown(monitor, "mlmon_pending_predictions")) == before + 4


def test_a_kpi_is_counted_for_the_version_that_predicted(
    options: Options, build: Build, request: pytest.FixtureRequest
) -> None:
    monitor = build(options, version="7")
    (name,) = unique(request, 1)
    predict(monitor, [name])
    monitor.observe_kpi("revenue", 2.5, name, now=NOW)
    monitor.observe_kpi("revenue", 4.0, now=NOW)
    assert shown(monitor, "mlmon_kpi_value_total", version="7", kpi="revenue") == [2.5]
    assert shown(monitor, "mlmon_kpi_value_total", version="", kpi="revenue") == [4.0]
    with pytest.raises(ValueError, match="expected a finite number"):
        monitor.observe_kpi("revenue", float("nan"))
    with pytest.raises(ValueError, match=r"model: expected one of .*, got 'typo'"):
        monitor.observe_kpi("revenue", model="typo")


@pytest.mark.parametrize("options", ["shared", IN_POSTGRESQL], indirect=True)
def test_an_outcome_may_arrive_at_another_worker_and_before_its_prediction(
    options: Options, build: Build, request: pytest.FixtureRequest
) -> None:
    one, two = build(options), build(options)
    (name,) = unique(request, 1)
    predict(one, [name])
    # The first worker holds its predictions until its next flush.
    assert two.observe_ground_truth(name, 9.0, now=NOW) == "unknown"
    assert statuses(two) == {}
    one._upkeep.tick(NOW + 1)
    counted = statuses(one, NOW + 1)
    assert counted == {"matched": 1.0}


@pytest.mark.parametrize("options", ["shared", IN_POSTGRESQL], indirect=True)
def test_an_outcome_of_nobody_is_unknown_after_a_while(options: Options, build: Build) -> None:
    monitor = build(options)
    assert monitor.observe_ground_truth("nobody at all", 9.0, now=NOW) == "unknown"
    monitor._upkeep.tick(NOW + 3600.0)
    assert "unknown" not in statuses(monitor, NOW + 3600.0)
    monitor._upkeep.tick(NOW + 4 * 3600.0)
    assert statuses(monitor, NOW + 4 * 3600.0)["unknown"] >= 1.0


@pytest.mark.parametrize("options", ["shared"], indirect=True)
def test_what_was_answered_survives_the_process(options: Options, build: Build) -> None:
    one = build(options, min_window_rows=1)
    predict(one, ["a", "b"])
    one._upkeep.tick(NOW)
    assert one.observe_ground_truth("a", 9.0, now=NOW) == "matched"
    # No flush and no close: as after SIGKILL.
    two = build(options, min_window_rows=1)
    assert shown(two, "mlmon_quality_rows", window="24h") == [1.0]
    assert two.observe_ground_truth("a", 9.0, now=NOW) == "duplicate"
    assert two.observe_ground_truth("b", 9.0, now=NOW) == "matched"


@pytest.mark.parametrize("options", ["memory", "shared"], indirect=True)
def test_the_oldest_of_too_many_predictions_go_and_are_counted(
    options: Options, build: Build
) -> None:
    monitor = build(options, pending_rows=3)
    predict(monitor, list("abcde"))
    monitor._upkeep.tick(NOW)
    assert shown(monitor, "mlmon_dropped_total", reason="pending_full") == [2.0]
    answers = [monitor.observe_ground_truth(name, 9.0, now=NOW) for name in "abcde"]
    assert answers == ["unknown", "unknown", "matched", "matched", "matched"]


@pytest.mark.parametrize("options", ["memory", "shared"], indirect=True)
def test_a_prediction_under_an_id_that_waits_is_counted_and_the_first_stays(
    options: Options, build: Build
) -> None:
    monitor = build(options)
    predict(monitor, list("ab"))
    monitor._upkeep.tick(NOW)
    predict(monitor, list("bcc"))
    monitor._upkeep.tick(NOW)
    assert shown(monitor, "mlmon_dropped_total", reason="pending_duplicate") == [2.0]
    assert shown(monitor, "mlmon_dropped_total", reason="pending_full") == []
    assert shown(monitor, "mlmon_pending_predictions") == [3.0]


def test_a_store_that_cannot_be_written_takes_nothing(
    tmp_path: Path, reference: Path, build: Build
) -> None:
    monitor = build({"model": "m", "reference": str(reference), "state_dir": str(tmp_path / "s")})
    predict(monitor, ["a"])
    monitor._upkeep.tick(NOW)
    (tmp_path / "s").rename(tmp_path / "away")
    (tmp_path / "s").write_text("a file where the folder was")
    with pytest.raises(StoreError):
        monitor.observe_ground_truth("a", 9.0, now=NOW)
    (tmp_path / "s").unlink()
    (tmp_path / "away").rename(tmp_path / "s")
    assert monitor.observe_ground_truth("a", 9.0, now=NOW) == "matched"


def test_ground_truths_of_many_threads_are_joined_once_each(
    options: Options, build: Build, request: pytest.FixtureRequest
) -> None:
    monitor = build(options)
    ids = unique(request, 200)
    predict(monitor, ids)
    answers: list[str] = []

    def send(names: list[str]) -> None:
        answers.extend(monitor.observe_ground_truth(name, 9.0, now=NOW) for name in names)

    threads = [threading.Thread(target=send, args=(ids[i % 2 :: 2],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers.count("matched"), answers.count("duplicate")) == (200, 600)


def served(reference: Path, **more: Any) -> tuple[FastAPI, Monitor]:
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any]) -> dict[str, Any]:
        return {"predictions": [row["x"] for row in body["instances"]]}

    monitor = instrument(app, model="m", reference=str(reference), min_window_rows=1, **more)
    return app, monitor


def requests(app: FastAPI, *asked: tuple[str, str, Any, dict[str, str]]) -> list[httpx.Response]:
    async def go() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [
                await client.request(method, path, json=body, headers=headers)
                for method, path, body, headers in asked
            ]

    return asyncio.run(go())


def test_from_a_request_to_its_quality_over_http(reference: Path) -> None:
    app, monitor = served(reference, token=TOKEN)
    rows = [{"x": 8.0, "color": "red"}, {"x": 9.0, "color": "blue"}]
    token = {"Authorization": f"Bearer {TOKEN}"}
    truths = [
        {"prediction_id": "r1:0", "ground_truth": 10.0},
        {"prediction_id": "r1:1", "ground_truth": 9.0},
        {"prediction_id": "r2", "ground_truth": 8.0},
        {"prediction_id": "r2"},
    ]
    *_, joined, kpi, denied = requests(
        app,
        ("POST", "/predict", {"instances": rows}, {"X-Prediction-Id": "r1"}),
        ("POST", "/predict", {"instances": rows[:1]}, {"X-Prediction-Id": "r2"}),
        ("POST", "/ground-truth", truths, token),
        ("POST", "/kpi", {"kpi": "sale", "prediction_id": "r2"}, token),
        ("POST", "/ground-truth", truths, {}),
    )
    assert joined.json() == {
        "matched": 3,
        "late": 0,
        "unknown": 0,
        "duplicate": 0,
        "invalid": 1,
        "errors": [
            {
                "index": 3,
                "reason": NO_VALUE,
            }
        ],
    }
    assert kpi.json() == {"counted": 1, "invalid": 0, "errors": []}
    assert denied.status_code == 401
    readings = {(r.name, r.labels.get("window")): r.value for r in monitor.readings()}
    assert readings["mlmon_quality_mae", "1h"] == pytest.approx(2 / 3)
    assert readings["mlmon_kpi_events_total", None] == 1.0
    monitor.close()


def test_without_a_token_the_address_is_the_apps_own(reference: Path) -> None:
    app, monitor = served(reference)
    (answer,) = requests(app, ("POST", "/ground-truth", {}, {}))
    assert answer.status_code == 404
    monitor.close()
