"""Facts about the numbers that columns give: their names, labels, values, and when they are new."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlmon_exporter import Reference
from mlmon_exporter.core.drift.context import ScoringContext
from mlmon_exporter.core.drift.readings import FEATURES, OUTPUTS, ColumnReadings, Role
from mlmon_exporter.core.drift.tests import SCORES, TESTS, count_tests
from mlmon_exporter.core.labels import LABEL_LENGTH
from mlmon_exporter.core.records import Deferred, Histograms, Readings
from mlmon_exporter.core.settings import QUANTILES, Policy, WindowName
from mlmon_exporter.core.windows.buffer import RowBuffer
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.metrics.detail import LEFT_OUT
from mlmon_exporter.metrics.table import METRICS
from tests.core.build import buffer_of, references

HOUR, DAY = WindowName("1h", 3600.0), WindowName("24h", 86400.0)
NOW = 1.7e9
Floats = NDArray[np.float64]
AnyReadings = Readings | Histograms


def rows(count: int, seed: int = 0, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    colours = np.array(["red", "green", "blue"], dtype=object)
    return {
        "age": rng.normal(40.0 + shift, 10.0, count),
        "colour": colours[rng.integers(0, 3, count)],
        "x" * 200: rng.integers(0, 3, count).astype(float),
    }


FRAME = ReferenceMatrix(references(rows(5000)))


def side(
    role: Role = FEATURES,
    *,
    frame: ReferenceMatrix = FRAME,
    windows: tuple[WindowName, ...] = (HOUR, DAY),
    with_histograms: bool = True,
) -> tuple[RowBuffer, ColumnReadings]:
    buffer = buffer_of(frame, *(window.seconds for window in windows))
    tests = count_tests(frame) * len(windows)
    context = ScoringContext("bike", "v1", windows, Policy(), tests)
    readings = ColumnReadings(buffer.tallies, frame, role, context, with_histograms=with_histograms)
    return buffer, readings


def add(buffer: RowBuffer, values: dict[str, Any], now: float = NOW) -> None:
    buffer.add(values, len(next(iter(values.values()))), now)
    buffer.drain()


def samples(readings: Iterable[AnyReadings]) -> dict[tuple[str, ...], float]:
    """(name, label values of all but model and version) -> value, histograms left out."""
    found: dict[tuple[str, ...], float] = {}
    for block in readings:
        if isinstance(block, Readings):
            for labels, value in zip(block.labels, block.values, strict=True):
                assert labels[:2] == ("bike", "v1")
                key = (block.name, *labels[2:])
                assert key not in found
                found[key] = float(value)
    return found


def histogram(readings: Iterable[AnyReadings]) -> Histograms:
    (found,) = (block for block in readings if isinstance(block, Histograms))
    return found


COLUMN_LABELS = {
    "bin_rows_total": ("kind", "bin"),
    "missing_total": (),
    "invalid_total": (),
    "unseen_total": (),
    "out_of_range_total": (),
    "value": (),
    "reference_ratio": ("kind", "bin", "interval"),
    "quantile": ("quantile", "window"),
    "window_rows": ("window",),
    "drifted": ("window",),
    **dict.fromkeys((*SCORES, *TESTS), ("window",)),
}


@pytest.mark.parametrize("role", [FEATURES, OUTPUTS], ids=lambda role: role.label)
def test_names_and_labels_are_those_of_the_contract(role: Role) -> None:
    buffer, readings = side(role)
    add(buffer, rows(1000))
    found = {block.name: block.label_names for block in readings.at(NOW)}
    expected = {
        f"{role.prefix}_{what}": ("model", "version", role.label, *labels)
        for what, labels in COLUMN_LABELS.items()
    }
    if role is FEATURES:
        expected["mlmon_drifted_features_ratio"] = ("model", "version", "window")
    assert found == expected
    assert set(found) <= set(METRICS)


@pytest.mark.parametrize("role", [FEATURES, OUTPUTS], ids=lambda role: role.label)
def test_every_column_metric_of_the_table_is_given(role: Role) -> None:
    known = ReferenceMatrix([replace(c, importance=0.5) for c in FRAME.references])
    buffer, readings = side(role, frame=known)
    add(buffer, rows(1000))
    given = {block.name for block in readings.at(NOW)}
    # The two prefixes differ: mlmon_prediction_rows_total and the like are not of columns.
    wanted = {name for name in METRICS if name.startswith("mlmon_feature_")}
    assert {name.replace(role.prefix, "mlmon_feature") for name in given} >= wanted


def test_digests_are_read_only_for_the_metrics_that_few_scrapes_show() -> None:
    buffer, readings = side()
    add(buffer, rows(1000))
    given = [block for block in readings.at(NOW) if isinstance(block, Readings)]
    deferred = {block.name for block in given if isinstance(block.values, Deferred)}
    assert deferred == {"mlmon_feature_quantile", "mlmon_feature_wasserstein_ratio"}
    assert deferred <= LEFT_OUT["normal"]


def test_labels_are_short_and_no_label_set_comes_twice() -> None:
    buffer, readings = side()
    add(buffer, rows(1000))
    for block in readings.at(NOW):
        assert len(set(block.labels)) == len(block.labels)
        values = block.values if isinstance(block, Readings) else block.counts
        assert len(values) == len(block.labels)
        for labels in block.labels:
            assert len(labels) == len(block.label_names)
            assert all(len(value) <= LABEL_LENGTH for value in labels)


def test_all_bins_exist_at_0_before_the_first_row() -> None:
    found = samples(side()[1].at(NOW))
    bins = {
        key[1:]: value for key, value in found.items() if key[0] == "mlmon_feature_bin_rows_total"
    }
    assert set(bins.values()) == {0.0}
    assert {key[2] for key in bins if key[0] == "colour"} == {
        *("red", "green", "blue", "other", "unseen", "missing")
    }
    assert {key[1] for key in bins if key[0] == "age"} == {"numeric"}
    assert found["mlmon_feature_missing_total", "age"] == 0.0


def test_totals_are_counted() -> None:
    buffer, readings = side()
    values = rows(1000)
    values["age"][:4] = [math.nan, math.inf, 1e9, -1e9]
    values["colour"][:6] = ["pink", "pink", "", None, [1, 2], "red"]
    add(buffer, values)
    found = samples(readings.at(NOW))
    assert found["mlmon_feature_missing_total", "age"] == 2.0
    assert found["mlmon_feature_invalid_total", "age"] == 1.0
    assert found["mlmon_feature_out_of_range_total", "age"] >= 2.0
    assert found["mlmon_feature_unseen_total", "colour"] == 2.0
    assert found["mlmon_feature_missing_total", "colour"] == 3.0
    assert found["mlmon_feature_invalid_total", "colour"] == 1.0
    red = found["mlmon_feature_bin_rows_total", "colour", "categorical", "red"]
    assert red == np.count_nonzero(values["colour"] == "red")


def test_histograms_count_all_usable_rows_and_add_them_up() -> None:
    buffer, readings = side()
    values = rows(1000)
    values["age"][:10] = math.nan
    add(buffer, values)
    blocks = histogram(readings.at(NOW))
    assert blocks.labels[0] == ("bike", "v1", "age")
    assert len(blocks.labels) == 2  # a category has none
    assert sum(blocks.counts[0]) == 990
    assert len(blocks.counts[0]) == len(blocks.bounds[0]) + 1
    assert blocks.sums[0] == pytest.approx(np.nansum(values["age"]))
    below = np.nan_to_num(values["age"], nan=math.inf) <= blocks.bounds[0][2]
    assert sum(blocks.counts[0][:3]) == np.count_nonzero(below)


def test_histograms_can_be_switched_off() -> None:
    blocks = side(with_histograms=False)[1].at(NOW)
    assert all(isinstance(block, Readings) for block in blocks)


def test_reference_ratios_are_shares_of_the_reference() -> None:
    found = samples(side()[1].at(NOW))
    for name in ("age", "colour"):
        shares = [v for k, v in found.items() if k[:2] == ("mlmon_feature_reference_ratio", name)]
        assert sum(shares) == pytest.approx(1.0)
    red = found["mlmon_feature_reference_ratio", "colour", "categorical", "red", "red"]
    assert red == np.count_nonzero(rows(5000)["colour"] == "red") / 5000


def test_quantiles_are_those_of_the_window() -> None:
    buffer, readings = side()
    values = rows(5000, seed=3)
    add(buffer, values)
    found = samples(readings.at(NOW))
    for q in QUANTILES:
        got = found["mlmon_feature_quantile", "age", str(q), "1h"]
        assert got == pytest.approx(np.quantile(values["age"], q), abs=1.0)
    assert ("mlmon_feature_quantile", "colour", "0.5", "1h") not in found


def test_nothing_is_scored_below_the_least_rows() -> None:
    buffer, readings = side()
    add(buffer, rows(99))
    found = samples(readings.at(NOW))
    scored = {f"mlmon_feature_{name}" for name in (*SCORES, *TESTS, "drifted")}
    scored.add("mlmon_drifted_features_ratio")
    assert all(math.isnan(value) for key, value in found.items() if key[0] in scored)
    assert found["mlmon_feature_window_rows", "age", "1h"] == 99
    add(buffer, rows(1))
    assert not math.isnan(samples(readings.at(NOW))["mlmon_feature_psi", "age", "1h"])


def test_a_shift_flips_drifted_and_only_that_of_its_column() -> None:
    buffer, readings = side()
    add(buffer, rows(2000, seed=1))
    before = samples(readings.at(NOW))
    assert {before["mlmon_feature_drifted", name, "1h"] for name in rows(1) if len(name) < 9} == {
        0.0
    }
    assert before["mlmon_drifted_features_ratio", "1h"] == 0.0
    add(buffer, rows(6000, seed=2, shift=10.0))
    after = samples(readings.at(NOW))
    assert after["mlmon_feature_drifted", "age", "1h"] == 1.0
    assert after["mlmon_feature_drifted", "colour", "1h"] == 0.0
    assert after["mlmon_drifted_features_ratio", "24h"] == pytest.approx(1 / 3)
    assert (
        after["mlmon_feature_psi", "age", "1h"] > after["mlmon_feature_psi_threshold", "age", "1h"]
    )


def test_each_window_has_its_own_rows_and_empties_when_traffic_stops() -> None:
    buffer, readings = side()
    add(buffer, rows(200), NOW)
    add(buffer, rows(300), NOW + 7200)
    at = NOW + 7200
    found = samples(readings.at(at))
    assert found["mlmon_feature_window_rows", "age", "1h"] == 300
    assert found["mlmon_feature_window_rows", "age", "24h"] == 500
    later = samples(readings.at(at + 3600))
    assert later["mlmon_feature_window_rows", "age", "1h"] == 0
    assert math.isnan(later["mlmon_feature_psi", "age", "1h"])
    assert not math.isnan(later["mlmon_feature_psi", "age", "24h"])
    assert later["mlmon_feature_bin_rows_total", "colour", "categorical", "red"] > 0


def test_readings_are_the_same_objects_while_nothing_changed() -> None:
    buffer, readings = side()
    add(buffer, rows(500))
    first = list(readings.at(NOW))
    again = list(readings.at(NOW + 1))
    assert [id(block) for block in first] == [id(block) for block in again]


def test_label_sets_are_the_same_objects_for_ever() -> None:
    buffer, readings = side()
    before = [block for block in readings.at(NOW) if isinstance(block, Readings)]
    add(buffer, rows(500))
    after = [block for block in readings.at(NOW + 9000) if isinstance(block, Readings)]
    assert all(a.labels is b.labels for a, b in zip(before, after, strict=True))


def test_rows_make_new_objects_of_what_counts_them_only() -> None:
    buffer, readings = side()
    add(buffer, rows(500))
    before = list(readings.at(NOW))
    add(buffer, rows(500))
    after = list(readings.at(NOW))
    kept = [new.name for old, new in zip(before, after, strict=True) if old is new]
    assert kept == ["mlmon_feature_reference_ratio"]


def test_readings_at_an_earlier_time_are_those_of_then() -> None:
    buffer, readings = side(windows=(HOUR,))
    add(buffer, rows(200), NOW)
    list(readings.at(NOW + 600))
    found = samples(readings.at(NOW))
    assert found["mlmon_feature_window_rows", "age", "1h"] == 200


def test_odd_names_become_labels_that_are_told_apart() -> None:
    names = ["x" * 300, "x" * 300 + "y", "\ud800", "missing", ""]
    frame = ReferenceMatrix(references({name: [1.0, 2.0] for name in names}))
    buffer, readings = side(frame=frame)
    add(buffer, {name: [1.0, 2.0] for name in names})
    found = samples(readings.at(NOW))
    labels = {key[1] for key in found if key[0] == "mlmon_feature_missing_total"}
    assert len(labels) == 5
    for label in labels:
        label.encode("utf-8")


def test_categories_that_have_the_names_of_our_bins_are_told_apart() -> None:
    values = ["missing", "other", "unseen", "", "a\ud800"] * 30
    frame = ReferenceMatrix(references({"c": values}))
    buffer, readings = side(frame=frame)
    add(buffer, {"c": values})
    found = samples(readings.at(NOW))
    bins = {k[3]: v for k, v in found.items() if k[0] == "mlmon_feature_bin_rows_total"}
    assert bins["missing"] == 30
    assert bins["unseen"] == bins["other"] == 0
    assert bins["missing (2)"] == bins["other (2)"] == bins["unseen (2)"] == 30
    assert len(bins) == 7
    for label in bins:
        label.encode("utf-8")


def test_a_feature_is_calm_only_when_well_under_its_threshold() -> None:
    buffer, readings = side(windows=(HOUR,))
    values = rows(3000, seed=4)
    values["age"][:120] = math.nan
    add(buffer, values)
    states = []
    for seed in range(40):
        found = samples(readings.at(NOW))
        ratio, bar, drifted = (
            found[f"mlmon_feature_{what}", "age", "1h"]
            for what in ("missing_ratio", "missing_threshold", "drifted")
        )
        state = "over" if ratio > bar else "near" if ratio > 0.9 * bar else "under"
        states.append((state, drifted))
        add(buffer, rows(400, seed=seed))
    assert states[0] == ("over", 1.0)
    assert ("near", 1.0) in states
    assert ("near", 0.0) not in states
    assert states[-1] == ("under", 0.0)


def test_a_verdict_of_drift_stays_for_three_days_while_rows_are_too_few() -> None:
    buffer, readings = side()
    add(buffer, rows(1000, seed=3, shift=20.0))

    def verdict(now: float) -> float:
        return samples(readings.at(now))["mlmon_feature_drifted", "age", "1h"]

    assert verdict(NOW) == 1.0
    night = NOW + 6 * 3600
    assert verdict(night) == 1.0
    assert math.isnan(samples(readings.at(night))["mlmon_feature_drifted", "colour", "1h"])
    assert verdict(NOW + 2.9 * 86400) == 1.0
    assert math.isnan(verdict(NOW + 3.1 * 86400))


def test_enough_rows_end_a_verdict() -> None:
    buffer, readings = side()
    add(buffer, rows(1000, seed=3, shift=20.0))
    assert samples(readings.at(NOW))["mlmon_feature_drifted", "age", "1h"] == 1.0
    buffer.add(rows(1000, seed=4), 1000, NOW + 2 * 3600)
    buffer.drain()
    assert samples(readings.at(NOW + 2 * 3600))["mlmon_feature_drifted", "age", "1h"] == 0.0


def nightly(seed: int, first: float, last: float, shift: float = 0.0) -> dict[str, Floats]:
    """Rows from an hour to another, 500 an hour, that are 1.5 sd higher by night."""
    rng = np.random.default_rng(seed)
    ts = np.sort(rng.uniform(first * 3600, last * 3600, round(500 * (last - first))))
    x = rng.normal(size=len(ts)) + np.where(ts % 86400 < 7 * 3600, 1.5 + shift, shift)
    return {"x": x, "ts": ts}


def same_hours(shift: float, *, lag: float = 0.0) -> list[dict[str, float]]:
    """Return what windows of an hour show from 5:30 until 12:30, every half hour."""
    columns = Reference.build(nightly(0, 0, 14 * 24), time_column="ts", windows=["1h"]).features
    frame = ReferenceMatrix(columns)
    buffer, readings = side(frame=frame, windows=(HOUR,))
    live = nightly(1, 14 * 24, 15 * 24, shift)
    found = []
    for end in np.arange(4.5, 12.51, 0.5):
        now = (14 * 24 + end) * 3600
        is_new = (live["ts"] >= now - 1800) & (live["ts"] < now)
        for x, ts in zip(live["x"][is_new], live["ts"][is_new], strict=True):
            buffer.add({"x": [x]}, 1, ts + lag * 3600)
        buffer.drain()
        seen = samples(readings.at(now - 1 + lag * 3600))
        found.append({key[0].removeprefix("mlmon_feature_"): v for key, v in seen.items()})
    return found[2:]


def test_a_short_window_is_compared_with_the_same_hours_where_hours_differ() -> None:
    unchanged, shifted = same_hours(0.0), same_hours(0.6)
    for now in unchanged:
        assert now["hour_psi"] < now["hour_threshold"]
        assert not now["drifted"]
    # By day all of them are values that the reference has by night: PSI and KS do not tell.
    for now in shifted[5:]:
        assert now["psi"] < now["psi_threshold"]
        assert now["ks_statistic"] < now["ks_threshold"]
        assert now["hour_psi"] > now["hour_threshold"]
        assert now["drifted"]


@pytest.mark.parametrize("lag", [-1.0, 1.0])
def test_summer_time_is_no_drift(lag: float) -> None:
    assert not any(now["drifted"] for now in same_hours(0.0, lag=lag))


def test_columns_without_hours_have_neither_the_score_nor_the_test() -> None:
    buffer, readings = side()
    add(buffer, rows(2000))
    found = {key[0]: value for key, value in samples(readings.at(NOW)).items()}
    assert np.isnan(found["mlmon_feature_hour_psi"])
    assert np.isnan(found["mlmon_feature_hour_threshold"])
