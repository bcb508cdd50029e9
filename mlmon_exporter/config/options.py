"""Keyword options of `instrument` and `Monitor`, typed for editors: the keys of `Config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from .keys import ModelConfig


class ModelOptions(TypedDict, total=False):
    """Keys of the one model that the options are for; `model` is its name."""

    model: str
    version: str | None
    task: Literal["regression", "classification"] | None
    reference: Path | str | None
    routes: Sequence[str]
    format: str
    features: str | None
    predictions: str | None
    segments: Sequence[str | Mapping[str, Any]]
    score: str | None
    label: str | None
    positive: str | float | None
    outputs: Sequence[str]


class Options(ModelOptions, total=False):
    """All keys; docs/configuration.md describes each."""

    state_dir: Path | str | None
    windows: Sequence[str]
    false_alarm_every: str
    min_window_rows: int
    digest: Literal["fastdigest", "tdigest"]
    token: str | Sequence[str] | None
    metrics_token: str | Sequence[str] | None
    metrics_path: str | None
    page_path: str | None
    health_path: str | None
    events_path: str | None
    psi_floor: float
    ks_floor: float
    share_floor: float
    learn_rows: int
    max_body_bytes: int
    max_inflated_bytes: int
    max_rows: int
    max_features: int
    sample_ratio: float
    queue_exchanges: int
    queue_bytes: int
    flush_seconds: float
    pending_rows: int
    pending_age: str
    ground_truth_store: str | None
    events_waiting: int
    events_bytes: int
    events_age: str
    max_routes: int
    max_categories: int
    max_versions: int
    max_segments: int
    max_kpis: int
    feature_histograms: bool
    detail: Literal["full", "normal", "low"]
    models: Sequence[ModelConfig | Mapping[str, Any]]
