"""Clients that leave a real uvicorn, and what it ends itself: who cut the answer off?"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter import Monitor, instrument

from .servers import serving, wait_until


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"more"
        await asyncio.sleep(0.001)


async def stream(request: Request) -> Response:
    await request.body()
    return StreamingResponse(endless())


async def read(request: Request) -> Response:
    await request.body()
    return JSONResponse({"predictions": [1]})


async def listen(request: Request) -> Response:
    await request.body()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return JSONResponse({"predictions": [1]})


async def stall(request: Request) -> Response:
    await request.body()
    await asyncio.Event().wait()
    return Response()


async def passing(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    return response


class Limit:
    """A time limit around an app, as many write one; a stream has the time from its first bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def timed(message: Message) -> None:
            await send(message)
            if limit.when() is None and message["type"] == "http.response.body":
                limit.reschedule(asyncio.get_running_loop().time() + 0.1)

        is_stalled = scope["path"] == "/stall"
        try:
            async with asyncio.timeout(0.1 if is_stalled else None) as limit:
                await self.app(scope, receive, timed)
        except TimeoutError:
            if is_stalled:
                await JSONResponse({"error": "too late"}, 504)(scope, receive, send)


def app_with(inside: bool = False, around: bool = False) -> tuple[Starlette, Monitor]:
    endpoints = (stream, read, listen, stall)
    app = Starlette(routes=[Route(f"/{e.__name__}", e, methods=["POST"]) for e in endpoints])
    if inside:
        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    monitor = instrument(app, model="m")
    if around:
        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    return app, monitor


def ends(monitor: Monitor) -> dict[tuple[str, str], float]:
    """(status, outcome) -> requests, where there were any."""
    return {
        (reading.labels["status"], reading.labels["outcome"]): reading.value
        for reading in monitor.readings()
        if reading.name == "mlmon_requests_total" and reading.value
    }


def leave(url: str, path: str, sent: bytes, length: int) -> None:
    """Begin a request, wait for the first bytes of a stream, and hang up."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n"
        client.sendall(head.encode() + sent)
        if path == "/stream":
            assert client.recv(100)


@pytest.mark.parametrize(
    ("path", "length", "end"),
    [
        ("/stream", 2, ("200", "disconnected")),
        ("/listen", 2, ("200", "disconnected")),
        ("/read", 1000, ("499", "disconnected")),  # within the request's body
    ],
)
@pytest.mark.parametrize("place", ["alone", "inside", "around"])
def test_a_client_that_leaves_is_disconnected(
    place: str, path: str, length: int, end: tuple[str, str]
) -> None:
    app, monitor = app_with(inside=place == "inside", around=place == "around")
    with serving(app) as url:
        leave(url, path, b"{}", length)
        wait_until(lambda: ends(monitor), what="the request is counted")
    assert ends(monitor) == {end: 1}


def test_what_a_time_limit_ends_is_the_servers_doing() -> None:
    app, monitor = app_with()
    with serving(Limit(app)) as url:
        assert httpx.post(f"{url}/stall", json={}, timeout=60).status_code == 504
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{url}/stream", json={}, timeout=60)
    assert ends(monitor) == {("504", "server_error"): 1, ("200", "interrupted"): 1}
