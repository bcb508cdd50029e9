"""The standalone server: shows the host's state from outside the model server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mlmon_exporter.config.keys import Config, ConfigError
from mlmon_exporter.monitor.monitor import Monitor

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

    `/openapi.json` describes them for programs.

    Raises:
        ConfigError: As `reader_of` does.
    """
    return app_of(reader_of(config))


def app_of(monitor: Monitor) -> Starlette:
    """Return the app that serves what a monitor knows."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await monitor.shutdown()

    description = openapi(monitor.writing_apps, bool(monitor.config.metrics_token))

    async def described(_: Request) -> Response:
        return JSONResponse(description)

    return Starlette(
        routes=[
            Route("/", monitor.page_app()),
            Route("/healthz", monitor.health_app()),
            Route("/metrics", monitor.metrics_app()),
            Route("/openapi.json", described),
            *(Route(path, app) for path, app in monitor.writing_apps.items()),
        ],
        lifespan=lifespan,
    )
