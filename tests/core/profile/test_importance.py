"""Facts about importance measured by dependence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.stats.contingency import association

from mlmon_exporter.core.profile import importance
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.importance import Dependence, squared_v, with_importance
from mlmon_exporter.core.profile.profiler import Profiler

ROWS = 20_000


def columns_of(data: Mapping[str, Any]) -> tuple[ColumnReference, ...]:
    profiler = Profiler()
    rows = len(next(iter(data.values())))
    profiler.profile(data, rows)
    if not profiler.is_exact:
        profiler.count(data, rows)
    return profiler.references()


def weights(data: Mapping[str, Any], output: str = "y") -> dict[str, float]:
    columns = columns_of(data)
    outputs = [column for column in columns if column.name == output]
    dependence = Dependence([c for c in columns if c.name != output], outputs)
    dependence.count(data, len(data[output]))
    return dependence.weights()


def test_v_is_that_of_scipy_but_for_its_bias() -> None:
    table = np.array([[300.0, 100, 50], [20, 400, 80], [0, 0, 0], [70, 90, 500]])
    plain = association(table[[0, 1, 3]].astype(int), method="cramer")
    assert squared_v(table) == pytest.approx(plain**2, rel=0.01)
    assert squared_v(table) < plain**2
    assert squared_v(np.diag([30.0, 40, 50])) == pytest.approx(1.0)
    for empty in (np.zeros((3, 3)), np.array([[5.0, 9]]), np.array([[1.0, 0], [0, 0]])):
        assert squared_v(empty) == 0.0


def test_noise_has_no_weight_and_what_decides_has_most() -> None:
    rng = np.random.default_rng(0)
    strong, weak, noise = rng.normal(size=(3, ROWS))
    kind = rng.choice(["a", "b", "c"], ROWS)
    y = 2.0 * strong + 0.5 * weak + 1.0 * (kind == "a")
    found = weights({"strong": strong, "weak": weak, "noise": noise, "kind": [*kind], "y": y})
    assert found["strong"] > 2 * max(found["weak"], found["kind"])
    assert min(found["weak"], found["kind"]) > 0.004 > 4 * found["noise"]


def test_missing_values_can_be_what_decides() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    x[rng.random(ROWS) < 0.3] = np.nan
    assert weights({"x": x, "y": np.isnan(x) + rng.normal(size=ROWS)})["x"] > 0.01


def test_of_two_that_say_the_same_one_is_important() -> None:
    rng = np.random.default_rng(0)
    x, other = rng.normal(size=(2, ROWS))
    found = weights({"x": x, "again": 3 * x, "other": other, "y": x + other / 2})
    both = sorted((found["x"], found["again"]))
    assert both[0] == pytest.approx(0.0, abs=1e-6)
    assert both[1] > found["other"] > 0.01


def test_chunks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=6000), "kind": rng.choice(["a", "b"], 6000)}
    data["y"] = data["x"] + rng.normal(size=6000)
    columns = columns_of({name: [*values] for name, values in data.items()})
    whole, parts = (Dependence(columns[:2], columns[2:]) for _ in range(2))
    whole.count(data, 6000)
    monkeypatch.setattr(importance, "MOST_CELLS", 5000)
    for i in range(0, 6000, 1500):
        parts.count({name: values[i : i + 1500] for name, values in data.items()}, 1500)
    assert parts.weights() == whole.weights()


def test_wide_data_is_held_against_outputs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "MOST_BINS", 20)
    x = np.random.default_rng(0).normal(size=ROWS)
    found = weights({"x": x, "again": x, "y": x})
    assert found["x"] == found["again"] > 0.9


def test_importance_is_a_share_of_the_sum() -> None:
    columns = columns_of({"a": [1, 2], "b": [1, 2], "c": [1, 2]})
    made = with_importance(columns, {"a": 3.0, "b": 1.0})
    assert [column.importance for column in made] == [0.75, 0.25, 0.0]
    assert all(math.isnan(column.importance) for column in with_importance(columns, {}))
