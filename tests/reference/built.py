"""Columns that references are built from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlmon_exporter import Reference
from mlmon_exporter.core.drift.tests import Comparison, score
from mlmon_exporter.core.settings import Policy
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import fed

ENGINES = ["fastdigest", "tdigest"]


def rows(count: int = 3000, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "age": rng.normal(40, 10, count),
        "visits": rng.poisson(2.0, count),
        "income": np.where(rng.random(count) < 0.3, 0.0, rng.lognormal(10, 1, count)),
        "colour": rng.choice(["red", "green", ""], count, p=[0.6, 0.3, 0.1]),
        "score": rng.random(count),
    }


def names(reference: Reference) -> tuple[list[str], list[str]]:
    return [c.name for c in reference.features], [c.name for c in reference.outputs]


def scores(reference: Reference, window: Mapping[str, Any], engine: str) -> dict[str, Any]:
    """All scores and thresholds of a window's features."""
    frame = ReferenceMatrix(reference.features)
    sums = frame.sums(fed(frame, window, engine=engine).merged(0.0)[0])
    return score(Comparison(frame, sums, Policy(), 1e-6))
