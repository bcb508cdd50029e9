"""The lines of docs/grpc.md for servers that build their gRPC server themselves."""

from __future__ import annotations

from typing import Any

import grpc.aio
from prometheus_client import CollectorRegistry, start_http_server

from mlmon_exporter import Monitor, MonitorInterceptor


def watch_servers(metrics_port: int, reference: str) -> None:
    """Watch each gRPC server that this process makes from now on."""
    monitor = Monitor(model="linear", reference=reference)
    make = grpc.aio.server

    def watched(*args: Any, interceptors: Any = (), **options: Any) -> Any:
        return make(*args, interceptors=[MonitorInterceptor(monitor), *interceptors], **options)

    grpc.aio.server = watched
    registry = CollectorRegistry()
    registry.register(monitor.collector())
    start_http_server(metrics_port, registry=registry)
