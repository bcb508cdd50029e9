"""`make soak` in short: unchanged days raise nothing, and changes are seen."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .soak import changed, dependent
from .soak.simulate import Cell, run
from .soak.streams import CHANGES, Shape


@pytest.mark.parametrize(
    "cell",
    [
        Cell(Shape(5), 2000.0, 100_000, days=30.0),
        Cell(Shape(30, is_correlated=True), 2000.0, 1000, days=10.0),
        Cell(Shape(5), 200.0, 1000, days=30.0),
        Cell(Shape(10), 200.0, 1000, days=3.0, engine="tdigest"),
        Cell(Shape(5, request_rows=10), 2000.0, 100_000, days=10.0),
        Cell(Shape(5, request_rows=50), 2000.0, 100_000, days=30.0),
        Cell(Shape(5, request_rows=50), 20_000.0, 100_000, days=3.0),
    ],
    ids=[
        "plenty of reference",
        "many features, small reference",
        "few rows",
        "pure engine",
        "requests of ten alike rows",
        "few requests of alike rows",
        "many requests of alike rows",
    ],
)
def test_unchanged_traffic_raises_no_alarm(cell: Cell, tmp_path: Path) -> None:
    looks = list(run(cell, seed=0, path=str(tmp_path / "reference.json")))
    assert looks[-1].rows > 0.7 * cell.rows_a_day * cell.days
    assert [look.alarms for look in looks if look.alarms] == []


@pytest.mark.parametrize("options", [{"engine": "tdigest"}, {"workers": 8}], ids=["pure", "eight"])
def test_verdicts_depend_on_no_engine_and_on_no_number_of_workers(
    options: dict[str, Any], tmp_path: Path
) -> None:
    def verdicts(cell: Cell) -> list[tuple[float, tuple[tuple[str, str], ...]]]:
        # A shift of the mean near the threshold: alarms come, and not all at once.
        shift, _ = CHANGES["mean +0.25 sd"]
        path = str(tmp_path / "reference.json")
        return [(look.at, look.alarms) for look in run(cell, 3, path, shift, 0.25)]

    cell = Cell(Shape(5), 2000.0, 1000, days=1.5)
    one = verdicts(cell)
    assert sum(len(alarms) for _, alarms in one) >= 1
    assert verdicts(replace(cell, **options)) == one


@pytest.mark.parametrize(
    ("change", "most_rows"),
    [
        ("mean +1 sd", 1000),
        ("mean +0.5 sd", 1200),
        ("2 % of rows +3 sd", 2000),
        ("new category 2 %", 2000),
        ("missing 1 to 5 %", 2000),
    ],
)
def test_a_change_is_seen_within_a_window(change: str, most_rows: int) -> None:
    assert changed.ours(change, 2000.0, seed=1).rows <= most_rows


def test_half_a_sd_is_seen_nearly_as_soon_as_by_an_exact_test_on_raw_rows() -> None:
    ours = [changed.ours("mean +0.5 sd", 2000.0, seed).rows for seed in range(3)]
    exact = [changed.exact_ks("mean +0.5 sd", 2000.0, seed).rows for seed in range(3)]
    assert sorted(ours)[1] <= 1.2 * sorted(exact)[1]


def test_the_simulator_notices_a_threshold_that_is_too_low(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlmon_exporter.core.drift import tests as drift

    monkeypatch.setattr(drift, "threshold", lambda test, c, *_: 0.3 * test.chance(c, c.level))
    cell = Cell(Shape(5), 2000.0, 1000, days=3.0)
    looks = run(cell, seed=0, path=str(tmp_path / "reference.json"))
    assert sum(len(look.alarms) for look in looks) > 5


def test_alike_rows_taken_as_independent_would_raise_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlmon_exporter.core.windows import matrix as frame

    monkeypatch.setattr(frame, "design_effects", lambda requests, rows, columns: np.ones(columns))
    cell = Cell(Shape(5, request_rows=50), 2000.0, 100_000, days=3.0)
    looks = run(cell, seed=0, path=str(tmp_path / "reference.json"))
    alarms = sum(len(look.alarms) for look in looks)
    assert alarms > 20, alarms


def test_a_missed_change_has_no_delay() -> None:
    assert math.isnan(changed.ours("mean +0.1 sd", 2000.0, seed=0).rows)


@pytest.mark.slow
@pytest.mark.parametrize("stream", dependent.SHORT, ids=lambda stream: stream.process)
def test_rows_that_depend_on_each_other_raise_nothing_where_the_reference_knows_their_times(
    stream: dependent.Stream,
) -> None:
    assert dependent.rises(stream, seed=0) == []


@pytest.mark.slow
@pytest.mark.parametrize("stream", dependent.SHORT[:3], ids=lambda stream: stream.process)
def test_taken_for_independent_they_would_until_live_traffic_has_shown_a_week(
    stream: dependent.Stream,
) -> None:
    without = replace(dependent.without_times(stream), days=13.0)
    assert len(dependent.rises(without, seed=0, is_known=False)) >= 3
    assert dependent.rises(without, seed=0) == []


@pytest.mark.slow
def test_a_reference_learned_by_night_raises_no_alarm() -> None:
    stream = dependent.Stream(
        "nights +1.5 sd", 2.0, features=2, days=13.0, learned_from=3.0, look_seconds=3600.0
    )
    assert dependent.rises(dependent.without_times(stream), seed=0) == []


@pytest.mark.slow
def test_a_shift_is_seen_by_what_live_traffic_showed() -> None:
    stream = dependent.Stream(
        "nights +1.5 sd", days=14.0, features=1, shift=1.0, shift_after=11.0, look_seconds=1800.0
    )
    assert dependent.hours_until_seen(dependent.without_times(stream), seed=0) <= 24


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.3, 0.5, 1.0])
def test_a_standing_change_is_one_alarm_a_window(shift: float) -> None:
    assert dependent.standing(shift, seed=0) == 2


@pytest.mark.slow
def test_a_restart_at_no_hour_of_the_day_raises_an_alarm() -> None:
    night = dependent.Stream("nights +1.5 sd", days=2.5, features=1, look_seconds=1800.0)
    for hour in range(0, 24, 3):
        assert dependent.rises(replace(night, begins=24.0 + hour), seed=hour) == []


@pytest.mark.slow
def test_a_shift_of_the_mean_is_seen_through_days_and_nights() -> None:
    night = dependent.Stream("nights +1.5 sd", days=7.0, features=1, shift=1.0)
    assert dependent.hours_until_seen(night, seed=0) <= 24
