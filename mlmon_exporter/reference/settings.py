"""Settings of a model, from the user's configuration."""

from __future__ import annotations

from collections.abc import Sequence

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
    """Return what the configuration says of a model."""
    return ModelSettings(
        name=model.name,
        version=model.version or "",
        task=model.task or "",
        windows=window_names([(w.label, w.seconds) for w in c.windows]),
        policy=Policy(
            budget_seconds=c.false_alarm_every.seconds,
            min_window_rows=c.min_window_rows,
            psi_floor=c.psi_floor,
            ks_floor=c.ks_floor,
            share_floor=c.share_floor,
        ),
        engine=c.digest,
        learn_rows=c.learn_rows,
        max_categories=c.max_categories,
        max_versions=c.max_versions,
        max_features=c.max_features,
        with_histograms=c.feature_histograms,
        outputs=tuple(model.outputs),
        score=model.score or "",
        label=model.label or "",
        positive=model.positive or "",
        segments=tuple(map(segment_feature, model.segments)),
        max_segments=c.max_segments,
        is_shared=c.state_dir is not None,
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
