"""Facts about comparing rows with a reference at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlmon_exporter import Config, ConfigError, Monitor, Reference
from mlmon_exporter.core.records import Readings
from mlmon_exporter.core.settings import PANES
from mlmon_exporter.reference.compare import CONCEPT, Comparison

NOW = 1_790_000_000.0


def rows(seed: int, count: int, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=count) + shift
    p = 1 / (1 + np.exp(-a))
    return {
        "a": a,
        "town": rng.choice(["Kyiv", "Lviv", "Odesa"], count),
        "p": p,
        "y": (rng.random(count) < p).astype(int),
    }


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.build(rows(0, 4000), predictions="p", ground_truth="y", model="m")


def test_verdicts_are_those_of_a_server_whose_window_holds_the_rows(
    reference: Reference, tmp_path: Path
) -> None:
    file = tmp_path / "m.json"
    reference.save(file)
    new = rows(1, 600, shift=0.4)
    with Monitor(Config(), model="m", reference=file, windows=["24h"]) as monitor:
        pane_seconds = 86400.0 / PANES
        for i in range(PANES):
            part = {name: values[50 * i : 50 * (i + 1)] for name, values in new.items()}
            at = (NOW // pane_seconds - PANES + 1 + i) * pane_seconds
            monitor.observe({n: part[n] for n in ("a", "town")}, {"p": part["p"]}, now=at)
        served = {
            (r.name, r.labels.get("feature", r.labels.get("output"))): r.value
            for r in monitor.readings(now=NOW)
        }
    found = reference.compare(new, now=NOW)
    assert [(c.name, c.is_drifted) for c in found.columns] == [
        ("a", True),
        ("p", True),
        ("town", False),
    ]
    for check in found.columns:
        prefix = "mlmon_feature" if check.side == "feature" else "mlmon_prediction"
        assert check.value == served[f"{prefix}_{check.score}", check.name]
        bar = check.score.removesuffix("_statistic").removesuffix("_ratio")
        assert check.threshold == served[f"{prefix}_{bar}_threshold", check.name]


def test_quality_is_compared_where_there_is_ground_truth(reference: Reference) -> None:
    same = reference.compare(rows(2, 2000), ground_truth="y")
    assert not same.worse
    assert not same.drifted
    wrong = rows(2, 2000)
    wrong["y"] = 1 - wrong["y"]
    found = reference.compare(wrong, ground_truth="y")
    assert {c.name for c in found.worse} == {"accuracy", "roc_auc", "log_loss", "brier", CONCEPT}
    accuracy = next(c for c in found.qualities if c.name == "accuracy")
    predicted = wrong["p"] >= 0.5
    assert accuracy.value == pytest.approx(np.mean(predicted == wrong["y"]))
    assert accuracy.reference == pytest.approx(reference.quality["accuracy"])


def test_too_few_rows_are_said_to_be(reference: Reference) -> None:
    found = reference.compare(rows(3, 40), ground_truth="y")
    assert {c.is_drifted for c in found.columns} == {None}
    assert {c.inactive for c in found.columns} == {"40 rows, of 100 at least"}
    assert {c.inactive for c in found.qualities} == {"too few of its 40 rows with ground truth"}
    assert not found.drifted
    assert not found.worse
    policy = Config(min_window_rows=30)
    assert reference.compare(rows(3, 40), config=policy).columns[0].is_drifted is False


def test_a_column_that_is_not_there_is_missing_in_all_rows(reference: Reference) -> None:
    new = rows(4, 500)
    del new["town"]
    found = reference.compare(new)
    (check,) = found.drifted
    assert (check.name, check.score) == ("town", "psi")
    numbers = {
        (b.name, labels): v
        for b in found.snapshot.blocks
        if isinstance(b, Readings)
        for labels, v in zip(b.labels, b.values, strict=True)
    }
    assert numbers["mlmon_feature_missing_ratio", ("m", "", "town", "24h")] == 1.0
    assert check.inactive == "not among the columns, so missing in all rows"


@pytest.mark.parametrize("count", [1, 5, 12, 100_000])
def test_every_row_counts_once(reference: Reference, count: int) -> None:
    found = reference.compare(rows(5, count))
    assert found.rows == count
    assert {int(summary.rows) for summary in found.snapshot.summaries} == {count}


def test_an_arrow_table_compares_like_arrays(reference: Reference) -> None:
    new = rows(6, 700)
    of_table = reference.compare(pa.table(new), ground_truth="y", now=NOW)
    assert of_table.to_dict() == reference.compare(new, ground_truth="y", now=NOW).to_dict()


def test_it_can_be_written_as_json(reference: Reference) -> None:
    form = reference.compare(rows(7, 20)).to_dict()
    assert form["rows"] == 20
    assert form["columns"][0]["value"] is None
    assert not any(isinstance(v, float) and math.isnan(v) for v in form["columns"][0].values())


def test_what_cannot_be_compared_is_an_error(reference: Reference) -> None:
    with pytest.raises(ValueError, match="compare: expected rows, got none"):
        reference.compare({"a": []})
    with pytest.raises(ValueError, match="expected columns of the reference, a, town, p; got b"):
        reference.compare({"b": [1.0]})
    with pytest.raises(ValueError, match="ground truth: there is no column 'z'"):
        reference.compare({"a": [1.0]}, ground_truth="z")
    with pytest.raises(ConfigError, match="windows"):
        reference.compare({"a": [1.0]}, window="soon")
    without = Reference.build({"a": [1.0, 2.0]})
    with pytest.raises(ValueError, match="expected a reference with outcomes"):
        without.compare({"a": [1.0]}, ground_truth="a")


def test_the_model_of_the_configuration_is_the_one_of_the_reference(reference: Reference) -> None:
    config = Config(models=({"name": "other"}, {"name": "m", "version": "7"}))
    found: Comparison = reference.compare(rows(8, 200), config=config)
    assert {(s.model, s.version) for s in found.snapshot.summaries} == {("m", "7")}


def test_a_column_that_drifted_to_one_value_is_called_constant() -> None:
    rng = np.random.default_rng(0)

    def rows(count: int) -> dict[str, Any]:
        kinds = np.array(["a", "b"], dtype=object)
        spread = {"x": rng.normal(size=count), "kind": kinds[rng.integers(0, 2, count)]}
        return {**spread, "flat": np.full(count, 3.0), "p": rng.random(count)}

    reference = Reference.build(rows(5000), predictions="p")
    new = rows(1000)
    new["x"][30:] = 0.25
    new["kind"][:] = "a"
    new["p"] += 0.5
    found = reference.compare(new).columns
    checks = {check.name: check for check in found if check.side != "derived"}
    drifted = {name for name, check in checks.items() if check.is_drifted}
    assert drifted == {"x", "kind", "p"}
    assert {name for name, check in checks.items() if check.is_constant} == {"x", "kind"}
    new["x"][:200] = rng.normal(size=200)
    assert not {c.name: c for c in reference.compare(new).columns}["x"].is_constant


def test_rows_that_are_compared_at_once_are_of_any_hour() -> None:
    rng = np.random.default_rng(3)
    ts = np.arange(14 * 1200) * 72.0
    data = {"x": rng.normal(size=len(ts)) + 1.5 * (ts % 86400 < 7 * 3600), "ts": ts}
    built = Reference.build(data, time_column="ts", windows=["1h"])
    assert len(built.features[0].hours)
    days = rng.permutation(len(ts))[:2000]
    found = built.compare({"x": data["x"][days]}, window="1h", now=NOW)
    assert [check.is_drifted for check in found.columns] == [False]
