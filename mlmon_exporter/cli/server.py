"""The standalone server: shows the host's state, and takes the events of payload loggers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mlmon_exporter.config.keys import Config, ConfigError
from mlmon_exporter.endpoints.events import EventsApp
from mlmon_exporter.monitor.monitor import Monitor
from mlmon_exporter.sources.events.halves import Bounds
from mlmon_exporter.sources.events.source import EventSource

from .openapi import openapi


class Reader(Monitor):
    """Shows what the host's model servers have counted, and counts nothing but feedback."""

    is_reader = True


def reader_of(config: Config) -> Monitor:
    """Return a reader of the host's state; with a token it takes `/ground-truth` and `/kpi`, too.

    Raises:
        ConfigError: There is no `state_dir` to read.
    """
    if config.state_dir is None:
        raise ConfigError(
            "state_dir: expected the folder that the model server writes to, got none; "
            "set state_dir in both configurations, or MLMON_STATE_DIR"
        )
    return Reader(config)


def server_app(config: Config) -> Starlette:
    """Return the app of `mlmon-exporter serve`: the page at `/`, `/metrics` and `/healthz`.

    `/openapi.json` describes them for programs. With an `events_path` it counts what comes there;
    else it shows the host's state.

    Raises:
        ConfigError: As `reader_of` does; `events_path` is another's path, or has no token.
    """
    if config.events_path is None:
        return app_of(reader_of(config))
    if not config.token:
        raise ConfigError("token: expected one for those who send events, got none; set token")
    monitor = Monitor(config)
    bounds = Bounds(config.events_waiting, config.events_bytes, config.events_age.seconds)
    return app_of(monitor, monitor.attach(lambda sink: EventSource(sink, bounds)))


def app_of(monitor: Monitor, events: EventSource | None = None) -> Starlette:
    """Return the app that serves what a monitor knows, and takes its events."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if events is None:
            yield
        else:
            expiring = asyncio.create_task(_expire(events))
            yield
            expiring.cancel()
            events.close()
        await monitor.shutdown()

    config = monitor.config
    events_path = config.events_path if events is not None else None
    description = openapi(monitor.writing_apps, bool(config.metrics_token), events_path)

    async def described(_: Request) -> Response:
        return JSONResponse(description)

    apps: dict[str, Any] = {
        "/": monitor.page_app(),
        "/healthz": monitor.health_app(),
        "/metrics": monitor.metrics_app(),
        "/openapi.json": described,
        **monitor.writing_apps,
    }
    if events_path in apps:
        raise ConfigError(f"events_path: expected a path of its own, got {events_path!r}")
    if events is not None:
        # The token is in a header, or in the path: loggers send no headers of the user's.
        taking = EventsApp(events.take, [token.get_secret_value() for token in config.token])
        apps |= dict.fromkeys((f"{events_path}", f"{events_path}/{{token}}"), taking)
    return Starlette(routes=[Route(*each) for each in apps.items()], lifespan=lifespan)


async def _expire(events: EventSource) -> None:
    """Give up the events that wait for too long, also while none come."""
    while True:
        await asyncio.sleep(1)
        events.expire(time.time())
