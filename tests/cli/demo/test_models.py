"""Facts about the demo's models."""

from __future__ import annotations

import math

import numpy as np

from mlmon_exporter.cli.demo.models import BikeModel, IncomeModel
from tests.cli.demo.replayed import Prepared


def test_models_have_learned_something(prepared: Prepared) -> None:
    bike, income = prepared.bike, prepared.income
    predicted = np.array(BikeModel(bike.training).predict(bike.reference.rows))
    rentals = np.array(bike.reference.outcomes)
    assert np.square(predicted - rentals).sum() < 0.5 * np.square(rentals - rentals.mean()).sum()
    predictions = IncomeModel(income.training).predict(income.reference.rows)
    pairs = zip(predictions, income.reference.outcomes, strict=True)
    assert np.mean([p["label"] == outcome for p, outcome in pairs]) > 0.85


def test_models_take_what_they_do_not_know(prepared: Prepared) -> None:
    (rentals,) = BikeModel(prepared.bike.training).predict([{"temp": "warm"}])
    assert math.isfinite(rentals)
    (prediction,) = IncomeModel(prepared.income.training).predict([{"workclass": "pirate"}])
    assert prediction["label"] in {"<=50K", ">50K"}
