"""Facts about the report and the pictures for notebooks."""

from __future__ import annotations

import html
import math
import re
from pathlib import Path

import numpy as np
import pytest

from mlmon_exporter import Config, Monitor, Reference
from mlmon_exporter.page.reference_page import _shape

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
    assert sections[:4] == ["score", "humidity", "colour", "temperature"]


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


def test_a_notebook_shows_a_monitor_in_a_frame_of_its_own(monitor: Monitor) -> None:
    shown = monitor._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert " sandbox " in shown
    assert "<section" not in shown


def test_a_notebook_shows_the_pictures_of_a_reference() -> None:
    reference = Reference.build(
        rows(500, 1, features=FEATURES),
        predictions="score",
        model="<b>",
    )
    shown = html.unescape(re.findall('srcdoc="(.*?)"', reference._repr_html_(), re.DOTALL)[0])
    assert "Reference of &lt;b&gt;" in shown
    assert shown.count("<svg") == FEATURES + 1
    assert "500 rows" in shown


def test_a_reference_of_very_many_columns_shows_the_first(tmp_path: Path) -> None:
    columns = {f"f{i}": [1.0, 2.0] for i in range(250)}
    shown = html.unescape(Reference.build(columns)._repr_html_())
    assert shown.count("<svg") == 200
    assert "and 50 more" in shown


def test_an_empty_reference_can_be_shown() -> None:
    assert "0 rows" in html.unescape(Reference(())._repr_html_())


def test_the_shape_of_a_column_is_that_of_its_values() -> None:
    values = np.concatenate((np.zeros(900), np.linspace(0, 10, 100)))
    (column,) = Reference.build({"x": values}).features
    shape = _shape(column, np.zeros(3))
    assert shape[0] == pytest.approx(0.9, abs=0.02)
    assert shape.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("values", [[3.0, 3.0], [1e308, -1e308, 0.0, 5.0], [math.nan, math.nan]])
def test_columns_of_any_span_have_a_shape(values: list[float]) -> None:
    columns = Reference.build({"x": np.array(values), "y": [1.0] * len(values)}).features
    for column in columns:
        shape = _shape(column, np.ones(1))
        assert len(shape) >= 1
        assert np.isfinite(shape).all()
