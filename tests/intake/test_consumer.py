"""Rows of exchanges and of code: both are counted, windowed and kept alike."""

from __future__ import annotations

import gc
import json
from typing import Any

import numpy as np
import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.settings import ModelSettings
from mlmon_exporter.intake.consumer import batch_of
from mlmon_exporter.runtime.pace import Pace
from tests.formats.bodies import exchange
from tests.intake.waiting import waiting

MODEL = Model(ModelSettings(name="m", outputs=("price",)), None)


@pytest.mark.parametrize(
    ("predictions", "outputs"),
    [(None, {}), (0.5, {"price": 0.5}), ([0.5], {"price": 0.5}), ({"a": 1, "b": 2},) * 2],
)  # fmt: skip
def test_a_bare_prediction_is_the_only_output(predictions: Any, outputs: dict[str, Any]) -> None:
    batch = batch_of(MODEL, {"x": 1.0}, predictions, None, None)
    assert (batch.rows, batch.predictions) == (1, outputs)


def test_columns_of_several_rows_stay_columns() -> None:
    batch = batch_of(MODEL, {"x": np.arange(3.0), "city": ["a", "b", "c"]}, [1, 2, 3], "2", None)
    assert (batch.rows, batch.version) == (3, "2")
    assert batch.predictions == {"price": [1, 2, 3]}


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected columns of one length, got \[1, 2\]"):
        batch_of(MODEL, {"x": [1, 2]}, 0.5, None, None)


def test_no_columns_are_no_rows() -> None:
    assert batch_of(MODEL, {}, None, None, None).rows == 0


def test_rows_of_a_large_body_set_off_no_collection_of_the_apps_garbage() -> None:
    rows = 20 * gc.get_threshold()[0]
    asked = json.dumps({"instances": [{"x": 1.0}] * rows}).encode()
    told = json.dumps({"predictions": [0.5] * rows}).encode()
    collected: list[str] = []

    def note(phase: str, information: dict[str, int]) -> None:
        collected.append(phase)

    with Monitor(model="m") as monitor:
        one = waiting([exchange(asked, told)])
        gc.collect()
        gc.callbacks.append(note)
        try:
            monitor._consumer(one, Pace())
        finally:
            gc.callbacks.remove(note)
    assert not collected
