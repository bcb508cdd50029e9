"""Interceptor of a Python gRPC server: passes RPCs on untouched, and hands over model calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import Any

import grpc
import grpc.aio

from mlmon_exporter.runtime.exits import close_at_exit
from mlmon_exporter.sources.recorder import Recorder
from mlmon_exporter.sources.sink import Sink

from .call import Call, Handler
from .conversation import METHODS, Conversation, Metadata


class GrpcSource(grpc.aio.ServerInterceptor, grpc.ServerInterceptor):  # type: ignore[misc] # untyped
    """Watches a `grpc.aio` or a threaded server for a sink.

    The app and its client never notice a fault in here: it is counted as an internal error, and
    messages, status codes and metadata pass unchanged. RPCs of other methods pass unseen.
    """

    def __init__(self, sink: Sink, close: Callable[[], None]) -> None:
        """Set an interceptor up.

        Args:
            sink: A monitor's.
            close: A method that ends the monitor, called when the process ends: a gRPC server
                tells nobody that it stops. It is not kept alive for that.
        """
        self._sink = sink
        self._recorder = Recorder(sink)
        close_at_exit(close)

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Handler | Awaitable[Handler]:
        """Return what serves an RPC; awaitable, where the server's own answer is."""
        if handler_call_details.method not in METHODS:
            return continuation(handler_call_details)
        call = self._begin(handler_call_details)
        found = continuation(handler_call_details)
        if isawaitable(found):
            return self._later(found, call)
        return self._watched(found, call)

    async def _later(self, found: Awaitable[Handler], call: Call | None) -> Handler:
        return self._watched(await found, call)

    def _begin(self, details: Any) -> Call | None:
        try:
            metadata = _metadata(details.invocation_metadata or ())
            talk = Conversation(self._sink, self._recorder, details.method, metadata)
            return Call(self._sink, talk)
        except Exception as fault:  # noqa: BLE001 - the RPC is served unwatched
            self._sink.fail(fault)
            return None

    def _watched(self, handler: Handler, call: Call | None) -> Handler:
        try:
            return handler if call is None else call.handler(handler)
        except Exception as fault:  # noqa: BLE001 - the RPC is served unwatched
            self._sink.fail(fault)
            return handler


def _metadata(pairs: Iterable[tuple[str, str | bytes]]) -> Metadata:
    return [
        (
            name.lower().encode(),
            value if isinstance(value, bytes) else value.encode("latin-1", "replace"),
        )
        for name, value in pairs
    ]
