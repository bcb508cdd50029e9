"""Facts about the demo's ground truth, through a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request

from mlmon_exporter import Monitor, Reference, instrument
from mlmon_exporter.cli.demo.ground_truth import DELAY_SECONDS, KNOWN_SHARE, LateTruths
from mlmon_exporter.cli.demo.quality import measures, parity
from tests.e2e.servers import serving, wait_until

TOKEN = "secret"
NOW = 1_700_000_000.0


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Monitor]]:
    """A port, and the monitor behind it."""
    folder = tmp_path_factory.mktemp("truths")
    values = [float(i) for i in range(100)]
    rows = {"x": values, "y": values, "truth": [value + 1 for value in values]}
    reference = Reference.build(rows, predictions="y", ground_truth="truth")
    reference.save(folder / "m.json")
    app = FastAPI()
    monitor = instrument(app, model="m", reference=str(folder / "m.json"), token=TOKEN)
    with serving(app) as url:
        yield int(url.rpartition(":")[2]), monitor
    monitor.close()


def matched(monitor: Monitor) -> float:
    return next(
        reading.value
        for reading in monitor.readings()
        if reading.name == "mlmon_ground_truth_total" and reading.labels["outcome"] == "matched"
    )


def test_truths_arrive_late_and_for_most_predictions(served: tuple[int, Monitor]) -> None:
    port, monitor = served
    clock = Clock()
    truths = LateTruths(port, TOKEN, clock)
    for i in range(100):
        ids = [f"a{i}:{row}" for row in range(10)]
        monitor.observe({"x": [1.0] * 10}, [1.0] * 10, prediction_ids=ids)
        truths.predicted(f"a{i}", [3.0] * 10)
    arrived = []
    for clock.now in (DELAY_SECONDS[0] - 0.1, sum(DELAY_SECONDS) / 2, DELAY_SECONDS[1]):
        truths.send()
        arrived.append(matched(monitor) / 1000)
    assert truths.failures == 0
    assert arrived == [
        0.0,
        pytest.approx(KNOWN_SHARE / 2, abs=0.05),
        pytest.approx(KNOWN_SHARE, abs=0.05),
    ]
    (mae,) = measures(monitor.readings())
    assert (mae.name, mae.value, mae.reference, mae.is_worse) == ("mae", 2.0, 1.0, True)


def test_the_id_of_a_single_row_is_the_requests(served: tuple[int, Monitor]) -> None:
    port, monitor = served
    clock = Clock()
    truths = LateTruths(port, TOKEN, clock)
    before = matched(monitor)
    ids = [f"single{i}" for i in range(20)]
    monitor.observe({"x": [1.0] * 20}, [1.0] * 20, prediction_ids=ids)
    for name in ids:
        truths.predicted(name, [1.0])
    clock.now = DELAY_SECONDS[1]
    truths.send()
    assert matched(monitor) > before


def test_messages_that_are_refused_are_counted(served: tuple[int, Monitor]) -> None:
    clock = Clock()
    truths = LateTruths(served[0], "wrong", clock)
    truths.predicted("id", [1.0] * 20)
    clock.now = DELAY_SECONDS[1]
    truths.send()
    truths.send()  # nothing is left to send
    assert truths.failures == 2  # one of ground truths, one of business numbers


def test_truths_are_sent_while_it_runs() -> None:
    app, got = FastAPI(), list[str]()

    @app.post("/ground-truth")
    async def take(request: Request) -> None:
        got.extend(record["prediction_id"] for record in json.loads(await request.body()))

    clock = Clock()
    with serving(app) as url:
        truths = LateTruths(int(url.rpartition(":")[2]), TOKEN, clock)
        truths.predicted("id", [1.0] * 50)
        clock.now = DELAY_SECONDS[1]
        truths.start()
        wait_until(lambda: got, what="a ground truth arrived")
        truths.close()
    assert {name.partition(":")[0] for name in got} == {"id"}


def test_parity_has_the_shares_of_the_segments(tmp_path: Path) -> None:
    columns = {
        "sex": ["a", "b"] * 200,
        "said": ["no", "no", "yes", "yes", "no", "yes", "no", "yes"] * 50,
        "truth": ["no", "yes"] * 200,
    }
    reference = Reference.build(
        columns, model="m", predictions="said", ground_truth="truth", segments=["sex"]
    )
    reference.save(tmp_path / "m.json")
    (tmp_path / "mlmon.toml").write_text(
        '[[models]]\nname = "m"\nreference = "m.json"\nsegments = ["sex"]\n'
    )
    monitor = Monitor(tmp_path / "mlmon.toml")
    monitor.observe({"sex": columns["sex"]}, columns["said"], now=NOW)
    found = parity(r for r in monitor.readings(now=NOW) if r.labels.get("window") == "1h")
    (by_sex,) = found
    assert (by_sex.model, by_sex.feature) == ("m", "sex")
    assert by_sex.selected == {"a": 0.25, "b": 0.75}
    assert by_sex.ratio == pytest.approx(1 / 3)
