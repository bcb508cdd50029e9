"""Counts turns, and hands over those of a model as exchanges: for sources that are no ASGI app."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from time import perf_counter
from urllib.parse import unquote_to_bytes

from mlmon_exporter.formats import event_stream, grpc_messages

from .endings import Labels, request_labels
from .ids import given_id
from .sink import Sink
from .stream import StreamedAnswer
from .templates import RouteTemplates
from .turn import Turn

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
        "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelStreamInfer",
    )
)
"""Routes of the servers' own protocols, which a path alone tells: Triton, KServe, TF Serving,
TorchServe, SageMaker, MLflow, text generation, OpenAI, Seldon."""
_STREAMS = (event_stream.MEDIA_TYPE.encode(), grpc_messages.MEDIA_TYPE.encode())
"""Media types of answers that are timed part by part."""


@lru_cache(1024)  # half a microsecond a request; clients ask for the same few
def _path_of(target: bytes) -> str:
    return unquote_to_bytes(target.partition(b"?")[0]).decode("utf-8", "replace")


class Recorder:
    """Takes turns at their begin, at the head of their answer, and at their end. Thread-safe."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def begin(self, turn: Turn, find: Callable[[], Labels | None] = lambda: None) -> None:
        """Note a turn whose request has come.

        Args:
            turn: Its path and method are known.
            find: Returns its labels while it is being served, where the source knows them before
                the answer begins; None: they are found by the path.
        """
        self._sink.wake()
        turn.path = _path_of(turn.target)
        self._sink.in_flight[id(turn)] = lambda: turn.labels or find() or self._by_path(turn)

    def answer_begins(self, turn: Turn, labels: Labels | None = None) -> None:
        """Note that the answer begins, and keep it if it is a model's.

        Args:
            turn: Its status and the headers of its answer are known.
            labels: Model, version and route, where the source knows them; else they are found by
                the path.
        """
        turn.labels = labels or self._by_path(turn)
        if not turn.labels[0] or turn.method != "POST":
            turn.request_chunks = None
            return
        headers = dict(turn.response_headers)
        if headers.get(b"content-type", b"").startswith(_STREAMS):
            is_packed = b"content-encoding" in headers
            turn.stream = StreamedAnswer(turn.began, turn.limit, is_packed=is_packed)
        else:
            turn.response_chunks = []

    def _by_path(self, turn: Turn) -> Labels:
        return self._sink.routes.find_path(turn.method, turn.path, KNOWN_ROUTES)

    def forget(self, turn: Turn) -> None:
        """Count nothing of a turn that has begun."""
        self._sink.in_flight.pop(id(turn), None)

    def end(self, turn: Turn, unanswered: int = 0) -> None:
        """Count a turn that has ended; submit it if it is a model's and was kept whole.

        Args:
            turn: It changes no more.
            unanswered: Status of a turn that nobody answered although the client waited; 0: as
                `endings` has it.
        """
        sink = self._sink
        sink.in_flight.pop(id(turn), None)
        labels = turn.labels or self._by_path(turn)
        request = request_labels(
            labels, turn.method, turn.status, turn.is_answered, turn.has_left, turn.error
        )
        if unanswered and not turn.status and not turn.has_left:
            request = (*labels, turn.method, unanswered, request[-1])
        duration = (turn.ended or perf_counter()) - turn.began
        sink.requests.record(
            request, (duration, turn.first_byte, turn.request_size, turn.response_size)
        )
        if turn.stream is not None:
            sink.requests.record_tokens(*labels, turn.stream.times)
            turn.response_chunks = turn.stream.parts()
        if request[-1] == "ok" and turn.method == "POST" and turn.status < 300:
            if labels[0]:
                self._hand_over(turn, labels[0], labels[2])
            elif not turn.is_foreign:
                sink.routes.missed(labels[2])

    def _hand_over(self, turn: Turn, model: str, route: str) -> None:
        health = self._sink.health
        if turn.is_unseen:
            health.drop("response_unread")
        elif turn.request_chunks is None or turn.response_chunks is None:
            health.drop("body_too_large")
        elif not turn.is_read:
            health.drop("request_unread")
        else:
            given = given_id(turn.response_headers) or given_id(turn.request_headers)
            fields = (
                turn.arrived,
                model,
                route,
                turn.path,
                turn.status,
                given,
                tuple(turn.request_chunks),
                tuple(turn.response_chunks),
            )
            headers = tuple(turn.request_headers), tuple(turn.response_headers)
            kept = sum(map(len, turn.response_chunks))
            self._sink.submit(fields, *headers, turn.request_size + kept)
