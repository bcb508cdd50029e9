"""The ASGI app behind `/healthz`: a server runs, and its state is written or not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from mlmon_exporter.runtime.threads import LimitedThreads
from mlmon_exporter.state.outage import Trouble

_THREADS = LimitedThreads("health", 1)


class HealthApp:
    """Answers with status 200 as long as it runs: a restart would lose counts that wait."""

    def __init__(self, trouble: Callable[[float], Trouble | None]) -> None:
        """Take the function that gives what is wrong with the state at a time, Unix seconds."""
        self._trouble = trouble

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if Request(scope).method not in ("GET", "HEAD"):
            response = JSONResponse({"error": "use GET"}, 405, {"Allow": "GET, HEAD"})
        else:
            response = JSONResponse(await _THREADS.run(self._health, time.time()))
        await response(scope, receive, send)

    def _health(self, now: float) -> dict[str, Any]:
        trouble = self._trouble(now)
        if trouble is None:
            return {"status": "ok", "time": now}
        return {"status": "state not written", "time": now, "state": trouble._asdict()}
