"""The way to put a monitor into a gRPC server."""

from __future__ import annotations

from mlmon_exporter.metrics.otel import observe_readings
from mlmon_exporter.sources.grpc.interceptor import GrpcSource

from .monitor import Monitor


class MonitorInterceptor(GrpcSource):
    """Interceptor that watches a server: `grpc.aio.server(interceptors=[MonitorInterceptor()])`.

    It serves `grpc.server` as well.
    """

    def __init__(self, monitor: Monitor | None = None) -> None:
        """Set an interceptor up.

        Args:
            monitor: Takes what is observed; by default a new one, configured by the file that
                `MLMON_CONFIG` names.

        Raises:
            ConfigError: That configuration or a reference cannot be used.
        """
        self.monitor = monitor or Monitor()
        if monitor is None:
            observe_readings(self.monitor._readout.blocks)  # noqa: SLF001 - its own
        super().__init__(self.monitor._sink, self.monitor.close)  # noqa: SLF001 - its own
