"""A server that answers at once, for the bench of the proxy."""

from __future__ import annotations

import asyncio
from typing import Any

ANSWER = b'{"predictions":[0.5]}'
EVENT = b'data: {"predictions": [0.5]}\n\n'
EVENTS, EVENT_SECONDS = 5, 0.02
BLOCK = bytes(2**18)
"""What a long answer is sent in."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer `/predict`, a stream of `/events`, and `/long?BYTES` with as many as it is sent."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    path, query = scope["path"], scope["query_string"]
    if path == "/events":
        await _start(send, [(b"content-type", b"text/event-stream")])
        for _ in range(EVENTS):
            await send({"type": "http.response.body", "body": EVENT, "more_body": True})
            await asyncio.sleep(EVENT_SECONDS)
        await send({"type": "http.response.body"})
        return
    size = int(query or b"0")
    length = size or len(ANSWER)
    kind = b"application/octet-stream" if size else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(length).encode())]
    await _start(send, headers)
    for at in range(0, size, len(BLOCK)):
        part = BLOCK[: size - at]
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if size else ANSWER})


async def _start(send: Any, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})
