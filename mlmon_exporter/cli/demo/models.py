"""The two models: gradient-boosted trees of scikit-learn, trained in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import ThreadpoolController

from .datasets import BIKE_FEATURES, INCOME_NUMBERS, INCOME_TEXTS, Labelled, Row


class Inputs:
    """Turns rows into the matrix that trees take: numbers, and codes of texts."""

    def __init__(self, rows: Sequence[Row], numbers: Sequence[str], texts: Sequence[str]) -> None:
        self.names = (*numbers, *texts)
        self._codes: dict[str, dict[Any, float]] = {
            name: {text: float(i) for i, text in enumerate(sorted(_known(rows, name)))}
            for name in texts
        }

    def matrix(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """Return shape (rows, names); NaN where a value is missing or was never seen."""
        return np.array(
            [[self._number(name, row.get(name)) for name in self.names] for row in rows],
            dtype=np.float64,
        ).reshape(len(rows), len(self.names))

    def _number(self, name: str, value: Any) -> float:
        codes = self._codes.get(name)
        if codes is not None:
            return codes.get(value, np.nan)
        try:
            return np.nan if value is None else float(value)
        except ValueError:  # a text where a number should be; the monitor counts it
            return np.nan


def _known(rows: Sequence[Row], name: str) -> set[str]:
    return {row[name] for row in rows if row[name] is not None}


class BikeModel:
    """Regression: bicycles rented in an hour."""

    def __init__(self, training: Labelled) -> None:
        self._inputs = Inputs(training.rows, BIKE_FEATURES, ())
        self._threads = ThreadpoolController()
        with self._threads.limit(limits=1):
            self._trees = HistGradientBoostingRegressor(max_iter=60, random_state=0).fit(
                self._inputs.matrix(training.rows), training.outcomes
            )

    def predict(self, rows: Sequence[Row]) -> list[float]:
        # For a few rows, threads cost more than they save.
        with self._threads.limit(limits=1):
            predicted = self._trees.predict(self._inputs.matrix(rows))
        return [round(float(count), 2) for count in np.maximum(predicted, 0.0)]


class IncomeModel:
    """Classification: does a person earn more than 50 000 dollars a year?"""

    def __init__(self, training: Labelled) -> None:
        self._inputs = Inputs(training.rows, INCOME_NUMBERS, INCOME_TEXTS)
        self._threads = ThreadpoolController()
        with self._threads.limit(limits=1):
            # Codes as numbers: told that they are categories, it is no better, and five times as
            # slow for a few rows.
            self._trees = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(
                self._inputs.matrix(training.rows), training.outcomes
            )

    def predict(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the label of each row, and the probability that it is `>50K`."""
        with self._threads.limit(limits=1):
            probabilities = self._trees.predict_proba(self._inputs.matrix(rows))
        low, high = self._trees.classes_.tolist()
        return [
            {"label": high if p >= 0.5 else low, "probability": round(p, 4)}
            for p in probabilities[:, 1].tolist()
        ]
