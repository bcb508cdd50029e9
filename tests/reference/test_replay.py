"""Facts about replays: a log gives, alarm by alarm, what a live monitor gave."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from mlmon_exporter import Config, Monitor, Reference
from mlmon_exporter.cli.demo.datasets import DATA
from mlmon_exporter.core.drift.alarms import Account
from mlmon_exporter.core.drift.readings import ROLES
from mlmon_exporter.reference.data.files import DataFiles
from mlmon_exporter.reference.replay import SIGNS, LogColumns, Replay, replay
from mlmon_exporter.reference.rows import each_row
from mlmon_exporter.reference.settings import model_settings

HOUR = 3600.0
LOOKS = 12 * HOUR
T0 = 1_700_006_400.0  # midnight
FEATURES = ("season", "weekday", "hr", "temp", "hum", "windspeed")


def bike() -> dict[str, Any]:
    """The hours of two years: their time, features, a prediction and the outcome."""
    files = DataFiles(DATA / "bike_sharing_hour.csv.gz", categorical=["season", "weekday"])
    names = [*FEATURES, "cnt"]
    chunks = [
        {name: each_row(rows[name]) for name in (*names, "dteday")}
        for rows, _ in files.chunks(names, "dteday", with_codes=True)
    ]
    columns = {n: np.concatenate([chunk[n] for chunk in chunks]) for n in chunks[0]}
    columns["ts"] = columns.pop("dteday") + HOUR * columns["hr"]
    columns["cnt_hat"] = 12.0 * columns["hr"]
    return columns


def electricity() -> dict[str, Any]:
    """Half-hours of the market of New South Wales: prices, demands, and if the price rose."""
    path = Path(__file__).parents[1] / "data" / "elec.csv.gz"
    files = DataFiles(path)
    names = list(files.columns)
    chunks = [
        {name: each_row(rows[name]) for name in names}
        for rows, _ in files.chunks(names, with_codes=True)
    ]
    columns = {n: np.concatenate([chunk[n] for chunk in chunks]) for n in chunks[0]}
    rows = len(columns["class"])
    columns["ts"] = T0 + 0.5 * HOUR * np.arange(rows)
    # As on the day before; sure of it by how far from the mean the price is.
    columns["rises"] = 0.2 + 0.6 * np.roll(columns["class"], 48)
    return columns


class Stream(NamedTuple):
    """A log and what its columns are."""

    columns: Callable[[], dict[str, Any]]
    features: tuple[str, ...]
    prediction: str
    truth: str
    reference_rows: int
    rows: int
    """Rows of the reference and the log."""


BIKE = Stream(bike, FEATURES, "cnt_hat", "cnt", 1500, 2900)
ELECTRICITY = Stream(
    electricity,
    ("period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"),
    "rises",
    "class",
    17_000,
    19_000,  # from row 17 424 on, three columns are no longer constant
)


def part(columns: Mapping[str, Any], first: int, last: int) -> dict[str, Any]:
    return {name: values[first:last] for name, values in columns.items()}


def reference_of(columns: Mapping[str, Any], stream: Stream) -> Reference:
    return Reference.build(
        columns,
        model="m",
        features=stream.features,
        predictions=stream.prediction,
        ground_truth=stream.truth,
        time_column="ts",
        windows=["2d", "14d"],
    )


def replayed(reference: Reference, config: Config, log: Mapping[str, Any], **more: Any) -> Account:
    columns = LogColumns("ts", **more)
    settings = model_settings(config, config.models[0])
    rows = len(log["ts"])
    cuts = [0, rows // 3, rows // 2, rows]
    one = Replay(reference.for_model("x"), settings, columns, LOOKS)
    chunks = [part(log, a, b) for a, b in pairwise(cuts)]
    return replay([one], chunks)[0]


Live = dict[tuple[str, str], list[list[float]]]


SIDES = {f"{role.prefix.removeprefix('mlmon_')}_drifted": role.label for role in ROLES}


class Watcher:
    """Rises and falls of verdicts in a live monitor's readings."""

    def __init__(self) -> None:
        self.alarms: Live = {}
        self._open: set[tuple[str, str]] = set()

    def look(self, monitor: Monitor, now: float) -> None:
        found = {(r.name, *sorted(r.labels.items())): r for r in monitor.readings(now)}
        risen = set()
        for reading in found.values():
            labels = reading.labels
            name = reading.name.removeprefix("mlmon_")
            if name in SIDES and reading.value:
                side = SIDES[name]
                risen.add((side, labels[side]))
            if name == "concept_drifted" and reading.value:
                risen.add(("quality", "concept"))
            quality = name.removeprefix("quality_")
            bar = found.get((f"{reading.name}_threshold", *sorted(labels.items())))
            sign = SIGNS.get(quality, 0) if bar is not None else 0
            if bar is not None and sign * (reading.value - bar.value) < 0:
                risen.add(("quality", quality))
        for key in risen - self._open:
            self.alarms.setdefault(key, []).append([now, math.nan])
        for key in self._open - risen:
            self.alarms[key][-1][1] = now
        self._open = risen


