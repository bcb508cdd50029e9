"""Facts about the report."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from mlmon_exporter import Config, Monitor

from .served import HOSTILE, MODELS, NOW, configured, fill, rows

FEATURES = 12


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Monitor:
    monitor = Monitor(Config(**configured(tmp_path_factory.mktemp("report"), features=FEATURES)))
    fill(monitor, features=FEATURES)
    return monitor


def test_the_title_says_when_and_of_which_window(monitor: Monitor) -> None:
    titles = [re.findall("<title>(.*?)</title>", monitor.report(w, NOW)) for w in (None, "1h")]
    assert titles == [
        ["Drift report, 2025-11-23 12:13:20 UTC, 24h window"],
        ["Drift report, 2025-11-23 12:13:20 UTC, 1h window"],
    ]


def test_an_unknown_window_is_an_error_that_names_the_known(monitor: Monitor) -> None:
    with pytest.raises(ValueError, match="window: expected one of 1h, 24h, got '2h'"):
        monitor.report("2h", NOW)


def test_the_report_has_every_column_and_loads_nothing(monitor: Monitor) -> None:
    page = monitor.report(now=NOW)
    for name in MODELS:
        assert page.count(f"<bdi>{name}</bdi>") > 0
    assert page.count("<bdi>wind_speed</bdi>") >= len(MODELS)
    assert f"<bdi>{html.escape(HOSTILE)}</bdi>" in page
    assert HOSTILE not in page
    assert not re.search(r"""\b(?:src|href)=["'](?!#)""", page)
    assert "default-src 'none'" in html.unescape(page)


def test_what_drifted_has_a_section(monitor: Monitor) -> None:
    page = monitor.report(now=NOW)
    sections = re.findall(
        r'<section id="column-\d+" class="column"><h2><bdi[^>]*>(.*?)</bdi>', page
    )
    assert sections[0] == "score"
    # By importance, too, so in no order of severity alone.
    assert {*sections[1:4]} == {"humidity", "colour", "temperature"}
    assert re.search(r"[\d.]+ % of rows are above [\d.]+, [\d.]+ % in the reference in 24h", page)
    assert re.search(r"It has [\d.]+ % of the importance", page)


def test_two_versions_at_once_are_told_apart(tmp_path: Path) -> None:
    monitor = Monitor(Config(**configured(tmp_path, features=FEATURES)))
    for version in ("2026-11", "2026-12"):
        columns = rows(200, 1, features=FEATURES)
        columns.pop("score")
        monitor.observe(columns, model="bike-demand", version=version, now=NOW)
    page = monitor.report(now=NOW)
    assert page.count("Version <bdi>2026-11</bdi>") == 1
    assert page.count("Version <bdi>2026-12</bdi>") == 1


def test_a_monitor_without_a_reference_has_a_report() -> None:
    assert "Nothing to compare yet" in Monitor(model="m").report()
