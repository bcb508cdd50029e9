"""Counts the turns that were heard, and hands over those of a model as exchanges."""

from __future__ import annotations

import logging
from time import perf_counter
from urllib.parse import unquote_to_bytes

from mlmon_exporter.formats.event_stream import MEDIA_TYPE
from mlmon_exporter.sources.endings import ended
from mlmon_exporter.sources.ids import ID_HEADER, valid_id
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.stream import StreamedAnswer
from mlmon_exporter.sources.templates import RouteTemplates
from mlmon_exporter.sources.turn import Turn

KNOWN_ROUTES = RouteTemplates(
    (
        "/v2/models/{model}/infer",
        "/v2/models/{model}/versions/{version}/infer",
        "/v2/models/{model}/generate",
        "/v2/models/{model}/generate_stream",
        "/v2/models/{model}/versions/{version}/generate",
        "/v1/models/{model}:predict",
        "/v1/models/{model}/versions/{version}:predict",
        "/predictions/{model}",
        "/predictions/{model}/{version}",
        "/invocations",
        "/predict",
        "/generate",
        "/generate_stream",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/api/v1.0/predictions",
        "/seldon/{namespace}/{deployment}/api/v1.0/predictions",
    )
)
"""Routes of the servers' own protocols, which a path alone tells: Triton, KServe, TF Serving,
TorchServe, SageMaker, MLflow, text generation, OpenAI, Seldon."""
logger = logging.getLogger(__name__)

BAD_GATEWAY = 502
"""Status of a request that the upstream took and never answered: the client saw none."""
_EVENT_STREAM = MEDIA_TYPE.encode()


class Heard:
    """Takes turns from the ears of all connections. Not thread-safe: one event loop calls it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def answer_begins(self, turn: Turn) -> None:
        """Find the route of a turn, and keep its answer if it is a model's."""
        call = _Call(self._sink, turn)
        turn.state = call
        if not call.model or turn.method != "POST":
            turn.request_chunks = None
            return
        headers = dict(turn.response_headers)
        if headers.get(b"content-type", b"").startswith(_EVENT_STREAM):
            is_packed = b"content-encoding" in headers
            call.stream = StreamedAnswer(turn.began, turn.limit, is_packed=is_packed)
            turn.on_part = call.stream.take
        else:
            turn.response_chunks = []

    def ended(self, turn: Turn) -> None:
        """Count a turn that has ended; submit it if it is a model's and was kept whole."""
        sink = self._sink
        sink.wake()
        if not turn.is_asked:
            return  # the client left within the head: no server counts that
        call = turn.state if isinstance(turn.state, _Call) else _Call(sink, turn)
        status, outcome = ended(turn.status, turn.is_answered, turn.has_left, "none")
        if not turn.status and not turn.has_left:
            status = BAD_GATEWAY
        duration = perf_counter() - turn.began
        sink.requests.record(
            (call.model, call.version, call.route, turn.method, status, outcome),
            (duration, turn.first_byte, turn.request_size, turn.response_size),
        )
        if call.stream is not None:
            sink.requests.record_tokens(call.model, call.version, call.route, call.stream.times)
            turn.response_chunks = call.stream.parts()
        if turn.is_answered and turn.method == "POST" and status < 300:
            if call.model:
                self._hand_over(turn, call)
            else:
                sink.routes.missed(call.route)

    def fault(self, fault: Exception) -> None:
        """Count a connection that could not be read on: its bytes flow on unheard."""
        self._sink.health.drop("unheard")
        logger.debug("mlmon: a connection is relayed unheard", exc_info=fault)

    def _hand_over(self, turn: Turn, call: _Call) -> None:
        if turn.request_chunks is None or turn.response_chunks is None:
            self._sink.health.drop("body_too_large")
        elif not turn.is_read:
            self._sink.health.drop("request_unread")
        else:
            answered, asked = dict(turn.response_headers), dict(turn.request_headers)
            given = valid_id(answered.get(ID_HEADER)) or valid_id(asked.get(ID_HEADER))
            self._sink.submit(
                (
                    turn.arrived,
                    call.model,
                    call.route,
                    call.path,
                    turn.status,
                    given or "",
                    asked,
                    turn.request_chunks,
                    answered,
                    turn.response_chunks,
                ),
                turn.request_size + sum(map(len, turn.response_chunks)),
            )


class _Call:
    """A turn's route and model, found once its head has come."""

    __slots__ = ("model", "path", "route", "stream", "version")

    def __init__(self, sink: Sink, turn: Turn) -> None:
        path = unquote_to_bytes(turn.target.partition(b"?")[0]).decode("utf-8", "replace")
        self.path = path
        self.model, self.version, self.route = sink.routes.find_path(
            turn.method, path, KNOWN_ROUTES
        )
        self.stream: StreamedAnswer | None = None
