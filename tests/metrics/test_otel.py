from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.metrics.otel import observe_readings


def test_an_otlp_exporter_gets_the_same_gauges_as_a_scrape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    rng = np.random.default_rng(0)
    Reference.build({"age": rng.normal(size=2000)}).save(tmp_path / "reference.json")
    monitor = Monitor(model="m", reference=str(tmp_path / "reference.json"))
    observe_readings(monitor._readout.blocks)
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    monitor.observe({"age": rng.normal(size=500) + 1.0}, now=1_000_000.0)
    data = reader.get_metrics_data()
    assert data is not None
    pushed = {
        (metric.name, point.attributes["window"]): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint) and point.attributes and "window" in point.attributes
    }
    scraped = {
        (reading.name, reading.labels["window"]): reading.value
        for reading in monitor.readings(now=1_000_000.0)
        if "window" in reading.labels and "quantile" not in reading.name
    }
    assert pushed.keys() >= {("mlmon_feature_psi", "1h"), ("mlmon_feature_drifted", "24h")}
    assert {key: pushed[key] for key in scraped} == scraped
    provider.shutdown()
    monitor.close()
