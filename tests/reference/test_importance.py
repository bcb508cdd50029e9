"""Facts about the importance of a reference's features: measured, given, kept and merged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from mlmon_exporter import Reference
from mlmon_exporter.cli.demo.datasets import BIKE_CATEGORICAL, Row, bike_splits, income_splits
from mlmon_exporter.cli.demo.models import BikeModel, IncomeModel
from mlmon_exporter.reference.importance import weights_in

OLD = Path(__file__).parents[1] / "data" / "old.reference.json"
Predict = Callable[[Sequence[Row]], Any]


def importances(reference: Reference) -> dict[str, float]:
    return {column.name: column.importance for column in reference.features}


def permutation_importance(predict: Predict, rows: Sequence[Row]) -> dict[str, float]:
    """How far predictions move where a feature's values are shuffled, mean square."""
    rng = np.random.default_rng(0)
    found = {}
    before = np.array(predict(rows), dtype=float)
    for name in rows[0]:
        order = rng.permutation(len(rows)).tolist()
        mixed = [{**row, name: rows[j][name]} for row, j in zip(rows, order, strict=True)]
        found[name] = float(np.mean((np.array(predict(mixed), dtype=float) - before) ** 2))
    return found


def agreement(measured: Mapping[str, float], expected: Mapping[str, float]) -> float:
    return float(spearmanr([expected[name] for name in measured], [*measured.values()])[0])


def test_importance_of_the_bike_model_is_as_permutation_has_it() -> None:
    splits = bike_splits()
    model = BikeModel(splits.training)
    rows = splits.reference.rows
    data = {name: [row[name] for row in rows] for name in rows[0]}
    reference = Reference.build(
        data | {"rentals": model.predict(rows)},
        predictions="rentals",
        categorical=BIKE_CATEGORICAL,
    )
    measured = importances(reference)
    assert agreement(measured, permutation_importance(model.predict, rows)) >= 0.7
    assert sum(measured.values()) == pytest.approx(1.0)
    assert max(measured, key=lambda name: measured[name]) == "hr"


def test_importance_of_the_income_model_is_as_permutation_has_it() -> None:
    splits = income_splits()
    model = IncomeModel(splits.training)
    rows = splits.reference.rows[:2000]
    data = {name: [row[name] for row in rows] for name in rows[0]}
    for name in ("label", "probability"):
        data[name] = [answer[name] for answer in model.predict(rows)]
    reference = Reference.build(data, predictions=["label", "probability"])

    def predict(some: Sequence[Row]) -> list[float]:
        return [answer["probability"] for answer in model.predict(some)]

    measured = importances(reference)
    assert agreement(measured, permutation_importance(predict, rows)) >= 0.7


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3000))
    return {"a": a, "b": b, "p": a + b / 2}


def test_weights_that_are_given_are_taken(data: dict[str, Any]) -> None:
    given = Reference.build(data, predictions="p", importance={"b": 3, "a": 1.0})
    assert importances(given) == {"a": 0.25, "b": 0.75}
    for wrong in ({"c": 1.0}, {"a": -1.0}, {"a": math.nan}, {"a": "x"}):
        with pytest.raises(ValueError, match=r"importance: '?[ac]'?: expected"):
            Reference.build(data, predictions="p", importance=wrong)  # type: ignore[arg-type]


def test_nothing_is_known_without_predictions(data: dict[str, Any]) -> None:
    reference = Reference.build({"a": data["a"]})
    assert math.isnan(reference.features[0].importance)
    assert b"importance" not in reference.to_bytes()


def test_a_file_keeps_importance_and_old_files_have_none(data: dict[str, Any]) -> None:
    reference = Reference.build(data, predictions="p")
    kept = Reference.from_bytes(reference.to_bytes())
    assert importances(kept) == importances(reference)
    damaged = reference.to_bytes().replace(b'"importance":0.', b'"importance":7.', 1)
    with pytest.raises(ValueError, match=r"features\[0\] \(a\): importance: expected a share"):
        Reference.from_bytes(damaged)
    assert all(math.isnan(v) for v in importances(Reference.load(OLD)).values())


def test_parts_have_the_importance_of_what_they_are_built_like(data: dict[str, Any]) -> None:
    like = Reference.build(data, predictions="p")
    part = Reference.build({name: values[:500] for name, values in data.items()}, like=like)
    assert importances(part) == importances(like) == importances(part + part)


def test_of_two_references_importance_is_the_mean_by_rows(data: dict[str, Any]) -> None:
    sides = [
        Reference.build(
            {name: values[:rows] for name, values in data.items()},
            predictions="p",
            importance={"a": a, "b": 1 - a},
        )
        for rows, a in ((1000, 0.4), (3000, 0.8))
    ]
    assert importances(sides[0] + sides[1]) == pytest.approx({"a": 0.7, "b": 0.3})


@pytest.mark.parametrize(
    "text",
    [
        "feature,weight\na,0.25\nb,-0.5\n",
        "\ufeffa,0.25\r\n\r\nb,-0.5",
        '{"a": 0.25, "b": -0.5}',
    ],
)
def test_weights_are_read_from_csv_and_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "w").write_text(text, encoding="utf-8")
    assert weights_in(tmp_path / "w") == {"a": 0.25, "b": 0.5}


def test_other_files_of_weights_are_refused_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "w.csv"
    for text, message in (
        ("a,1\nb,x\n", "w.csv:2: expected a feature and its weight, got 'b,x'"),
        ("a,1\nb\n", "w.csv:2: expected"),
        ('{"a": [1]}', "w.csv: expected feature -> weight in JSON"),
        ('{"a": 1', "w.csv: expected feature -> weight in JSON"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            weights_in(file)
