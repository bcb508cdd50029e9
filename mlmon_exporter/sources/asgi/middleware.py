"""ASGI middleware: passes requests on untouched, counts them, and hands over model calls.

It runs in the path of every request, so it only takes notes: parsing and computing come later,
in another thread.
"""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter.runtime.once import Once
from mlmon_exporter.sources.ids import PredictionIds
from mlmon_exporter.sources.sink import Sink

from .call import SCOPE_KEY, Call
from .routes import route_path

logger = logging.getLogger(__name__)


class AsgiSource:
    """Watches an ASGI app for a sink.

    The app and its client never notice a fault in here: it is counted as an internal error, and
    the messages pass unchanged.
    """

    def __init__(self, app: ASGIApp, sink: Sink) -> None:
        self.app = app
        self._sink = sink
        self._ids = PredictionIds()
        self._is_first_service = Once()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        app, call = self.app, None
        kind = scope["type"]
        if kind == "http":
            try:
                sink = self._sink
                path = route_path(scope) if scope.get("root_path") else scope["path"]
                if path in sink.service_apps:
                    app = sink.service_apps[path]
                    self._tell_hidden(scope)
                elif SCOPE_KEY not in scope:
                    sink.wake()
                    call = Call(sink, self._ids, scope, receive, send)
            except Exception as fault:  # noqa: BLE001 - the app is served unwatched
                self._sink.fail(fault)
        elif kind == "lifespan":
            self._tell_hidden(scope)
            send = self._closing(scope, send)
        if call is None:
            await app(scope, receive, send)
            return
        try:
            await app(scope, call.receive, call.send)
        except BaseException as error:
            call.close(error)
            raise
        if call.is_open:
            call.close()

    def _tell_hidden(self, scope: Scope) -> None:
        """Say once in the log which routes of the app stand behind ours."""
        if not self._is_first_service():
            return
        try:
            routes = [getattr(route, "path", None) for route in scope["app"].routes]
        except (AttributeError, KeyError, TypeError):  # no app of Starlette's
            return
        hidden = [path for path in self._sink.service_apps if path in routes]
        if hidden:
            logger.warning(
                "mlmon: the app's own %s cannot be reached behind the exporter's; "
                'set metrics_path = "/mlmon/metrics" (or page_path) to another path',
                ", ".join(hidden),
            )

    def _closing(self, scope: Scope, send: Send) -> Send:
        """Return a `send` that shuts the sink down when the app has shut down."""
        sink = self._sink
        if scope.get(SCOPE_KEY) is sink:
            return send
        scope[SCOPE_KEY] = sink

        async def closing(message: Message) -> None:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                try:
                    await sink.shutdown()
                except Exception as fault:  # noqa: BLE001 - the server's shutdown goes on
                    sink.fail(fault)
            await send(message)

        return closing
