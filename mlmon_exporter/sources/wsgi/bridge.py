"""Serves our own ASGI apps, such as `/metrics`, from a WSGI server."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message

from .call import Environ, StartResponse, headers_of, path_of

MAX_BODY = 64 * 2**20
"""Bytes of a request to us that are read; our apps have lower limits."""


def answer(app: ASGIApp, environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Ask an ASGI app that answers at once, and return its answer."""
    status, headers, body = asyncio.run(_ask(app, environ))
    phrase = HTTPStatus(status).phrase
    start_response(
        f"{status} {phrase}",
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers],
    )
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


async def _ask(app: ASGIApp, environ: Environ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    body = _body(environ)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(environ), receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    parts = [m.get("body", b"") for m in sent if m["type"] == "http.response.body"]
    return start["status"], list(start.get("headers", ())), b"".join(parts)


def _body(environ: Environ) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal():
        return bytes(environ["wsgi.input"].read(min(int(length), MAX_BODY)))
    if "HTTP_TRANSFER_ENCODING" in environ:
        return bytes(environ["wsgi.input"].read(MAX_BODY))
    return b""


def _scope(environ: Environ) -> dict[str, Any]:
    port = environ.get("SERVER_PORT") or "0"
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": path_of(environ),
        "raw_path": environ.get("PATH_INFO", "").encode("latin-1"),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "root_path": "",
        "headers": [*headers_of(environ)],
        "server": (environ.get("SERVER_NAME", ""), int(port) if port.isdecimal() else 0),
        "client": (environ.get("REMOTE_ADDR", ""), 0),
    }
