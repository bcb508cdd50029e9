"""The ASGI app behind `/ground-truth` and `/kpi`, which takes records by POST."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mlmon_exporter.formats.codings import decode
from mlmon_exporter.runtime.threads import LimitedThreads
from mlmon_exporter.state.errors import StoreError

from .post import MOST_BYTES, PostApp
from .records import Answer, records_in

_THREADS = LimitedThreads("feedback", 4)
RETRY_SECONDS = "5"


class FeedbackApp(PostApp):
    """Takes one record, a list of them, or one a line."""

    def __init__(self, handle: Callable[[Sequence[Any]], Answer], tokens: Collection[str]) -> None:
        """Wrap a handler.

        Args:
            handle: Called in a thread with at most MOST_RECORDS decoded records. If it raises
                StoreError, nothing was kept.
            tokens: Writers must send one of them as a bearer.
        """
        super().__init__(tokens)
        self._handle = handle

    async def answer(self, request: Request, body: bytes) -> Response:
        """Handle the records of a body in a thread."""
        try:
            return JSONResponse(await _THREADS.run(self._handled, request, body))
        except StoreError:
            # The log says what is wrong with the store; a client should not know.
            headers = {"Retry-After": RETRY_SECONDS}
            return JSONResponse({"error": "cannot be kept now; send it again"}, 503, headers)

    def _handled(self, request: Request, body: bytes) -> Answer:
        content = decode(body, request.headers.get("content-encoding", ""), MOST_BYTES)
        return self._handle(records_in(content))
