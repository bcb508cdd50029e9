"""People of two segments, their predictions and outcomes, and scikit-learn on the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.settings import ModelSettings
from tests.core.outcome_rows import NOW, SETTINGS, model_of, predicted, tell

Rows = dict[str, Any]


EXACT = 1e-9


AREA = 0.002


def people(count: int, seed: int) -> Rows:
    """Two classes, a probability, a predicted class at an odd threshold, two segment features."""
    rng = np.random.default_rng(seed)
    sex = np.array(["f", "m"], dtype=object)[rng.integers(0, 2, count)]
    age = np.round(rng.uniform(18, 80, count))
    p = 1 / (1 + np.exp(-rng.normal((sex == "m") + age / 40 - 2.2, 1.2)))
    y = np.where(rng.random(count) < p, "yes", "no").astype(object)
    label = np.where(p >= 0.37, "yes", "no").astype(object)
    return {"sex": sex, "age": age, "p": p, "label": label, "y": y}


FEATURES = ("sex", "age")


BY = ["sex", ("age", (30.0, 50.0))]


def people_model(settings: ModelSettings = SETTINGS) -> Model:
    data = people(3000, 0)
    return model_of(data, ["p", "label"], settings, ground_truth="y", segments=BY)


def parts(rows: Rows, *names: str) -> Rows:
    return {name: rows[name] for name in names}


def feed(model: Model, rows: Rows, *, at: float = NOW, version: str | None = None) -> None:
    waiting = predicted(
        model, parts(rows, *FEATURES), parts(rows, "p", "label"), at=at, version=version
    )
    assert tell(model, waiting, rows["y"]) == [None] * len(rows["y"])


def calibration_error(chance: NDArray[Any], happened: NDArray[Any]) -> float:
    """Naeini et al. (2015), with bins [0, 0.1), ..., [0.9, 1]."""
    bins = np.minimum((chance * 10).astype(int), 9)
    gaps = [abs(happened[bins == b].sum() - chance[bins == b].sum()) for b in range(10)]
    return float(sum(gaps) / len(chance))


def binary_oracle(rows: Rows) -> dict[str, float]:
    y, label, p = rows["y"], rows["label"], rows["p"]
    return {
        "accuracy": sk.accuracy_score(y, label),
        "precision": sk.precision_score(y, label, pos_label="yes"),
        "recall": sk.recall_score(y, label, pos_label="yes"),
        "f1": sk.f1_score(y, label, pos_label="yes"),
        "log_loss": sk.log_loss(y, p),
        "brier": sk.brier_score_loss(y, p, pos_label="yes"),
        "calibration_error": calibration_error(p, y == "yes"),
        "roc_auc": sk.roc_auc_score(y, p),
        "rows": len(y),
    }


def assert_equal(found: dict[str, float], oracle: dict[str, float]) -> None:
    assert {name for name in found if not name.endswith("threshold")} == oracle.keys()
    for name, value in oracle.items():
        within = AREA if name == "roc_auc" else EXACT * max(1, abs(value))
        assert found[name] == pytest.approx(value, abs=within), name
