"""Traces: exemplars of requests, and attributes of spans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, StaticSampler
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmon_exporter.core.records import Histograms
from mlmon_exporter.sources.asgi.spans import annotate, current_span_context

from .seen import Seen, hello, predictor, serve, watched


class Traces:
    """A tracer that is nobody's global one, and what it has finished."""

    def __init__(self, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(**options)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def finished(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def around(self, app: ASGIApp) -> ASGIApp:
        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            with self.tracer.start_as_current_span("server"):
                await app(scope, receive, send)

        return traced


def exemplars(sink: Seen) -> list[Any]:
    return [
        mark
        for block in sink.requests.readings()
        if isinstance(block, Histograms)
        for marks in block.exemplars
        for mark in (marks or {}).values()
    ]


@pytest.mark.parametrize("is_inside", [True, False])
def test_the_trace_of_a_request_is_its_exemplar_and_its_span_names_the_prediction(
    is_inside: bool,
) -> None:
    traces = Traces()
    if is_inside:
        app, sink = watched(traces.around(predictor()))
        served = serve(app)
    else:
        inner, sink = watched(predictor())
        served = serve(traces.around(inner))
    [span] = traces.finished()
    [mark] = exemplars(sink)
    assert span.context is not None
    assert (mark.trace_id, mark.span_id) == (
        f"{span.context.trace_id:032x}",
        f"{span.context.span_id:016x}",
    )
    assert math.isclose(mark.value, sink.histogram("mlmon_request_duration_seconds")[1])
    assert span.start_time is not None
    assert mark.timestamp == pytest.approx(span.start_time / 1e9, abs=60)
    assert dict(span.attributes or {}) == {
        "mlmon.model": "bike",
        "mlmon.prediction_id": served.prediction_id,
    }


def test_a_request_of_no_model_has_an_exemplar_and_nothing_is_said_on_its_span() -> None:
    traces = Traces()
    app, sink = watched(traces.around(Starlette(routes=[Route("/chat", hello)])))
    serve(app, "/chat", "GET")
    assert len(exemplars(sink)) == 1
    assert dict(traces.finished()[0].attributes or {}) == {}


@pytest.mark.parametrize("decision", [Decision.DROP, Decision.RECORD_ONLY])
def test_a_trace_that_is_not_sampled_is_no_exemplar(decision: Decision) -> None:
    app, sink = watched(Traces(sampler=StaticSampler(decision)).around(predictor()))
    serve(app)
    assert exemplars(sink) == []


def test_without_a_span_there_is_nothing_to_tell() -> None:
    assert current_span_context() is None
    annotate("bike", "id")


def test_a_span_that_has_ended_is_no_exemplar() -> None:
    tracer = Traces().tracer
    with tracer.start_as_current_span("ended") as span:
        assert current_span_context() is not None
        span.end()
        assert current_span_context() is None
