"""The sink of all sources: everything they ask for and hand over."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import ASGIApp

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.records import ExchangeFields, HeaderPairs

from .model_routes import InFlight, ModelRoutes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sink:
    """Receives the counts of requests, the finished exchanges and the faults of a source."""

    requests: RequestCounts
    health: Health
    routes: ModelRoutes
    in_flight: dict[object, InFlight]
    """The requests being served, by what stands for each: hashed by identity."""
    max_body_bytes: int
    """Longer bodies are not kept."""
    submit: Callable[[ExchangeFields, HeaderPairs, HeaderPairs, int], None]
    """Takes a finished exchange, see `Intake.submit`; neither blocks nor raises."""
    wake: Callable[[], None]
    """Called with each request, since a forked worker starts its threads on first use."""
    shutdown: Callable[[], Awaitable[None]]
    """Called when the server stops."""
    service_apps: Mapping[str, ASGIApp]
    """Path -> our app that answers it; such requests are neither passed on nor counted."""

    def fail(self, fault: Exception) -> None:
        """Count a fault of ours; the request that met it goes on."""
        with suppress(Exception):
            self.health.internal_error("middleware")
            logger.debug("mlmon: a request was served but not watched", exc_info=fault)
