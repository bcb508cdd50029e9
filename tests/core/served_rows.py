"""Rows of a small model, and its readings."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.records import Batch, Histograms, Readings
from mlmon_exporter.core.settings import (
    ModelSettings,
)
from mlmon_exporter.metrics.table import METRICS

from .build import references

NOW = 1.7e9


SETTINGS = ModelSettings("bike", "v1", learn_rows=1000)


def rows(count: int, seed: int = 0, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    colours = np.array(["red", "green"], dtype=object)
    return {"age": rng.normal(shift, 1.0, count), "colour": colours[rng.integers(0, 2, count)]}


def batch(count: int, seed: int = 0, *, version: str | None = None, shift: float = 0.0) -> Batch:
    score = np.random.default_rng(seed + 1000).random(count)
    return Batch(rows(count, seed, shift), {"score": score}, count, version)


def single_rows(count: int, seed: int = 0) -> Iterator[Batch]:
    whole = batch(count, seed)
    for i in range(count):
        features = {name: values[i] for name, values in whole.features.items()}
        yield Batch(features, {"score": whole.predictions["score"][i]}, 1)


def reference_of(count: int = 5000) -> ModelReference:
    made = batch(count)
    return ModelReference(references(made.features), references(made.predictions), NOW, "ref.json")


def samples(readings: Iterable[Readings | Histograms]) -> dict[tuple[str, ...], float]:
    """(name, version, other label values) -> value."""
    found: dict[tuple[str, ...], float] = {}
    for block in readings:
        assert block.name in METRICS
        if isinstance(block, Readings):
            for labels, value in zip(block.labels, block.values, strict=True):
                assert labels[0] == "bike"
                key = (block.name, *labels[1:])
                assert key not in found
                found[key] = float(value)
    return found


def learned(*batches: Batch, settings: ModelSettings = SETTINGS) -> ModelReference:
    told: list[ModelReference] = []

    def keep(reference: ModelReference) -> ModelReference:
        told.append(reference)
        return reference

    model = Model(settings, None, on_learned=keep)
    for each in batches:
        model.observe(each, NOW)
    assert model.reference is told[0]
    assert len(told) == 1
    return told[0]
