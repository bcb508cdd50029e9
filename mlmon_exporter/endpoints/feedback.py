"""The ASGI app behind `/ground-truth` and `/kpi`, which takes records by POST."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mlmon_exporter.formats import FormatError
from mlmon_exporter.formats.codings import decode
from mlmon_exporter.runtime.threads import LimitedThreads
from mlmon_exporter.state.errors import StoreError

from .auth import BEARER, is_authorized
from .records import Answer, RefusedError, records_in

MOST_BYTES = 8 * 2**20
_THREADS = LimitedThreads("feedback", 4)
RETRY_SECONDS = "5"


class FeedbackApp:
    """Takes one record, a list of them, or one a line."""

    def __init__(self, handle: Callable[[Sequence[Any]], Answer], tokens: Collection[str]) -> None:
        """Wrap a handler.

        Args:
            handle: Called in a thread with at most MOST_RECORDS decoded records. If it raises
                StoreError, nothing was kept.
            tokens: Writers must send one of them as a bearer.
        """
        self._handle = handle
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse({"error": "use POST"}, 405, {"Allow": "POST"})
        if not is_authorized(request, self._tokens):
            headers = {"WWW-Authenticate": BEARER}
            return JSONResponse({"error": "a bearer token is needed"}, 401, headers)
        try:
            body = await body_of(request)
            return JSONResponse(await _THREADS.run(self._answer, request, body))
        except RefusedError as refusal:
            return JSONResponse({"error": str(refusal)}, refusal.status)
        except StoreError:
            # The log says what is wrong with the store; a client should not know.
            headers = {"Retry-After": RETRY_SECONDS}
            return JSONResponse({"error": "cannot be kept now; send it again"}, 503, headers)

    def _answer(self, request: Request, body: bytes) -> Answer:
        try:
            content = decode(body, request.headers.get("content-encoding", ""), MOST_BYTES)
        except FormatError as error:
            raise RefusedError(413 if "large" in error.reason else 400, str(error)) from None
        return self._handle(records_in(content))


async def body_of(request: Request) -> bytes:
    """Return the body of a request; raises RefusedError where it is over MOST_BYTES."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise RefusedError(413, f"body: expected {MOST_BYTES} bytes at most; send it in parts")
        chunks.append(chunk)
    return b"".join(chunks)
