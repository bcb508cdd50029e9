"""A host's state with real drift, for the page: three models, each of a hundred features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter import Monitor, Reference

HOSTILE = "<script>alert(1)</script>"
LONG = "category-" * 7 + "x"
"""As long as a category may be."""
MODELS = ("bike-demand", "churn", "income")
NOW = 1_763_900_000.0
PANE = 7200.0
FEATURES = 100

Rows = dict[str, NDArray[Any]]
NAMES = ("temperature", "humidity", "wind_speed", "hour", "age", "balance", "clicks", "income")


def rows(count: int, seed: int, *, shift: float = 0.0, features: int = FEATURES) -> Rows:
    """Return rows; the shift moves the first feature, the colours, and what is missing."""
    rng = np.random.default_rng(seed)
    columns: Rows = {}
    for i in range(features - 3):
        name = f"{NAMES[i % len(NAMES)]}_{i}" if i >= len(NAMES) else NAMES[i]
        values = rng.normal(i, 1 + i, count) if i % 3 else rng.gamma(2.0, 1 + i, count)
        columns[name] = np.round(values, 3)
    columns["temperature"] += 1.2 * shift
    columns["humidity"][rng.random(count) < 0.2 * shift] = np.nan
    likely = np.array([0.5, 0.3, 0.2 - 0.15 * min(shift, 1.0), 0.15 * min(shift, 1.0)])
    columns["colour"] = rng.choice(["red", "green", "blue", "teal"], count, p=likely)
    columns[HOSTILE] = rng.integers(0, 12, count).astype(float)
    columns["browser"] = rng.choice([LONG, "firefox", "<b>chrome</b>"], count, p=[0.6, 0.3, 0.1])
    columns["score"] = rng.random(count) ** (1 + shift)
    return columns


def fill(monitor: Monitor, *, now: float = NOW, features: int = FEATURES) -> None:
    """Give each model a day of rows; the first one drifts in its last hours."""
    for k, model in enumerate(monitor.models):
        for pane in range(12):
            shift = max(0.0, (pane - 7) / 4) if k == 0 else 0.0
            columns = rows(400 + 40 * pane, 100 * k + pane, shift=shift, features=features)
            score = {"score": columns.pop("score")}
            monitor.observe(columns, score, model=model, now=now - (11 - pane) * PANE)


def configured(folder: Path, *, features: int = FEATURES, **options: Any) -> dict[str, Any]:
    """Build the references of the models in a folder; return a monitor's options."""
    models = []
    for k, name in enumerate(MODELS):
        path = folder / f"{name}.reference.json"
        Reference.build(rows(4000, 7 + k, features=features), predictions="score", model=name).save(
            path
        )
        models.append({"name": name, "reference": str(path), "routes": (f"/{name}",)})
    models[0] |= {"task": "regression", "version": "2026-11"}
    return {"models": models, **options}
