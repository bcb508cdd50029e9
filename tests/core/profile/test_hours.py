from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter import Reference
from mlmon_exporter.core.profile.bins import per_bin
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.form import column_from_dict, column_to_dict
from mlmon_exporter.core.profile.hours import hours_of, is_worth_hours, rows_by_hour
from mlmon_exporter.core.profile.merge import merge_columns
from mlmon_exporter.core.profile.variation import cells_of
from mlmon_exporter.core.stats.scatter import Scatter

DAYS, A_DAY = 14, 1200


def rows(first_day: int = 0, days: int = DAYS, seed: int = 0) -> dict[str, np.ndarray]:
    """`x` is higher by night, `c` another category; `flat` and `day` have no hours."""
    rng = np.random.default_rng(seed)
    ts = (np.arange(days * A_DAY) + 0.5) * 86400 / A_DAY + first_day * 86400
    is_night = ts % 86400 < 7 * 3600
    flat = rng.normal(size=len(ts))
    return {
        "x": flat + 1.5 * is_night,
        "c": np.where(is_night ^ (rng.random(len(ts)) < 0.2), "night", "day"),
        "flat": flat,
        "day": flat + rng.normal(size=days)[(ts // 86400 - first_day).astype(int)],
        "ts": ts,
    }


def built(data: dict[str, np.ndarray]) -> dict[str, ColumnReference]:
    made = Reference.build(data, time_column="ts", windows=["1h", "24h"])
    return {column.name: column for column in made.features}


def test_columns_whose_hours_differ_keep_their_rows_by_hour_and_bin() -> None:
    data = rows()
    columns = built(data)
    assert [len(columns[name].hours) for name in ("flat", "day")] == [0, 0]
    for name in ("x", "c"):
        bins = columns[name].bins
        cells = cells_of(bins, data[name])
        for hour in range(24):
            of_hour = data["ts"] // 3600 % 24 == hour
            counts = np.bincount(cells[of_hour], minlength=bins.cell_count)
            np.testing.assert_array_equal(columns[name].hours[hour], per_bin(bins, counts))
        assert "hour_psi" not in columns[name].variation[3600.0]
        assert columns[name].variation[3600.0]["psi"].variance > 0.1


def test_windows_of_a_day_alone_need_no_hours() -> None:
    made = Reference.build(rows(), time_column="ts", windows=["24h"])
    assert not any(len(column.hours) for column in made.features)


def test_hours_that_vary_as_much_from_day_to_day_are_not_worth_a_test() -> None:
    def varied(same: float) -> dict[float, dict[str, Scatter]]:
        return {3600.0: {"psi": Scatter(1.0, 14.0), "hour_psi": Scatter(same, 13.0)}}

    assert is_worth_hours(varied(0.4), [3600.0])
    assert not is_worth_hours(varied(0.6), [3600.0])
    assert not is_worth_hours(varied(0.4), [7200.0])
    assert not is_worth_hours({3600.0: {}}, [3600.0])
    few = {3600.0: {"psi": Scatter(1.0, 6.0)}}
    assert not is_worth_hours(few, [3600.0])


def test_hours_are_those_of_utc() -> None:
    assert hours_of(np.array([0.0, 3599.9, 86400.0 + 23.5 * 3600])).tolist() == [0, 0, 23]


def test_parts_add_up_by_hour() -> None:
    halves = built(rows()), built(rows(DAYS, seed=1))
    for name in ("x", "c"):
        a, b = (half[name] for half in halves)
        both = merge_columns(a, b)
        assert both.hours.shape == (24, len(both.bins.bin_names))
        np.testing.assert_array_equal(both.hours.sum(axis=1), (a.hours + b.hours).sum(axis=1))
        # Where edges moved, rows between them are spread evenly.
        of_bins = per_bin(both.bins, both.counts)
        np.testing.assert_allclose(both.hours.sum(axis=0), of_bins, atol=0.01 * both.rows)
    without = built({**rows(DAYS), "x": rows()["flat"]})["x"]
    assert not len(merge_columns(halves[0]["x"], without).hours)


def test_a_file_holds_rows_by_hour_and_says_when_they_are_damaged() -> None:
    for column in built(rows()).values():
        form = column_to_dict(column)
        assert ("hours" in form) == bool(len(column.hours))
        read = column_from_dict(form, "fastdigest")
        np.testing.assert_array_equal(read.hours, column.hours)
    form = column_to_dict(built(rows())["x"])
    for damaged in (form["hours"][:23], [*form["hours"][:23], [1]], 24, [*form["hours"][:23], 3]):
        with pytest.raises(ValueError, match="hours: expected"):
            column_from_dict(form | {"hours": damaged}, "fastdigest")


def test_rows_of_panes_count_for_their_hour_of_the_day() -> None:
    found = rows_by_hour({0.0: 3, 3300.0: 4, 86400.0 + 3600.0: 5})
    assert found.tolist() == [7, 5, *[0] * 22]
    assert rows_by_hour({}).tolist() == [0] * 24
