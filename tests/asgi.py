"""Calls an ASGI app in process, as a client would."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import httpx
import orjson
from starlette.applications import Starlette

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def get(app: Any, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    async def call() -> httpx.Response:
        async with client(app) as http:
            return await http.get(path, headers=dict(headers or {}))

    return run(call())


def shut_down(app: Starlette) -> None:
    """Have an app close what it holds, as when its server ends."""

    async def call() -> None:
        async with app.router.lifespan_context(app):
            pass

    run(call())


def post_all(
    app: Any, path: str, bodies: list[Any], headers: Mapping[str, str] | None = None
) -> list[httpx.Response]:
    """Post bodies one after another; what is not bytes is sent as JSON."""

    async def call() -> list[httpx.Response]:
        async with client(app) as http:
            return [
                await http.post(
                    path,
                    content=body if isinstance(body, bytes) else orjson.dumps(body),
                    headers={"content-type": "application/json", **(headers or {})},
                )
                for body in bodies
            ]

    return run(call())
