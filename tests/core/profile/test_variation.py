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
from mlmon_exporter.core.profile.variation import (
    MOST_STRETCHES,
    Stretches,
    stretch_lengths,
)
from mlmon_exporter.core.stats.scatter import INDEPENDENT

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
def test_weeks_of_the_same_season_alarm_without_times_until_live_ones_were_seen_and_with_them_never(
    bike: dict[str, Floats], tmp_path: Path
) -> None:
    without = np.array(verdicts(bike, tmp_path, has_times=False, year=2012, season=3))
    days = np.arange(len(without)) // 8
    assert np.nanmean(without[days < 2]) > 0.9
    assert np.nanmean(without[days > 8]) < 0.05
    assert sum(verdicts(bike, tmp_path, has_times=True, year=2012, season=3)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("has_times", [True, False])
def test_a_real_shift_is_still_seen(
    bike: dict[str, Floats], tmp_path: Path, *, has_times: bool
) -> None:
    winter = verdicts(bike, tmp_path, has_times=has_times, year=2012, season=1)
    assert np.mean(winter) > 0.9


def test_rows_that_do_not_depend_on_time_lose_nothing_to_it() -> None:
    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=20_000), "ts": np.arange(20_000) * 43.2}
    column = Reference.build(rows, time_column="ts", windows=["1h"]).features[0]
    assert 3600.0 in column.variation
    for score in ("psi", "ks_statistic", "missing_ratio", "tail_ratio"):
        assert column.natural(score, 3600.0) == INDEPENDENT


def test_days_that_differ_are_known_at_each_length_but_as_so_many_days() -> None:
    rng = np.random.default_rng(5)
    hours = np.arange(0, 20 * 24, 0.01)
    rows = {"x": rng.normal(size=len(hours)) + 0.3 * rng.normal(size=20)[(hours // 24).astype(int)]}
    built = Reference.build({**rows, "ts": hours * 3600}, time_column="ts", windows=["1h", "24h"])
    for seconds in (3600.0, 6 * 3600.0, DAY):
        found = built.features[0].natural("ks_statistic", seconds)
        # Of a mean that differs by 0.3 sd: 0.09 times 0.55, the mean over the normal law's shape.
        assert found.variance == pytest.approx(0.05, rel=0.5)
        assert found.degrees == 20


def test_shorter_stretches_stand_for_lengths_between() -> None:
    rng = np.random.default_rng(6)
    hours = np.arange(0, 10 * 24, 0.01)
    rows = {"x": rng.normal(size=len(hours)) + (hours % 24 < 7), "ts": hours * 3600}
    column = Reference.build(rows, time_column="ts", windows=["24h"]).features[0]
    at = {hour: column.natural("ks_statistic", hour * 3600.0) for hour in (1, 3, 5, 6, 12, 24, 48)}
    assert at[1] == at[3]
    assert at[5] == at[3]
    assert at[3].variance > at[12].variance > 0
    assert at[48] == at[24] == INDEPENDENT


def test_categories_that_come_for_a_day_are_natural() -> None:
    rng = np.random.default_rng(7)
    days = np.repeat(np.arange(20), 500)
    daily = np.where(rng.random(len(days)) < 0.1, days.astype(str), "always")
    rows = {"c": daily, "ts": days * DAY + np.tile(np.arange(500) * 170.0, 20)}
    column = Reference.build(rows, time_column="ts", windows=["24h"]).features[0]
    found = column.natural("unseen_ratio", DAY)
    # A tenth of each day's rows, beside the hundredth that the rest has of each such category.
    assert found.variance * 0.1 * 0.9 == pytest.approx(0.1**2, rel=0.2)


def test_variation_survives_saving_and_merging() -> None:
    rng = np.random.default_rng(1)
    rows = {"x": rng.normal(size=5000), "c": rng.choice(["a", "b"], 5000)}
    rows["x"][1000:1600] += 3
    times = np.arange(5000) * 120.0
    one = Reference.build({**rows, "ts": times}, time_column="ts", windows=["1h"])
    again = Reference.from_bytes(one.to_bytes())
    assert [c.variation for c in again.features] == [c.variation for c in one.features]
    assert {"psi", "ks_statistic"} <= {*one.features[0].variation[3600.0]}
    both = one + Reference.build(rows)
    assert both.features[0].variation == one.features[0].variation


def test_too_few_stretches_tell_nothing() -> None:
    rows = {"x": np.arange(60.0), "ts": np.arange(60) * 60.0}
    column = Reference.build(rows, time_column="ts", windows=["1h"]).features[0]
    assert column.variation == {}


def test_lengths_are_the_windows_and_halves_of_the_longest() -> None:
    assert stretch_lengths([3600.0]) == (900.0, 1800.0, 3600.0)
    hours = [seconds / 3600 for seconds in stretch_lengths([3600.0, DAY])]
    assert hours == [0.1875, 0.375, 0.75, 1.0, 1.5, 3.0, 6.0, 12.0, 24.0]


@pytest.mark.parametrize("days", [0.1, 3, 40, 1000])
def test_stretches_are_disjoint_and_as_long_as_the_window(days: float) -> None:
    last = days * DAY
    stretches = Stretches(0.0, last, 3600.0)
    assert stretches.count <= MOST_STRETCHES
    times = np.arange(0.0, last, 60.0)
    of = stretches.stretch_of(times)
    assert set(np.bincount(of[of >= 0])[:-1].tolist()) <= {60}
    assert np.ptp(times[of == 0]) == 59 * 60
    assert (stretches.stretch_of(np.array([np.nan, -1.0, last + DAY])) == -1).all()
    assert stretches.degrees(np.ones(stretches.count, dtype=bool)) <= days + 1


def test_one_wrong_date_takes_no_memory() -> None:
    assert Stretches(0.0, 1e15, 60.0).count == MOST_STRETCHES
