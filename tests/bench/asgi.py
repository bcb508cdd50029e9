"""The smallest ASGI server: calls an app in process, as often and as fast as it goes."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

App = Callable[..., Any]

FEATURES = 30
BODY = orjson.dumps({"instances": [{f"feature_{i}": 1.0 / (i + 1) for i in range(FEATURES)}]})
ANSWER = orjson.dumps({"predictions": [0.25]})


async def predict(request: Request) -> Response:
    """Answer as a model server does: read the body, send a few bytes."""
    await request.body()
    return Response(ANSWER, media_type="application/json")


def new_app() -> Starlette:
    """Return a served model with a few other routes."""
    others = [Route(f"/other/{i}", predict, methods=["POST"]) for i in range(4)]
    return Starlette(routes=[*others, Route("/predict", predict, methods=["POST"])])


def _scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(BODY)).encode()),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


async def _call(app: App, times: int) -> None:
    message = {"type": "http.request", "body": BODY, "more_body": False}

    async def receive() -> dict[str, Any]:
        return message

    async def send(message: dict[str, Any]) -> None:
        pass

    for _ in range(times):
        await app(_scope(), receive, send)


def microseconds(apps: dict[str, App], calls: int = 2000, rounds: int = 15) -> dict[str, float]:
    """Return the median time of one request through each app, taken in turns, in microseconds."""
    times: dict[str, list[float]] = {name: [] for name in apps}
    for app in apps.values():
        asyncio.run(_call(app, calls))
    for _ in range(rounds):
        for name, app in apps.items():
            gc.collect()
            times[name].append(_timed(app, calls))
    return {name: sorted(taken)[rounds // 2] for name, taken in times.items()}


def _timed(app: App, calls: int) -> float:
    async def run() -> float:
        started = time.perf_counter()
        await _call(app, calls)
        return time.perf_counter() - started

    return asyncio.run(run()) / calls * 1e6


def cpu_microseconds(app: App, calls: int, finish: Callable[[], object]) -> float:
    """Return all CPU time of the process for one request, with what `finish` still has to do."""
    asyncio.run(_call(app, 500))
    finish()
    gc.collect()
    started = time.process_time()
    asyncio.run(_call(app, calls))
    finish()
    return (time.process_time() - started) / calls * 1e6
