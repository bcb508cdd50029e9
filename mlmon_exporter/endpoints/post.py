"""The ASGI app of a path that takes bodies by POST: method, token and size are checked here."""

from __future__ import annotations

from collections.abc import Collection

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mlmon_exporter.formats import FormatError

from .auth import BEARER, is_authorized
from .records import RefusedError

MOST_BYTES = 8 * 2**20


class PostApp:
    """Hands bodies with a token to `answer`, and turns its errors into statuses."""

    def __init__(self, tokens: Collection[str]) -> None:
        """Take the tokens, of which writers must send one as a bearer."""
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
        if not self.is_authorized(request):
            headers = {"WWW-Authenticate": BEARER}
            return JSONResponse({"error": "a bearer token is needed"}, 401, headers)
        try:
            return await self.answer(request, await body_of(request))
        except RefusedError as refusal:
            return JSONResponse({"error": str(refusal)}, refusal.status)
        except FormatError as error:
            return JSONResponse({"error": str(error)}, 413 if "large" in error.reason else 400)

    def is_authorized(self, request: Request) -> bool:
        """Return whether a request carries a token."""
        return is_authorized(request, self._tokens)

    async def answer(self, request: Request, body: bytes) -> Response:
        """Return the response; may raise RefusedError or FormatError."""
        raise NotImplementedError


async def body_of(request: Request) -> bytes:
    """Return the body of a request; raises RefusedError where it is over MOST_BYTES."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise RefusedError(413, f"body: expected {MOST_BYTES} bytes at most; send it in parts")
        chunks.append(chunk)
    return b"".join(chunks)