def live(config: Config, log: Mapping[str, Any], delay: float | None, stream: Stream) -> Live:
    """What a monitor saw that got each row and each ground truth when it was there."""
    watcher = Watcher()
    events = [(t, 1, i) for i, t in enumerate(log["ts"].tolist())]
    if delay is not None:
        events += [(t + delay, 0, i) for t, _, i in events]
    looks = LOOKS
    with Monitor(config) as monitor:
        events.sort()
        last = max(t for t, kind, _ in events if kind)
        now = (events[0][0] // looks + 1) * looks
        for at, is_row, i in events:
            if at > last:
                break
            while now <= at:
                watcher.look(monitor, now)
                now += looks
            if is_row:
                features = {name: log[name][i] for name in stream.features}
                predictions = {stream.prediction: log[stream.prediction][i]}
                monitor.observe(features, predictions, prediction_ids=[f"{i}"], now=at)
            else:
                monitor.observe_ground_truth(f"{i}", log[stream.truth][i], now=at)
        for at, is_row, i in events:
            if not is_row and last < at < now:
                monitor.observe_ground_truth(f"{i}", log[stream.truth][i], now=at)
        watcher.look(monitor, now)
    return watcher.alarms


def as_live(account: Account) -> Live:
    found: Live = {}
    for alarm in account.alarms:
        found.setdefault((alarm.side, alarm.name), []).append([alarm.begin, alarm.end])
    return found


@pytest.mark.parametrize(
    ("stream", "delay"),
    [
        pytest.param(BIKE, None, marks=pytest.mark.slow),
        (BIKE, 30 * HOUR),
        pytest.param(ELECTRICITY, 24 * HOUR, marks=pytest.mark.slow),
    ],
    ids=["bike without truth", "bike with late truth", "electricity"],
)
def test_a_backtest_gives_alarm_by_alarm_what_a_live_monitor_gave(
    tmp_path: Path, stream: Stream, delay: float | None
) -> None:
    columns = stream.columns()
    columns["known"] = columns["ts"] + (delay or 0.0)
    reference = reference_of(part(columns, 0, stream.reference_rows), stream)
    reference.save(tmp_path / "m.json")
    log = part(columns, stream.reference_rows, stream.rows)
    config = Config(
        windows=["2d", "14d"],
        min_window_rows=40,
        models=[{"name": "m", "reference": tmp_path / "m.json"}],
    )
    more = {} if delay is None else {"truth": stream.truth, "truth_time": "known"}
    found = as_live(replayed(reference, config, log, **more))
    expected = live(config, log, delay, stream)
    assert repr(sorted(found.items())) == repr(sorted(expected.items()))
    sides = {side for side, _ in found}
    assert "feature" in sides
    assert delay is None or stream is not BIKE or "quality" in sides
    assert sum(map(len, found.values())) >= 3


ONE = Config(windows=["1h"])


def simple(rows: int, seed: int = 0, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"a": rng.normal(size=rows) + shift, "ts": T0 + 30.0 * np.arange(rows)}


@pytest.fixture(scope="module")
def plain() -> Reference:
    return Reference.build({"a": np.random.default_rng(9).normal(size=5000)}, model="m")


def of(plain: Reference, **more: Any) -> Replay:
    settings = model_settings(ONE, ONE.models[0])
    return Replay(plain.for_model("m"), settings, LogColumns("ts"), 900.0, **more)


def test_a_shift_is_one_alarm_with_its_rows_and_time(plain: Reference) -> None:
    log = simple(2000)
    log["a"][1000:] += 2.0
    changed = T0 + 30.0 * 1000
    account = replay([of(plain, changed_at=changed)], [log])[0]
    (alarm,) = account.alarms
    assert account.first_after_change is alarm
    assert alarm.name == "a"
    assert changed < alarm.begin <= changed + 3600.0
    assert alarm.begin % 900.0 == 0.0
    assert alarm.rows == (alarm.begin - T0) / 30.0
    assert account.changed_rows == (changed // 900.0 * 900.0 - T0) / 30.0
    assert alarm.value > alarm.threshold
    assert math.isnan(alarm.end)


def test_chunks_and_their_order_within_do_not_matter(plain: Reference) -> None:
    log = simple(1500, shift=0.5)
    whole = replay([of(plain)], [log])[0]
    mixed = np.random.default_rng(1).permutation(700)
    first = {name: values[:700][mixed] for name, values in log.items()}
    parts = replay([of(plain)], [first, part(log, 700, 1500)])[0]
    assert parts.alarms == whole.alarms
    assert parts.rows == whole.rows == 1500


def test_progress_goes_on_within_a_chunk(plain: Reference) -> None:
    shares: list[float] = []
    replay([of(plain), of(plain)], [simple(1200)], shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    # Ten hours: a step a pane of each replay, not one for the chunk.
    assert len(shares) > 2 * 10


def test_rows_without_time_and_late_rows_are_counted(plain: Reference) -> None:
    log = simple(600)
    log["ts"][5] = math.nan
    one = of(plain)
    account = replay([one], [part(log, 300, 600), part(log, 0, 300)])[0]
    assert account.rows == 599
    assert one.counts.untimed_rows == 1
    # Looked at up to the last row's quarter of an hour: those of the one before are late.
    assert one.counts.late_rows == 299


def test_a_year_without_rows_is_not_looked_at(plain: Reference) -> None:
    log = simple(400)
    log["ts"][200:] += 365 * 86400.0
    looks: list[float] = []
    replay([of(plain, on_look=lambda now, blocks: looks.append(now))], [log])
    assert len(looks) < 4 * 24 * 4


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e9])
def test_the_size_of_times_tells_their_unit(plain: Reference, scale: float) -> None:
    log = simple(1000)
    log["a"] = log["a"] + 2.0 * (np.arange(1000) >= 500)
    in_seconds = replay([of(plain)], [log])
    log["ts"] = log["ts"] * scale
    assert replay([of(plain)], [log]) == in_seconds
    assert in_seconds[0].alarms


def test_a_log_without_rows_is_an_error(plain: Reference) -> None:
    with pytest.raises(ValueError, match="expected rows with times, got none"):
        replay([of(plain)], [])


def test_versions_are_judged_each_for_itself(plain: Reference) -> None:
    log = simple(1200)
    log["ts"] = T0 + (log["ts"] - T0) / 4
    version = np.where(np.arange(1200) % 2, "new", "old").astype(object)
    log["a"] = log["a"] + 2.0 * (version == "new")
    log["version"] = version
    settings = model_settings(ONE, ONE.models[0])
    columns = LogColumns("ts", version="version")
    account = replay([Replay(plain.for_model("m"), settings, columns, 900.0)], [log])[0]
    assert {(alarm.version, alarm.name) for alarm in account.alarms} == {("new", "a")}


def test_ground_truth_needs_a_task(plain: Reference) -> None:
    settings = model_settings(ONE, ONE.models[0])
    with pytest.raises(ValueError, match="expected a reference with outcomes"):
        Replay(plain.for_model("m"), settings, LogColumns("ts", "y"), 900.0)
