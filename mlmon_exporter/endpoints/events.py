"""The ASGI app that takes CloudEvents by POST."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from .auth import is_token
from .post import MOST_BYTES, PostApp

TakeEvents = Callable[[Mapping[bytes, bytes], bytes, int, float], None]
"""Takes headers, body, the most bytes it may be decompressed to, Unix seconds.

Raises FormatError where nothing is taken.
"""


class EventsApp(PostApp):
    """Takes one event in binary or structured mode, or a batch.

    An answer of status 200 is empty: Knative takes any other for an event in reply.
    """

    def __init__(self, take: TakeEvents, tokens: list[str]) -> None:
        """Wrap a function.

        Args:
            take: Takes what was posted.
            tokens: A logger must send one of them, as a bearer or as the route's parameter `token`.
        """
        super().__init__(tokens)
        self._take = take

    async def answer(self, request: Request, body: bytes) -> Response:
        """Take the events of a body."""
        self._take(dict(request.scope["headers"]), body, MOST_BYTES, time.time())
        return Response()

    def is_authorized(self, request: Request) -> bool:
        """Return whether a request carries a token, in its path or as a bearer."""
        given = request.path_params.get("token")
        if given is None:
            return super().is_authorized(request)
        return is_token(given.encode("utf-8", "replace"), self._tokens)
