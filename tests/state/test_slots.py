"""Versions come and go while the state stays: monitors of one folder stand for deployments."""

from __future__ import annotations

import random
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.core.counts.version_uses import IDLE_SECONDS
from mlmon_exporter.core.keys import ALL_VERSIONS
from mlmon_exporter.core.records import Reading
from mlmon_exporter.state.store import FILE

NOW = 1_750_000_000.0
HOUR, DAY = 3600.0, 86400.0
KEPT = 2 * DAY
"""The longest window, and a day."""


class Deployments:
    """Monitors that share a folder, each with a version of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "state"
        self._reference = folder / "m.json"
        rng = np.random.default_rng(0)
        scores, truths = rng.random(500), rng.choice(["no", "yes"], 500)
        columns = {"x": rng.normal(size=500), "score": scores, "y": truths}
        made = Reference.build(columns, predictions="score", ground_truth="y")
        made.save(self._reference)
        self.all: list[Monitor] = []
        self._stopped: list[Monitor] = []
        """Kept: one that is gone flushes a last time, by the clock."""

    def start(self, version: str | None = None, **options: Any) -> Monitor:
        options = {"flush_seconds": 3600, "state_dir": str(self.folder), **options}
        monitor = Monitor(model="m", version=version, reference=str(self._reference), **options)
        self.all.append(monitor)
        return monitor

    def stop(self, monitor: Monitor, now: float) -> None:
        """Have its last counts added, and close but the file: all else would be by the clock."""
        monitor._upkeep.tick(now)
        assert monitor._upkeep.shared is not None
        monitor._upkeep.shared.close()
        self.all.remove(monitor)
        self._stopped.append(monitor)

    def execute(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.folder / FILE)) as file, file:
            return file.execute(statement, values).fetchall()

    def versions_kept(self) -> set[str]:
        """Return the versions that the file has parts of."""
        keys = self.execute("SELECT key FROM state WHERE key LIKE 'part %'")
        return {orjson.loads(key[5:])[1] for (key,) in keys} - {ALL_VERSIONS}

    def bytes_kept(self) -> int:
        """Return the size of what is in the file; it keeps what was freed for what comes."""
        return int(self.execute("SELECT sum(length(value)) FROM state")[0][0])


@pytest.fixture
def deployments(tmp_path: Path) -> Iterator[Deployments]:
    started = Deployments(tmp_path)
    yield started
    for monitor in started.all:
        monitor.close()


def observe(monitor: Monitor, now: float, count: int = 10, version: str | None = None) -> None:
    rng = np.random.default_rng(count)
    columns = {"x": rng.normal(size=count)}
    monitor.observe(columns, {"score": rng.random(count)}, now=now, version=version)


def request(monitor: Monitor, version: str) -> None:
    monitor._counts.requests.record(
        ("m", version, "/predict", "POST", 200, "ok"), (0.01, 0.01, 10, 10)
    )


def scraped(monitor: Monitor, now: float) -> list[Reading]:
    return monitor.readings(now=now)


def by_version(readings: list[Reading], name: str) -> dict[str, float]:
    """Version -> the sum of a metric, of the shortest window if it has windows."""
    sums: dict[str, float] = {}
    for reading in readings:
        if reading.name == name and reading.labels.get("window", "1h") == "1h":
            version = reading.labels["version"]
            sums[version] = sums.get(version, 0.0) + reading.value
    return sums


def rows(monitor: Monitor, now: float) -> dict[str, float]:
    return by_version(scraped(monitor, now), "mlmon_feature_bin_rows_total")


def versions(readings: list[Reading]) -> set[str]:
    return {r.labels["version"] for r in readings if r.labels.get("model") == "m"}


def overflows(readings: list[Reading]) -> float:
    return sum(
        r.value
        for r in readings
        if r.name == "mlmon_label_overflow_total" and r.labels["label"] == "version"
    )


def test_after_many_deployments_there_is_room_for_a_canary(deployments: Deployments) -> None:
    for i in range(9):
        old = deployments.start(f"v{i}")
        observe(old, NOW + i * DAY)
        deployments.stop(old, NOW + i * DAY)
    now = NOW + 20 * DAY
    champion = deployments.start("v9")
    for _ in range(3):
        observe(champion, now)
        observe(champion, now, version="v10")
        found = scraped(champion, now)
    assert by_version(found, "mlmon_feature_window_rows") == {"v9": 30, "v10": 30}
    assert by_version(found, "mlmon_feature_bin_rows_total") == {"v9": 30, "v10": 30}
    assert by_version(found, "mlmon_prediction_rows_total") == {"v9": 30, "v10": 30}
    assert overflows(found) == 0
    deployments.stop(champion, now)
    assert rows(deployments.start("v9"), now) == {"v9": 30, "v10": 30}


@pytest.mark.parametrize("every", [IDLE_SECONDS + 60.0, HOUR * 6, DAY])
@pytest.mark.slow
def test_numbers_and_file_are_of_as_many_versions_as_there_may_be(
    deployments: Deployments, every: float
) -> None:
    counts, sizes = [], []
    for i in range(40):
        now = NOW + i * every
        deployed = deployments.start(f"2026-{i:03d}")
        observe(deployed, now)
        request(deployed, f"2026-{i:03d}")
        found = scraped(deployed, now)
        counts.append(len(versions(found)))
        sizes.append(deployments.bytes_kept())
        assert overflows(found) == 0
        deployments.stop(deployed, now)
    assert max(counts) <= 8
    assert counts[-1] == counts[20]
    assert sizes[-1] <= 1.2 * sizes[20]
    assert len(deployments.versions_kept()) == counts[-1]


def test_versions_of_several_workers_are_never_other_and_no_counter_falls(
    deployments: Deployments,
) -> None:
    for i in range(8):
        old = deployments.start(f"v{i}")
        observe(old, NOW)
        deployments.stop(old, NOW)
    asked, before, after = (deployments.start(f"v{i}") for i in (9, 8, 10))
    for step in range(1, 5):
        observe(before, NOW, 100)
        before._upkeep.tick(NOW)
        assert rows(asked, NOW)["v8"] == 100 * step
        observe(after, NOW, 5)
        after._upkeep.tick(NOW)
        assert rows(asked, NOW)["v10"] == 5 * step
        assert "other" not in rows(asked, NOW)


def test_what_is_too_many_adds_up_in_other_whoever_counts_and_whoever_is_asked(
    deployments: Deployments,
) -> None:
    workers = [deployments.start("v0", max_versions=3) for _ in range(3)]
    expected = 0
    for turn in range(4):
        for number, worker in enumerate(workers):
            # Each has seen others than the rest when it chooses what fits.
            for version in (f"a{number}", f"b{number}"):
                observe(worker, NOW, 10 + turn, version=version)
                expected += 10 + turn
            worker._upkeep.tick(NOW)
            shown = [rows(each, NOW) for each in workers]
            assert shown == [shown[0]] * 3
            assert sum(shown[0].values()) == expected
    assert set(shown[0]) == {"v0", "a0", "b0", "other"}
    found = scraped(workers[0], NOW)
    assert by_version(found, "mlmon_prediction_rows_total") == shown[0]
    assert overflows(found) > 0


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.slow
def test_no_counter_falls_but_that_of_a_version_that_was_dropped(
    deployments: Deployments, seed: int
) -> None:
    """In any order of deployments, rows, flushes and scrapes, while time goes on and back."""
    rng = random.Random(seed)
    now = NOW
    shown: dict[tuple[str, ...], tuple[float, float]] = {}
    names = [f"v{i}" for i in range(6)]
    for _ in range(150):
        now += rng.choice([0, 0, 0, 5, 300, HOUR, 6 * HOUR, DAY, -HOUR, 1.5 * KEPT])
        what = rng.choice(["deploy", "stop", "rows", "rows", "rows", "request", "flush", "scrape"])
        if len(deployments.all) < 1 or (what == "deploy" and len(deployments.all) < 4):
            deployments.start(rng.choice(names), max_versions=3)
        worker = rng.choice(deployments.all)
        if what == "stop":
            deployments.stop(worker, now)
        elif what == "rows":
            observe(worker, now, rng.randint(1, 5), version=rng.choice([None, *names]))
        elif what == "request":
            request(worker, worker.config.models[0].version or "")
        elif what == "flush":
            worker._upkeep.tick(now)
        elif what == "scrape":
            _check(worker, now, shown)


def _check(worker: Monitor, now: float, shown: dict[tuple[str, ...], tuple[float, float]]) -> None:
    """See that no counter is lower than shown before, unless its version is there anew."""
    found = scraped(worker, now)
    assert worker._upkeep.shared is not None
    since = worker._upkeep.shared._uses.of("m")
    assert len(since.keys() - {"other"}) <= 3 + 6
    for reading in found:
        if reading.labels.get("model") != "m" or not reading.name.endswith(("_total", "_bucket")):
            continue
        version = reading.labels["version"]
        assert version in since, reading
        key = (reading.name, *reading.labels.values())
        value, admitted = shown.get(key, (0.0, 0.0))
        assert reading.value >= value or since[version] != admitted, (reading, value)
        shown[key] = (reading.value, since[version])


def test_a_version_that_comes_back_begins_anew_and_the_configured_one_never_goes(
    deployments: Deployments,
) -> None:
    worker, sleeper = deployments.start("v1"), deployments.start("v1")
    observe(worker, NOW, 30)
    observe(worker, NOW, 20, version="v2")
    assert rows(worker, NOW) == rows(sleeper, NOW) == {"v1": 30, "v2": 20}
    assert rows(worker, NOW + KEPT) == {"v1": 30, "v2": 20}
    assert rows(worker, NOW + KEPT + 1) == {"v1": 30}
    later = NOW + KEPT + 2
    # Only features, so that of the outputs nothing is written that a reader would see.
    worker.observe({"x": 1.0}, now=later, version="v2")
    worker._upkeep.tick(later)
    for each in deployments.all:
        found = scraped(each, later)
        assert by_version(found, "mlmon_feature_bin_rows_total") == {"v1": 30, "v2": 1}
        assert by_version(found, "mlmon_prediction_bin_rows_total") == {"v1": 30, "v2": 0}


def test_a_configured_version_that_slept_is_shown_as_it_is_on_disk(
    deployments: Deployments,
) -> None:
    asleep, awake = deployments.start("v1"), deployments.start("v2")
    observe(asleep, NOW, 30)
    assert rows(asleep, NOW)["v1"] == 30
    later = NOW + KEPT + 10
    observe(awake, later, 5)
    assert rows(awake, later) == {"v2": 5}
    observe(asleep, later, 3)
    assert rows(asleep, later) == rows(awake, later) == {"v1": 3, "v2": 5}


def test_a_state_without_times_of_use_gets_them(deployments: Deployments) -> None:
    for i in range(5):
        old = deployments.start(f"v{i}")
        observe(old, NOW)
        request(old, f"v{i}")
        deployments.stop(old, NOW)
    deployments.execute("DELETE FROM state WHERE key = 'versions'")
    worker = deployments.start("v5")
    observe(worker, NOW + DAY)
    old_and_new = {f"v{i}" for i in range(6)}
    assert versions(scraped(worker, NOW + DAY)) == old_and_new
    assert versions(scraped(worker, NOW + DAY + KEPT)) == old_and_new
    assert versions(scraped(worker, NOW + DAY + KEPT + 1)) == {"v5"}


@pytest.mark.parametrize("junk", [b"", b"{}", b"[[]]", b'[["m", "v1", 1e999, 0]]', b"[1, 2]"])
def test_times_of_use_that_cannot_be_read_begin_anew_and_cost_no_counts(
    deployments: Deployments, junk: bytes
) -> None:
    worker = deployments.start("v1")
    observe(worker, NOW, 30)
    observe(worker, NOW, 20, version="v2")
    expected = rows(worker, NOW)
    statement = "UPDATE state SET value = ?, checksum = ? WHERE key = 'versions'"
    deployments.execute(statement, junk, zlib.crc32(junk))
    assert rows(worker, NOW + 5) == expected
    assert rows(deployments.start("v1"), NOW + 5) == expected
    assert rows(worker, NOW + 5 + KEPT + 1) == {"v1": 30}


def test_a_clock_that_was_ahead_keeps_no_version_for_longer(deployments: Deployments) -> None:
    worker = deployments.start("v1")
    observe(worker, NOW + 900 * DAY, version="v2")
    scraped(worker, NOW + 900 * DAY)
    assert "v2" in versions(scraped(worker, NOW))
    assert "v2" not in versions(scraped(worker, NOW + KEPT + 1))


def test_what_a_lost_file_had_is_restored_without_what_was_dropped(
    deployments: Deployments,
) -> None:
    worker, unscraped = deployments.start("v1"), deployments.start("v1")
    observe(unscraped, NOW, 20, version="v2")
    unscraped._upkeep.tick(NOW)
    observe(worker, NOW, 30)
    assert rows(worker, NOW) == {"v1": 30, "v2": 20}
    later = NOW + KEPT + 1
    worker._upkeep.tick(later)
    unscraped._upkeep.tick(later)
    (deployments.folder / FILE).unlink()
    for _ in range(2):
        unscraped._upkeep.tick(later)
        worker._upkeep.tick(later)
    settled = later + 3700
    assert rows(worker, settled) == rows(unscraped, settled) == {"v1": 30}
    assert deployments.versions_kept() == {"v1"}


def test_feedback_of_dead_versions_goes_and_that_of_none_stays(deployments: Deployments) -> None:
    worker = deployments.start("v1")
    for version in ("v1", "v2"):
        worker.observe({"x": 1.0}, 0.5, version=version, prediction_ids=[f"p {version}"], now=NOW)
        worker.observe_ground_truth(f"p {version}", "yes", now=NOW)
        worker.observe_kpi("sold", prediction_id=f"p {version}", now=NOW)
    worker.observe_kpi("sold", now=NOW)
    kpis, truths = "mlmon_kpi_events_total", "mlmon_ground_truth_total"
    found = scraped(worker, NOW)
    assert by_version(found, kpis) == {"v1": 1, "v2": 1, "": 1}
    assert by_version(found, truths) == {"v1": 1, "v2": 1, "": 0}
    found = scraped(worker, NOW + KEPT + 1)
    assert by_version(found, kpis) == {"v1": 1, "": 1}
    assert by_version(found, truths) == {"v1": 1, "": 0}
    # Which is counted for its version, as long as the prediction is known.
    worker.observe({"x": 1.0}, 0.5, version="v3", prediction_ids=["p v3"], now=NOW)
    worker.observe_ground_truth("p v3", "yes", now=NOW + KEPT + 1)
    found = scraped(worker, NOW + KEPT + 1)
    assert by_version(found, truths) == {"v1": 1, "v3": 1, "": 0}
    assert by_version(scraped(worker, NOW + 2 * KEPT + 2), truths) == {"v1": 1, "": 0}


# In memory


def test_in_memory_a_version_that_is_not_used_frees_its_slot(deployments: Deployments) -> None:
    monitor = deployments.start("v1", state_dir=None, max_versions=3)
    for version in (None, "v2", "v3", "v4"):
        observe(monitor, NOW, version=version)
    assert versions(scraped(monitor, NOW)) == {"v1", "v2", "v3", "other"}
    observe(monitor, NOW + KEPT, version="v3")
    found = scraped(monitor, NOW + KEPT)
    assert versions(found) == {"v1", "v2", "v3", "other"}
    found = scraped(monitor, NOW + KEPT + 1)
    assert versions(found) == {"v1", "v3"}
    assert by_version(found, "mlmon_prediction_rows_total") == {"v1": 10, "v3": 20}
    observe(monitor, NOW + KEPT + 1, version="v4")
    observe(monitor, NOW + KEPT + 1, 3, version="v2")
    found = scraped(monitor, NOW + KEPT + 2)
    assert by_version(found, "mlmon_feature_bin_rows_total") == {
        "v1": 10,
        "v3": 20,
        "v4": 10,
        "other": 3,
    }
    assert overflows(found) == 2


def test_in_memory_a_clock_set_back_drops_no_version(deployments: Deployments) -> None:
    monitor = deployments.start("v1", state_dir=None)
    observe(monitor, NOW, version="v2")
    for later in (0.0, -900 * DAY, -900 * DAY + KEPT):
        assert "v2" in versions(scraped(monitor, NOW + later))
    assert "v2" not in versions(scraped(monitor, NOW - 899 * DAY + KEPT))


def test_in_memory_feedback_of_a_dropped_version_goes_too(deployments: Deployments) -> None:
    monitor = deployments.start("v1", state_dir=None)
    monitor.observe({"x": 1.0}, 0.5, version="v2", prediction_ids=["p"], now=NOW)
    scraped(monitor, NOW)
    late = NOW + KEPT + 1
    assert versions(scraped(monitor, late)) == {"v1"}
    assert monitor.observe_ground_truth("p", "yes", now=late) == "late"
    assert versions(scraped(monitor, late)) == {"v1", "v2"}
    assert versions(scraped(monitor, late + KEPT + 1)) == {"v1"}
