"""WSGI middleware: passes requests on untouched, counts them, and hands over model calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlmon_exporter.runtime.exits import close_at_exit
from mlmon_exporter.sources.ids import PredictionIds
from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.sink import Sink

from .bridge import answer
from .call import Call, Environ, StartResponse, WsgiApp

SEEN = "mlmon_exporter.seen"
"""Key of an environ that one of our middlewares has seen: of several, only the outermost counts."""


class WsgiSource:
    """Watches a WSGI app for a sink.

    The app and its client never notice a fault in here: it is counted as an internal error, and
    the answer passes unchanged but for the prediction's id among its headers.
    """

    def __init__(self, app: WsgiApp, sink: Sink, close: Callable[[], None]) -> None:
        """Wrap an app.

        Args:
            app: Any WSGI app.
            sink: A monitor's.
            close: A method that ends the monitor, called when the process ends: a WSGI server
                tells nobody that it stops. It is not kept alive for that.
        """
        self.app = app
        self._sink = sink
        self._recorder = Recorder(sink)
        self._ids = PredictionIds()
        close_at_exit(close)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        call = None
        try:
            path = (
                environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
            )
            service = self._sink.service_apps.get(path)
            if service is not None:
                return answer(service, environ, start_response)
            if SEEN not in environ:
                environ[SEEN] = True
                call = Call(self._sink, self._recorder, self._ids, environ, start_response)
        except Exception as fault:  # noqa: BLE001 - the app is served unwatched
            self._sink.fail(fault)
        if call is None:
            return self.app(environ, start_response)
        try:
            result = self.app(environ, call.start_response)
        except BaseException as error:
            call.end(error)
            raise
        return call.watched(result)
