"""Facts about derived columns on the page: counted apart, and in words."""

from __future__ import annotations

import html

import numpy as np
import pytest

from mlmon_exporter import Config, Monitor, Reference
from mlmon_exporter.core.derived.joint import JointColumns
from mlmon_exporter.page.derived import MEANINGS, carriers
from mlmon_exporter.page.report import report
from mlmon_exporter.page.view import View

from .served import NOW, Rows
from .shown import page, text_of, view


def rows(count: int, seed: int, *, is_flipped: bool = False) -> Rows:
    rng = np.random.default_rng(seed)
    size, age = rng.normal(size=(2, count))
    price = 0.9 * size + 0.4 * rng.normal(size=count)
    return {"size": size, "price": -price if is_flipped else price, "age": age + 0.3 * size}


def monitored(tmp_path_factory: pytest.TempPathFactory, *, is_flipped: bool) -> Monitor:
    file = tmp_path_factory.mktemp("joint") / "homes.json"
    Reference.build(rows(4_000, 0), model="homes").save(file)
    monitor = Monitor(Config(models=[{"name": "homes", "reference": file}]))
    monitor.observe(rows(2_000, 1, is_flipped=is_flipped), {}, model="homes", now=NOW)
    return monitor


@pytest.fixture(scope="module")
def flipped_monitor(tmp_path_factory: pytest.TempPathFactory) -> Monitor:
    return monitored(tmp_path_factory, is_flipped=True)


@pytest.fixture(scope="module")
def flipped(flipped_monitor: Monitor) -> View:
    return view(flipped_monitor)


def test_the_page_says_that_features_no_longer_go_together_and_counts_features_apart(
    flipped: View,
) -> None:
    text = text_of(page(flipped))
    assert "No column alone has drifted, but how features go together has" in text
    assert "3 features and 0 outputs" in text
    assert "0 of 3" in text
    assert "Features together" in text


def test_it_names_the_features_that_carry_the_change_with_their_shares(flipped: View) -> None:
    found = carriers(flipped.models[0].versions[0].derived, "24h")
    assert {carrier.name for carrier in found} == {"size", "price"}
    assert all(carrier.now > carrier.before for carrier in found)
    text = text_of(page(flipped))
    assert "Least explained by the other features, more often than before:" in text
    assert " of rows)" in text


def test_its_page_says_what_a_derived_column_means(flipped: View) -> None:
    text = page(flipped, model="homes", version="", derived="joint_residual")
    assert "Derived from features" in text
    assert MEANINGS["joint_residual"] in html.unescape(text)


def test_the_report_has_it_too(flipped_monitor: Monitor) -> None:
    text = report(flipped_monitor._readout.snapshot(now=NOW))
    assert "Least explained by the other features" in text


def test_nothing_is_said_while_features_go_together(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    shown = view(monitored(tmp_path_factory, is_flipped=False))
    text = text_of(page(shown))
    assert "Nothing has drifted" in text
    assert "Least explained by the other features" not in text
    assert carriers(shown.models[0].versions[0].derived, "24h") == []


def test_each_derived_column_has_a_meaning() -> None:
    assert {*MEANINGS} == {*JointColumns.names}


def test_of_derived_columns_that_drifted_one_is_named_with_its_runbook(flipped: View) -> None:
    drifted = [column.name for column in flipped.drifted if column.is_derived]
    assert len(drifted) > 1
    section = page(flipped).partition("Verdicts now")[2].partition("</section>")[0]
    assert sum(f">{name}<" in section for name in drifted) == 1
    assert "MlmonJointDrift" in section
    assert "MlmonPredictionDrift" not in section
