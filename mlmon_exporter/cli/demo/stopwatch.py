"""Measures the time that the monitor adds to each request: around it less within it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Record = Callable[[float], None]
KEY = "mlmon_demo_seconds"
"""Key of a scope for the inner stopwatch's time."""


class Within:
    """Middleware within the monitor: times the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            scope[KEY] = await _seconds(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Around:
    """Middleware around the monitor: times both, and records the difference."""

    def __init__(self, app: ASGIApp, record: Record) -> None:
        self._app = app
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = await _seconds(self._app, scope, receive, send)
        if KEY in scope:  # not the monitor's own pages, which the app never sees
            self._record(max(0.0, seconds - scope[KEY]))


async def _seconds(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> float:
    """Serve a request; return the app's seconds, without those of `receive` and `send`."""
    outside = 0.0

    async def timed_receive() -> Message:
        nonlocal outside
        started = perf_counter()
        try:
            return await receive()
        finally:
            outside += perf_counter() - started

    async def timed_send(message: Message) -> None:
        nonlocal outside
        started = perf_counter()
        try:
            await send(message)
        finally:
            outside += perf_counter() - started

    started = perf_counter()
    await app(scope, timed_receive, timed_send)
    return perf_counter() - started - outside
