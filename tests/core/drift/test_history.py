"""Facts about pictures: shares, severities and panes, against counts by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.drift.history import WindowSummary
from mlmon_exporter.core.drift.tests import TESTS
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.records import Batch, Readings
from mlmon_exporter.core.settings import ModelSettings, Policy, WindowName
from tests.core.build import references

DAY = WindowName("24h", 86400.0)
PANE = 7200.0
NOW = 1_763_900_000.0


def rows(count: int, seed: int, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "age": rng.normal(40 + 10 * shift, 10, count),
        "colour": rng.choice(["red", "green", "blue"], count),
        "full": np.where(rng.random(count) < 0.1 + 0.2 * shift, np.nan, 1.0),
    }


@pytest.fixture
def model() -> Model:
    reference = ModelReference(references(rows(5000, 0)), (), NOW, "m.json")
    return Model(ModelSettings("m", windows=(DAY,), policy=Policy()), reference)


def observe(model: Model, count: int, seed: int, *, panes_ago: int = 0, shift: float = 0) -> None:
    model.observe(Batch(rows(count, seed, shift), {}, count), NOW - panes_ago * PANE)


def picture(model: Model, now: float = NOW) -> WindowSummary:
    list(model.readings(now))
    (found,) = model.history(now)
    return found


def reading(model: Model, name: str) -> Any:
    return next(
        np.asarray(block.values)
        for block in model.readings(NOW)
        if block.name == f"mlmon_feature_{name}" and isinstance(block, Readings)
    )


def test_shares_are_those_of_the_rows(model: Model) -> None:
    observe(model, 1000, seed=1)
    found = picture(model)
    colours = rows(1000, 1)["colour"]
    shares = dict(zip(found.bars.intervals[1], found.current[1].tolist(), strict=True))
    assert found.rows == 1000
    assert {c: shares[c] for c in ("red", "green", "blue")} == {
        c: pytest.approx((colours == c).mean()) for c in ("red", "green", "blue")
    }
    assert found.current[0].sum() == pytest.approx(1.0)


def test_the_reference_has_its_shares_and_quantiles(model: Model) -> None:
    bars = picture(model).bars
    assert bars.names == ("age", "colour", "full")
    assert bars.kinds == ("numeric", "categorical", "numeric")
    ages = rows(5000, 0)["age"]
    assert bars.quantiles[0] == pytest.approx(
        np.quantile(ages, [0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]), abs=1.0
    )
    assert np.isnan(bars.quantiles[1]).all()
    assert bars.reference[2][-1] == pytest.approx(np.isnan(rows(5000, 0)["full"]).mean())


def test_severity_is_one_at_the_threshold_and_starts_at_the_references_share(model: Model) -> None:
    observe(model, 2000, seed=2, shift=0.4)
    severity = picture(model).severity
    psi, bar = reading(model, "psi"), reading(model, "psi_threshold")
    assert severity["psi_threshold"] == pytest.approx(psi / bar)
    base = np.isnan(rows(5000, 0)["full"]).mean()
    missing, bar = reading(model, "missing_ratio")[2], reading(model, "missing_threshold")[2]
    assert severity["missing_threshold"][2] == pytest.approx((missing - base) / (bar - base))
    assert severity["missing_threshold"][2] > 1 == reading(model, "drifted")[2]


def test_a_pane_is_scored_on_its_own(model: Model) -> None:
    observe(model, 1000, seed=3, panes_ago=2)
    observe(model, 1000, seed=4, panes_ago=1, shift=2.0)
    found = picture(model)
    history = found.history["psi_threshold"]
    known = np.flatnonzero(~np.isnan(history.values[:, 0]))
    assert known.tolist() == [9, 10]
    assert (history.values[:, 0] > history.thresholds[:, 0]).tolist() == [False] * 10 + [
        True,
        False,
    ]
    alone = Model(ModelSettings("m", windows=(DAY,)), model.reference)
    observe(alone, 1000, seed=4, shift=2.0)
    assert history.values[10, 0] == pytest.approx(reading(alone, "psi")[0])
    assert history.thresholds[10, 0] == pytest.approx(reading(alone, "psi_threshold")[0], rel=0.01)


def test_panes_start_where_they_start(model: Model) -> None:
    starts = picture(model).pane_starts
    assert len(starts) == 12
    assert starts[-1] <= NOW < starts[-1] + PANE
    assert np.diff(starts) == pytest.approx(PANE)


def test_a_pane_with_too_few_rows_is_absent(model: Model) -> None:
    observe(model, 99, seed=5)
    found = picture(model)
    assert np.isnan(found.history["psi_threshold"].values).all()
    assert all(np.isnan(found.severity[test]).all() for test in TESTS)
    assert found.rows == 99


def test_without_rows_shares_are_absent(model: Model) -> None:
    found = picture(model)
    assert np.isnan(found.current[0]).all()


def test_a_picture_is_the_same_object_until_something_changes(model: Model) -> None:
    observe(model, 500, seed=6)
    first = picture(model)
    assert picture(model) is first
    observe(model, 500, seed=7)
    assert picture(model).rows == 1000


def test_a_pane_leaves_the_picture_with_its_window(model: Model) -> None:
    observe(model, 500, seed=8)
    later = picture(model, NOW + 12 * PANE)
    assert later.rows == 0
    assert np.isnan(later.history["psi_threshold"].values).all()
