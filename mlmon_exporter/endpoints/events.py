"""The ASGI app that takes CloudEvents by POST."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mlmon_exporter.formats import FormatError

from .auth import BEARER, is_authorized, is_token
from .feedback import MOST_BYTES, body_of
from .records import RefusedError

TakeEvents = Callable[[Mapping[bytes, bytes], bytes, int, float], None]
"""Takes headers, body, the most bytes it may be decompressed to, Unix seconds.

Raises FormatError where nothing is taken.
"""


class EventsApp:
    """Takes one event in binary or structured mode, or a batch.

    An answer of status 200 is empty: Knative takes any other for an event in reply.
    """

    def __init__(self, take: TakeEvents, tokens: list[str]) -> None:
        """Wrap a function.

        Args:
            take: Takes what was posted.
            tokens: A logger must send one of them, as a bearer or as the route's parameter `token`.
        """
        self._take = take
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
        if not self._is_authorized(request):
            headers = {"WWW-Authenticate": BEARER}
            return JSONResponse({"error": "a token is needed"}, 401, headers)
        try:
            body = await body_of(request)
            self._take(dict(request.scope["headers"]), body, MOST_BYTES, time.time())
        except RefusedError as refusal:
            return JSONResponse({"error": str(refusal)}, refusal.status)
        except FormatError as error:
            return JSONResponse({"error": str(error)}, 413 if "large" in error.reason else 400)
        return Response()

    def _is_authorized(self, request: Request) -> bool:
        given = request.path_params.get("token")
        if given is None:
            return is_authorized(request, self._tokens)
        return is_token(given.encode("utf-8", "replace"), self._tokens)
