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
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.sources.events.halves import Bounds
from mlmon_exporter.sources.events.source import EventSource

from .openapi import openapi


class Reader(Monitor):
    """Shows what the host's model servers have counted, and counts nothing but feedback."""

    is_reader = True

    def served(
        self,
        model: str,
        version: str | None = None,
        window: str | None = None,
        *,
        keeps_bins: bool = False,
        now: float | None = None,
    ) -> Reference:
        """Return the reference of what a model served in a window; see `Model.served`.

        Args:
            model: Its name.
            version: The configured one by default.
            window: Such as "24h"; the longest by default.
            keeps_bins: Bins stay those of the reference that it is served with.
            now: Unix seconds; the clock by default.

        Raises:
            ValueError: There is no such model or window, or it has no rows.
        """
        if model not in self.models:
            known = ", ".join(self.models)
            raise ValueError(f"--model: expected a configured model, {known}, got {model!r}")
        settings = self.models[model].settings
        spans = {w.label: w.seconds for w in settings.windows}
        if window is not None and window not in spans:
            raise ValueError(f"--window: expected one of {', '.join(spans)}, got {window!r}")
        moment = self._readout.snapshot(now=now).now  # loads the state
        seconds = max(spans.values()) if window is None else spans[window]
        of = settings.version if version is None else version
        found = self.models[model].served(of, moment, seconds, keeps_bins=keeps_bins)
        if found is None:
            raise ValueError(
                f"{self.config.state_dir}: expected rows of {model} {of}".rstrip()
                + " in the window and the reference that they were counted by, got none"
            )
        return Reference(
            found.features,
            found.outputs,
            outcomes=found.outcomes,
            model=model,
            created=found.created,
            derived=found.derived,
        )


def reader_of(config: Config) -> Reader:
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
