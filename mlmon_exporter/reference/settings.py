"""Settings of a model, from the user's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlmon_exporter.config.keys import Config, ModelConfig
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.settings import ModelSettings, Policy, SegmentFeature, window_names
from mlmon_exporter.formats import BodyMap

Segment = str | tuple[str, Sequence[float]]
"""A feature by which rows are sliced; with the edges of its ranges, if it is not by value."""


def segment_feature(segment: Segment) -> SegmentFeature:
    """Return what a user says of a segment feature.

    Raises:
        ValueError: Edges are no finite numbers in ascending order.
    """
    if isinstance(segment, str):
        return SegmentFeature(segment)
    feature, edges = segment
    numbers = tuple(float(edge) for edge in edges)
    if not np.isfinite(numbers).all() or (np.diff(numbers) <= 0).any():
        raise ValueError(f"segments: {feature}: expected ascending edges, got {[*edges]}")
    return SegmentFeature(feature, numbers)


def model_settings(c: Config, model: ModelConfig) -> ModelSettings:
    """Return the settings of a model: keys of its table, and of all models, by their names."""
    given = dict(c) | {key: value for key, value in model if value is not None}
    given["segments"] = tuple(map(segment_feature, model.segments))
    given["windows"] = window_names([(w.label, w.seconds) for w in c.windows])
    policy = Policy(budget_seconds=c.false_alarm_every.seconds, **_of(Policy, given))
    return ModelSettings(
        policy=policy,
        engine=c.digest,
        with_histograms=c.feature_histograms,
        is_shared=c.state_dir is not None,
        **_of(ModelSettings, given),
    )


def body_map(
    c: Config,
    model: ModelConfig,
    features: Sequence[ColumnReference],
    outputs: Sequence[ColumnReference],
) -> BodyMap:
    """Return by what names and limits captured bodies of a model are read."""
    return BodyMap(
        feature_names=tuple(column.name for column in features),
        output_names=tuple(model.outputs) or tuple(column.name for column in outputs),
        features=model.features,
        predictions=model.predictions,
        max_rows=c.max_rows,
        max_features=c.max_features,
        max_inflated_bytes=c.max_inflated_bytes,
    )


def _of(settings: type[Policy | ModelSettings], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that settings have under the same name."""
    return {name: given[name] for name in settings._fields if name in given}
