"""Several monitors of one folder in one process stand for the workers of a server."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlmon_exporter import Config, Monitor, Reference
from mlmon_exporter.cli.server import server_app
from mlmon_exporter.state import store as store_module
from mlmon_exporter.state.shared import SETTLE_SECONDS
from mlmon_exporter.state.store import FILE
from tests.asgi import get, shut_down

NOW = 1_750_000_000.0
FLUSH_SECONDS = 60.0
"""Longer than a test: what is flushed is flushed by the test."""
SETTLED = NOW + FLUSH_SECONDS + SETTLE_SECONDS
Rows = dict[str, NDArray[Any]]


@pytest.fixture
def reference(tmp_path: Path) -> str:
    path = tmp_path / "m.json"
    Reference.build(rows(5000, seed=0, shift=0.0), predictions="score").save(path)
    return str(path)


def rows(count: int, seed: int, shift: float = 0.5) -> Rows:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=count) + shift,
        "k": rng.poisson(3, count).astype(float),
        "c": rng.choice(["a", "b", "c"], count),
        "score": rng.random(count),
    }


class Workers:
    """Monitors that share a folder."""

    def __init__(self, reference: str, folder: Path) -> None:
        self.reference, self.folder = reference, folder
        self.all: list[Monitor] = []

    def start(self, **options: Any) -> Monitor:
        config = Config.from_options(
            None,
            model="m",
            reference=self.reference,
            state_dir=str(self.folder),
            flush_seconds=FLUSH_SECONDS,
            **options,
        )
        monitor = Monitor(config)
        self.all.append(monitor)
        return monitor


@pytest.fixture
def workers(reference: str, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(reference, tmp_path / "state")
    yield started
    for monitor in started.all:
        monitor.close()


def observe(monitor: Monitor, columns: Rows, now: float = NOW, version: str | None = None) -> None:
    features = {name: values for name, values in columns.items() if name != "score"}
    monitor.observe(features, {"score": columns["score"]}, now=now, version=version)


def numbers(monitor: Monitor, now: float = NOW) -> dict[tuple[str, ...], float]:
    return {
        (reading.name, *reading.labels.values()): reading.value
        for reading in monitor.readings(now=now)
        if reading.name.startswith(("mlmon_feature_", "mlmon_prediction_"))
    }


def knows_dependence(monitor: Monitor, now: float) -> float:
    found = (r.value for r in monitor.readings(now=now) if r.name == "mlmon_dependence_known")
    return next(found)


def predicted(monitor: Monitor, now: float = NOW) -> float:
    return sum(
        reading.value
        for reading in monitor.readings(now=now)
        if reading.name == "mlmon_prediction_rows_total"
    )


def share_between(column: str, a: float, b: float) -> float:
    values = np.concatenate([rows(500, seed)[column] for seed in range(8)])
    return float(((values > min(a, b)) & (values < max(a, b))).mean())


def test_whichever_worker_is_asked_gives_the_numbers_of_one(
    workers: Workers, reference: str
) -> None:
    single = Monitor(model="m", reference=reference)
    for seed in range(8):
        worker = workers.start()
        observe(worker, rows(500, seed))
        observe(single, rows(500, seed))
    expected = numbers(single)
    # Every worker adds what it has when it is asked, or after `flush_seconds`.
    for worker in workers.all:
        worker.readings(now=NOW)
    for worker in workers.all:
        found = numbers(worker)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            if "quantile" in key[0]:
                # A digest may say any value that no row lies beyond.
                assert share_between(key[3], found[key], value) <= 0.01, key
            else:
                rel = 0.05 if "wasserstein" in key[0] else 1e-12
                assert found[key] == pytest.approx(value, rel=rel, abs=1e-9), key


def test_what_was_counted_before_another_engine_was_chosen_still_counts(workers: Workers) -> None:
    first = workers.start(digest="fastdigest")
    for pane in range(3):
        observe(first, rows(500, seed=pane), now=NOW - 600.0 * pane)
    before = numbers(first)
    first._upkeep.tick(NOW)
    second = workers.start(digest="tdigest")
    observe(second, rows(500, seed=3))
    after = numbers(second)
    assert after.keys() == before.keys()
    assert after["mlmon_feature_window_rows", "m", "", "x", "1h"] == 2000
    median = after["mlmon_feature_quantile", "m", "", "x", "0.5", "1h"]
    values = np.concatenate([rows(500, seed)["x"] for seed in range(4)])
    assert abs((values <= median).mean() - 0.5) < 0.01
    assert "mlmon_internal_errors_total" not in {
        reading.name for reading in second.readings(now=NOW) if reading.value
    }


def test_a_worker_that_died_leaves_its_counts_and_restarts_go_on(workers: Workers) -> None:
    first = workers.start()
    observe(first, rows(300, seed=1))
    first._upkeep.tick(NOW)  # then it is killed: nothing is closed
    second = workers.start()
    observe(second, rows(200, seed=2))
    assert predicted(second) == 500
    key = ("mlmon_feature_window_rows", "m", "", "x", "1h")
    assert numbers(second)[key] == 500


def test_the_last_monitor_to_close_closes_the_file(workers: Workers) -> None:
    one, two = workers.start(), workers.start()
    for worker in (one, two):
        observe(worker, rows(100, seed=1))
        worker.readings(now=NOW)
    log = workers.folder / f"{FILE}-wal"
    one.close()
    assert log.exists()
    two.close()
    assert not log.exists()  # SQLite removes it with the last connection


def test_versions_at_once_are_told_apart(workers: Workers) -> None:
    one, two = workers.start(), workers.start()
    observe(one, rows(200, seed=1), version="1")
    observe(two, rows(300, seed=2), version="2")
    one.readings(now=NOW)
    found = numbers(two)
    assert found["mlmon_feature_window_rows", "m", "1", "x", "1h"] == 200
    assert found["mlmon_feature_window_rows", "m", "2", "x", "1h"] == 300


def test_panes_leave_the_window_and_then_the_file(workers: Workers) -> None:
    worker = workers.start()
    observe(worker, rows(300, seed=1))
    worker.readings(now=NOW)
    later = NOW + 3700.0
    observe(worker, rows(100, seed=2), now=later)
    found = numbers(worker, now=later)
    assert found["mlmon_feature_window_rows", "m", "", "x", "1h"] == 100
    assert found["mlmon_feature_window_rows", "m", "", "x", "24h"] == 400
    for day in range(1, 6):
        observe(worker, rows(10, seed=day), now=NOW + day * 86400.0)
        worker.readings(now=NOW + day * 86400.0)
    with sqlite3.connect(workers.folder / FILE) as file:
        (kept,) = file.execute(
            'SELECT count(*) FROM state WHERE key LIKE \'part ["m","",%\''
        ).fetchone()
    file.close()
    assert kept <= 2 * (2 + 14 + 14)


def test_stretches_of_all_workers_outlive_panes_and_restarts(workers: Workers) -> None:
    day = 86400.0
    begin = NOW // day * day
    two = [workers.start(), workers.start()]
    for hour in range(9 * 24):
        observe(two[hour % 2], rows(10, hour), begin + hour * 3600.0)
        if hour % 24 > 21:
            two[hour % 2].readings(now=begin + hour * 3600.0)
    again = workers.start()
    assert [knows_dependence(again, begin + days * day) for days in (7.5, 9.5, 40)] == [0, 1, 0]


def test_a_clock_set_back_loses_nothing(workers: Workers) -> None:
    worker, other = workers.start(), workers.start()
    observe(worker, rows(200, seed=1))
    worker.readings(now=NOW)
    observe(other, rows(100, seed=2), now=NOW - 3600.0)
    assert predicted(other, now=NOW - 3600.0) == 300
    observe(other, rows(100, seed=3), now=NOW)
    found = numbers(other)
    assert found["mlmon_feature_window_rows", "m", "", "x", "1h"] == 300
    assert found["mlmon_feature_window_rows", "m", "", "x", "24h"] == 400


ERRORS = "mlmon_internal_errors_total"


def errors(monitor: Monitor) -> float:
    return monitor._counts.health.counters[ERRORS].cells["store",]


def test_while_the_file_is_locked_counts_wait_and_the_fault_is_logged_once(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "WAIT_SECONDS", 0.02)
    worker = workers.start()
    observe(worker, rows(200, seed=1))
    assert predicted(worker) == 200
    lock = sqlite3.connect(workers.folder / FILE, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    for seed in (2, 3):
        observe(worker, rows(100, seed=seed))
        assert predicted(worker) == 100 * (seed + 1)  # what was last seen, and what waits
    assert errors(worker) >= 2
    assert caplog.text.count("what it lacks waits in memory") == 1
    lock.rollback()
    lock.close()
    assert predicted(worker) == 400
    key = ("mlmon_feature_window_rows", "m", "", "x", "1h")
    assert numbers(worker)[key] == 400


@pytest.mark.parametrize("fault", ["deleted", "damaged"])
def test_no_counter_goes_back_when_the_file_is_lost(workers: Workers, fault: str) -> None:
    one, two, unscraped = workers.start(), workers.start(), workers.start()
    observe(one, rows(300, seed=1))
    observe(two, rows(200, seed=2))
    assert predicted(one) == 300
    assert predicted(two) == 500
    assert predicted(one) == 500
    path = workers.folder / FILE
    if fault == "deleted":
        for file in workers.folder.iterdir():
            file.unlink()
    else:
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(b"noise" * 5000)
    observe(unscraped, rows(50, seed=3))
    unscraped._upkeep.tick(NOW)
    unscraped._upkeep.tick(NOW)
    observe(one, rows(100, seed=4))
    # Nobody knows whether another worker has shown more, until it had the time to restore that.
    assert [predicted(worker) for worker in workers.all] == [0, 0, 0]
    assert {predicted(worker, SETTLED) for worker in workers.all} == {650}
    key = ("mlmon_feature_window_rows", "m", "", "x", "1h")
    assert {numbers(worker, SETTLED)[key] for worker in workers.all} == {650}
    shared = one._upkeep.shared
    assert shared is not None
    assert shared._loaded.health.counters[ERRORS].cells["store",] >= 1


def test_what_nobody_had_scraped_is_restored_by_who_wrote_it(workers: Workers) -> None:
    scraped, unscraped = workers.start(), workers.start()
    observe(scraped, rows(300, seed=1))
    assert predicted(scraped) == 300
    observe(unscraped, rows(200, seed=2))
    unscraped._upkeep.tick(NOW)
    (workers.folder / FILE).unlink()
    for worker in workers.all:
        worker._upkeep.tick(NOW)
        worker._upkeep.tick(NOW)
    assert {predicted(worker, SETTLED) for worker in workers.all} == {500}


def test_workers_learn_one_reference(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "model": "m",
        "state_dir": str(tmp_path),
        "learn_rows": 500,
        "flush_seconds": 3600,
    }
    one, two = Monitor(**options), Monitor(**options)
    one.observe({"x": np.arange(600.0)}, now=NOW)
    two.observe({"x": np.arange(100.0)}, now=NOW)
    assert two.models["m"].feature_names() == ()
    two.readings(now=NOW)
    learned = [value for value in (one, two) if value.models["m"].reference is not None]
    assert learned == [one, two]
    assert {
        reading.value
        for worker in learned
        for reading in worker.readings(now=NOW)
        if reading.name == "mlmon_reference_rows"
    } == {600}
    one.observe({"x": np.arange(100.0)}, now=NOW)
    two.observe({"x": np.arange(100.0)}, now=NOW)
    one.readings(now=NOW)
    key = ("mlmon_feature_window_rows", "m", "", "x", "1h")
    assert numbers(two)[key] == 200
    one.close()
    two.close()


def test_a_server_of_its_own_shows_the_same(workers: Workers, reference: str) -> None:
    worker = workers.start()
    observe(worker, rows(400, seed=1), now=time.time())
    worker._upkeep.tick()
    config = Config.from_options(
        None, model="m", reference=reference, state_dir=str(workers.folder)
    )
    app = server_app(config)
    text = get(app, "/metrics").text
    assert 'mlmon_prediction_rows_total{model="m",version=""} 400' in text
    assert get(app, "/healthz").json()["status"] == "ok"
    # It is no worker: its own memory is not the model server's.
    assert len(re.findall(r"^process_resident_memory_bytes ", text, re.MULTILINE)) == 1
    log = workers.folder / f"{FILE}-wal"
    worker.close()
    assert log.exists()
    shut_down(app)
    assert not log.exists()
