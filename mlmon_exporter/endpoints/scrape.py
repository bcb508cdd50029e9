"""The ASGI app that answers a scrape, rendered in a thread off the event loop."""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections.abc import Collection

from anyio import from_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from mlmon_exporter.metrics.table import METRICS, Table
from mlmon_exporter.metrics.text import Exposition, OnFault, Source
from mlmon_exporter.runtime.pace import Pace
from mlmon_exporter.runtime.threads import LimitedThreads

from .auth import BEARER, is_authorized

_THREADS = LimitedThreads("scrapes", 2)
_LONG_SECONDS = 1.0
"""A scrape that has waited for longer is rendered only if its scraper still waits.

Else a host that renders slower than it is scraped would never catch up with scrapers that give up.
"""


class MetricsApp:
    """Answers with the source's readings, in the format that the scraper asks for."""

    def __init__(
        self,
        source: Source,
        on_fault: OnFault,
        tokens: Collection[str] = (),
        metrics: Table = METRICS,
    ) -> None:
        """Wire it up.

        Args:
            source: Gives all readings; where it fails, the answer is the reason, with status 500.
            on_fault: Called with that failure.
            tokens: A scraper must carry one of them; none answer all.
            metrics: The metrics that are shown, by name.
        """
        self._source = source
        self._on_fault = on_fault
        self._tokens = tokens
        self._lock = threading.Lock()
        self._expositions = {is_open: Exposition(is_open, metrics) for is_open in (False, True)}
        self._packed: tuple[bytes, bytes] = (b"", zlib.compress(b""))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("use GET\n", 405, {"Allow": "GET, HEAD"})
        if not is_authorized(request, self._tokens):
            headers = {"WWW-Authenticate": BEARER}
            return PlainTextResponse("a bearer token is needed\n", 401, headers)
        try:
            body = await _THREADS.run(self._render, request, time.monotonic())
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001 - any fault: it is the user's server that we are in
            self._on_fault(error)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return PlainTextResponse(f"the scrape failed: {reason:.300}\n", 500)
        headers = {
            "Content-Type": self._exposition(request).content_type,
            "Vary": "Accept, Accept-Encoding",
        }
        if _takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    def _exposition(self, request: Request) -> Exposition:
        return self._expositions[_accepts("application/openmetrics-text", request, "accept")]

    def _render(self, request: Request, asked: float) -> bytes:
        with self._lock:
            is_late = time.monotonic() - asked > _LONG_SECONDS
            if is_late and from_thread.run(request.is_disconnected):
                raise ClientDisconnect
            pace = Pace()
            body = self._exposition(request).render(self._source(pace), pace)
            return self._pack(body) if _takes_gzip(request) else body

    def _pack(self, body: bytes) -> bytes:
        if self._packed[0] != body:
            # The fastest level: a scrape is read once, on the same network, and very repetitive.
            packer = zlib.compressobj(1, wbits=31)
            self._packed = (body, packer.compress(body) + packer.flush())
        return self._packed[1]


def _takes_gzip(request: Request) -> bool:
    return _accepts("gzip", request, "accept-encoding")


def _accepts(name: str, request: Request, header: str) -> bool:
    """Return whether a header names something, other than with `q=0`, which refuses it."""
    parts = request.headers.get(header, "").lower().split(",")
    return any(name in part and not re.search(r";\s*q=0(\.0*)?\s*(;|$)", part) for part in parts)
