"""Facts about what is shown, and in which order."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mlmon_exporter import Config, Monitor
from mlmon_exporter.page.view import View, ranked, view_of

from .served import HOSTILE, NOW, PANE, configured, fill, rows

FEATURES = 12


def view(monitor: Monitor, now: float = NOW) -> View:
    snapshot = monitor._readout.snapshot(now=now)
    return view_of(snapshot, {})


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> View:
    options = configured(tmp_path_factory.mktemp("view"), features=FEATURES)
    monitor = Monitor(Config(**options))
    fill(monitor, features=FEATURES)
    return view(monitor)


def test_every_model_has_its_features_and_outputs(filled: View) -> None:
    assert [model.name for model in filled.models] == ["bike-demand", "churn", "income"]
    version = filled.models[0].versions[0]
    assert version.version == "2026-11"
    assert [column.name for column in version.outputs] == ["score"]
    assert {HOSTILE, "colour", "browser"} < {column.name for column in version.features}
    assert len(version.features) == FEATURES
    assert filled.windows == ("1h", "24h")


def test_drifted_columns_come_first_and_then_by_severity_times_importance(filled: View) -> None:
    order = ranked(filled.models[0].versions[0].features, "24h")
    verdicts = [column.verdict("24h") for column in order]
    drifted = [bool(verdict.is_drifted) for verdict in verdicts]
    assert drifted == sorted(drifted, reverse=True)
    assert sum(drifted) == 3
    known = len(order)
    assert sum(column.importance for column in order) == pytest.approx(1.0)
    impacts = [known * c.importance * v.severity for c, v in zip(order, verdicts, strict=True)]
    for part in (impacts[:3], impacts[3:]):
        assert part == sorted(part, reverse=True)
    assert all(verdict.severity < 1 for verdict in verdicts[3:])


def test_a_drift_began_with_the_panes_over_the_threshold_up_to_now(filled: View) -> None:
    colour = filled.find("bike-demand", "2026-11", "feature", "colour")
    assert colour is not None
    # The shift is 0 up to the eighth pane of two hours, and grows from there on.
    starts = colour.summaries["24h"].pane_starts
    assert colour.since() == starts[8]
    assert colour.since() <= NOW - 3 * PANE


def test_a_column_without_drift_has_not_begun_to_drift(filled: View) -> None:
    hour = filled.find("churn", "", "feature", "hour")
    assert hour is not None
    assert math.isnan(hour.since())


def test_the_shortest_window_with_a_calm_pane_says_when_a_drift_began(tmp_path: Path) -> None:
    monitor = Monitor(Config(**configured(tmp_path, features=FEATURES)))
    for i in range(4):
        columns = rows(300, i, shift=1.0 if i > 1 else 0.0, features=FEATURES)
        score = {"score": columns.pop("score")}
        monitor.observe(columns, score, model="bike-demand", now=NOW - 300.0 * (3 - i))
    colour = view(monitor).find("bike-demand", "2026-11", "feature", "colour")
    assert colour is not None
    assert colour.drifted_windows() == ["1h", "24h"]
    assert NOW - 600.0 <= colour.since() <= NOW - 300.0


def test_a_server_that_has_only_just_started_saw_no_drift_before(tmp_path: Path) -> None:
    monitor = Monitor(Config(**configured(tmp_path, features=FEATURES)))
    columns = rows(300, 1, shift=1.0, features=FEATURES)
    monitor.observe(columns, {"score": columns.pop("score")}, model="bike-demand", now=NOW)
    colour = view(monitor).find("bike-demand", "2026-11", "feature", "colour")
    assert colour is not None
    assert NOW - 300.0 < colour.since() <= NOW


def test_the_score_that_is_shown_says_most(filled: View) -> None:
    colour = filled.find("bike-demand", "2026-11", "feature", "colour")
    assert colour is not None
    verdict = colour.verdict("1h")
    assert verdict.test == "unseen_threshold"
    assert verdict.value == colour.number("unseen_ratio", "1h") > verdict.threshold
    assert verdict.severity == max(colour.severities("1h").values())


def test_what_drifted_in_any_window_is_firing_the_worst_first(filled: View) -> None:
    drifted = [column for column in filled.drifted if not column.is_derived]
    assert {column.name for column in drifted} == {"temperature", "humidity", "colour", "score"}
    assert all(column.model == "bike-demand" for column in drifted)
    assert drifted[-1].drifted_windows() in (["1h"], ["1h", "24h"])


def test_a_column_has_the_numbers_of_its_readings(filled: View) -> None:
    column = filled.find("churn", "", "output", "score")
    assert column is not None
    assert column.number("window_rows", "24h") == column.summaries["24h"].rows > 0
    assert math.isnan(column.number("unseen_ratio", "24h"))


def test_a_name_that_nobody_has_is_not_found(filled: View) -> None:
    assert filled.find("churn", "", "feature", "nothing") is None
    assert filled.find("churn", "2026-11", "feature", "colour") is None


def test_a_window_with_too_few_rows_has_no_verdict(tmp_path: Path) -> None:
    monitor = Monitor(Config(**configured(tmp_path, features=FEATURES)))
    shown = view(monitor).models[0].versions[0].features
    assert all(column.verdict("24h").is_drifted is None for column in shown)
    assert len(ranked(shown, "24h")) == FEATURES


def test_a_version_without_rows_gives_way_to_those_with_some(tmp_path: Path) -> None:
    monitor = Monitor(Config(**configured(tmp_path, features=FEATURES)))
    columns = rows(200, 1, features=FEATURES)
    columns.pop("score")
    monitor.observe(columns, model="bike-demand", version="2026-12", now=NOW)
    versions = view(monitor).models[0].versions
    assert [version.version for version in versions] == ["2026-12"]


def test_counts_about_the_monitor_are_shown_unless_they_are_zero(tmp_path: Path) -> None:
    monitor = Monitor(Config(**configured(tmp_path, features=FEATURES)))
    assert view(monitor).faults == ()
    monitor._counts.health.parse_error("json", "not_json")
    (fault,) = view(monitor).faults
    assert (fault.counter, fault.labels) == ("mlmon_parse_errors_total", "json, not_json")
    assert fault.total == 1
