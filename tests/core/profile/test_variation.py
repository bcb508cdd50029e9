from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import mlmon_exporter
from mlmon_exporter import Monitor, Reference
from mlmon_exporter.core.profile.variation import MOST_STRETCHES, STEPS, Stretches
from mlmon_exporter.core.stats.thresholds import Tail
from mlmon_exporter.reference.rows import times_of

Floats = NDArray[np.float64]
BIKE = Path(mlmon_exporter.__file__).parent / "cli" / "demo" / "data" / "bike_sharing_hour.csv.gz"
DAY = 86400.0


@pytest.fixture(scope="module")
def bike() -> dict[str, Floats]:
    with gzip.open(BIKE, "rt") as file:
        rows = list(csv.DictReader(file))
    days = [datetime.fromisoformat(row["dteday"]).replace(tzinfo=UTC).timestamp() for row in rows]
    hours = [3600.0 * int(row["hr"]) for row in rows]
    columns = {name: np.array([float(row[name]) for row in rows]) for name in ("temp", "hum", "hr")}
    extra = {name: np.array([float(row[name]) for row in rows]) for name in ("season", "yr")}
    return {"ts": np.add(days, hours), **columns, **extra}


def verdicts(
    bike: dict[str, Floats], tmp_path: Path, *, has_times: bool, year: int, season: int
) -> list[float]:
    """Return the verdict on temp every third hour of a season, the summer of 2011 as reference."""
    names = ("temp", "hum", "hr")
    summer = (bike["yr"] == 2011) & (bike["season"] == 3)
    rows = {name: bike[name][summer] for name in names}
    if has_times:
        rows["ts"] = bike["ts"][summer]
    path = tmp_path / f"{has_times}.json"
    time_column = "ts" if has_times else None
    Reference.build(rows, time_column=time_column, windows=["7d"]).save(path)
    monitor = Monitor(model="bike", reference=str(path), windows=["7d"])
    now = bike["ts"][(bike["yr"] == year) & (bike["season"] == season)]
    found = []
    for i in np.flatnonzero(np.isin(bike["ts"], now)):
        monitor.observe({name: bike[name][i] for name in names}, now=bike["ts"][i])
        if i % 3 == 0:
            found += [
                reading.value
                for reading in monitor.readings(now=bike["ts"][i])
                if reading.name == "mlmon_feature_drifted" and reading.labels["feature"] == "temp"
            ]
    return found


@pytest.mark.slow
def test_weeks_of_the_same_season_alarm_without_times_and_are_calm_with_them(
    bike: dict[str, Floats], tmp_path: Path
) -> None:
    without = verdicts(bike, tmp_path, has_times=False, year=2012, season=3)
    assert np.mean(without) > 0.5
    assert sum(verdicts(bike, tmp_path, has_times=True, year=2012, season=3)) == 0


@pytest.mark.slow
def test_a_real_shift_is_still_seen(bike: dict[str, Floats], tmp_path: Path) -> None:
    winter = verdicts(bike, tmp_path, has_times=True, year=2012, season=1)
    assert np.mean(winter) > 0.9


def test_rows_that_do_not_depend_on_time_gain_little_from_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=20_000), "ts": np.arange(20_000) * 43.2}
    column = Reference.build(rows, time_column="ts", windows=["1h"]).features[0]
    tail = column.natural_tail("ks_statistic", 3600.0)
    assert tail is not None
    assert tail.at(1e-6) < 0.4
    assert column.natural_tail("psi", 7200.0) == column.natural_tail("psi", 3600.0)
    assert column.natural_tail("psi", 60.0) == column.natural_tail("psi", 3600.0)


def test_variation_survives_saving_and_merging() -> None:
    rng = np.random.default_rng(1)
    rows = {"x": rng.normal(size=5000), "c": rng.choice(["a", "b"], 5000)}
    times = np.arange(5000) * 120.0
    one = Reference.build({**rows, "ts": times}, time_column="ts", windows=["1h"])
    again = Reference.from_bytes(one.to_bytes())
    assert [c.variation for c in again.features] == [c.variation for c in one.features]
    assert {*one.features[0].variation[3600.0]} == {
        "psi",
        "ks_statistic",
        "missing_ratio",
        "tail_ratio",
    }
    assert {*one.features[1].variation[3600.0]} == {"psi", "missing_ratio", "unseen_ratio"}
    both = one + Reference.build(rows)
    assert both.features[0].variation == one.features[0].variation


def test_too_few_stretches_tell_nothing() -> None:
    rows = {"x": np.arange(200.0), "ts": np.arange(200) * 60.0}
    column = Reference.build(rows, time_column="ts", windows=["1h"]).features[0]
    assert column.variation == {}


def test_an_exponential_tail_is_continued() -> None:
    tail = Tail(start=0.1, scale=0.02)
    assert tail.at(0.1) == tail.at(0.5) == 0.1
    assert tail.at(0.1 * np.exp(-3)) == pytest.approx(0.16)


@pytest.mark.parametrize("days", [0.1, 3, 40, 1000])
def test_stretches_cover_the_time_and_are_as_long_as_the_window(days: float) -> None:
    last = days * DAY
    stretches = Stretches(0.0, last, 3600.0)
    assert stretches.count <= 400
    times = np.arange(0.0, last, 60.0)
    slots = stretches.slot_of(times)
    counts = np.zeros((len(stretches.slots), 1), dtype=np.int32)
    np.add.at(counts[:, 0], slots[slots >= 0], 1)
    sums = stretches.sums(counts)[:, 0]
    if stretches.count > 1:
        assert set(sums[:-1]) == {60}
    assert len(stretches.slots) <= 400 * STEPS
    assert (stretches.slot_of(np.array([np.nan, -1.0, last + DAY])) == -1).all()


@pytest.mark.parametrize(
    "times",
    [
        [1577836800, 1577836860],
        ["2020-01-01T00:00:00", "2020-01-01T00:01:00"],
        np.array(["2020-01-01", "2020-01-01T00:01"], dtype="datetime64[ns]"),
        [datetime(2020, 1, 1), datetime(2020, 1, 1, 0, 1)],  # noqa: DTZ001 - naive is UTC here
    ],
    ids=["seconds", "texts", "datetime64", "datetime"],
)
def test_times_are_read_however_they_are_written(times: object) -> None:
    assert times_of(times).tolist() == [1577836800.0, 1577836860.0]


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expected times, got"):
        times_of(["yesterday"])
    assert np.isnan(times_of(np.array(["NaT"], dtype="datetime64[s]"))).all()


def test_one_wrong_date_takes_no_memory() -> None:
    stretches = Stretches(first=0.0, last=1e15, window_seconds=60.0)
    assert stretches.count == MOST_STRETCHES
    assert len(stretches.slots) == STEPS * MOST_STRETCHES
