"""Models that get predictions and then their ground truth, and what they say of them, in a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes import tally_bytes
from mlmon_exporter.core.outcomes.scorer import Tallies
from mlmon_exporter.core.records import Batch, Prediction, Readings
from mlmon_exporter.core.settings import ModelSettings, Policy
from mlmon_exporter.metrics.table import METRICS
from mlmon_exporter.reference.reference import Reference

NOW = 1.7e9
HOUR = 3600.0
SETTINGS = ModelSettings("m", "v1", policy=Policy(min_window_rows=30))

Columns = Mapping[str, Any]
Values = dict[tuple[str, ...], float]


def model_of(
    data: Columns, outputs: Sequence[str], settings: ModelSettings = SETTINGS, **roles: Any
) -> Model:
    """A model whose reference is built of these columns; `roles` are those of `Reference.build`."""
    built = Reference.build(data, predictions=outputs, **roles)
    return Model(settings, Reference.from_bytes(built.to_bytes()).for_model("r.json"))


def predicted(
    model: Model,
    features: Columns,
    outputs: Columns,
    *,
    at: float = NOW,
    version: str | None = None,
) -> list[Prediction]:
    """Have a model take in rows; return what waits for their outcomes."""
    rows = len(next(iter(outputs.values())))
    ids = [f"{version}-{at}-{i}" for i in range(rows)]
    batch = Batch(features, outputs, rows, version, ids)
    model.observe(batch, at)
    return model.pending_of(batch, at)


def tell(
    model: Model, predictions: Sequence[Prediction], truths: Iterable[Any], now: float = NOW
) -> list[str | None]:
    """Have a model take in ground truths; return what is wrong with each."""
    parts, problems = model.outcome_tallies([*zip(predictions, truths, strict=True)], now)
    model.versions.restore(through_bytes(parts))
    return problems


def through_bytes(tallies: Tallies) -> Tallies:
    """The same tallies, written and read as the state on disk does."""
    return {
        key: tally_bytes.from_bytes(tally_bytes.to_bytes(tally)) for key, tally in tallies.items()
    }


def told(model: Model, now: float = NOW, window: str = "1h") -> Values:
    """What a model says of outcomes in a window: (name, version, other label values) -> value."""
    found: Values = {}
    for block in model.readings(now):
        assert block.name in METRICS
        if not isinstance(block, Readings):
            continue
        for labels, value in zip(block.labels, block.values, strict=True):
            named = dict(zip(block.label_names, labels, strict=True))
            if named.pop("window", window) == window and not np.isnan(value):
                name = block.name.removeprefix("mlmon_")
                named.pop("model", None)
                key = (name, *named.values())
                assert key not in found
                found[key] = float(value)
    return found


def overall(values: Values, prefix: str = "quality_", version: str = "v1") -> dict[str, float]:
    """The numbers of all rows that begin so, without the prefix."""
    return {
        key[0].removeprefix(prefix): value
        for key, value in values.items()
        if key[0].startswith(prefix) and key[1] == version and not any(key[2:])
    }
