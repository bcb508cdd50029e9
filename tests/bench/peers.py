"""The same app with each exporter around it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from mlmon_exporter import Config, Monitor, MonitorMiddleware, Reference

from .asgi import FEATURES, App, new_app

OURS, INSTRUMENTATOR = "mlmon-exporter", "prometheus-fastapi-instrumentator"


def reference_file(folder: Path, features: int = FEATURES, rows: int = 10_000) -> Path:
    """Write the reference of so many normal features and one output; return its path."""
    rng = np.random.default_rng(0)
    data = {f"feature_{i}": rng.standard_normal(rows) for i in range(features)}
    path = folder / f"{features}.reference.json"
    Reference.build(data | {"prediction": rng.random(rows)}, predictions="prediction").save(path)
    return path


def ours(**options: Any) -> tuple[App, Monitor]:
    """Return the app with us around it, watching all its features."""
    with tempfile.TemporaryDirectory() as folder:
        path = reference_file(Path(folder))
        config = Config.from_options(None, model="bench", reference=str(path), **options)
        monitor = Monitor(config)
    return MonitorMiddleware(new_app(), monitor=monitor), monitor


def instrumented() -> App:
    """Return the app with prometheus-fastapi-instrumentator in it."""
    from prometheus_client import CollectorRegistry
    from prometheus_fastapi_instrumentator import Instrumentator

    app = new_app()
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def peers() -> dict[str, App]:
    """Return the app with each peer around it, which count requests and watch no feature."""
    from aioprometheus.asgi.middleware import MetricsMiddleware
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from starlette_exporter import PrometheusMiddleware

    return {
        INSTRUMENTATOR: instrumented(),
        "starlette_exporter": PrometheusMiddleware(new_app()),
        "aioprometheus": MetricsMiddleware(cast(Any, new_app())),
        "opentelemetry-instrumentation-asgi": OpenTelemetryMiddleware(
            new_app(),
            tracer_provider=TracerProvider(),
            meter_provider=MeterProvider([InMemoryMetricReader()]),
        ),
    }
