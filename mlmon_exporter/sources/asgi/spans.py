"""OpenTelemetry: the trace of a request, and the model's attributes on its span."""

from __future__ import annotations

from opentelemetry.context import get_current
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span


def current_span_context() -> tuple[str, str] | None:
    """Return the trace id and span id of the current span as hex, 32 and 16 digits.

    None unless the span is valid, sampled and still recording: else its trace is stored nowhere.
    """
    context = get_current()
    # Without instrumentation the context is empty, which is the cheapest test.
    if not context:
        return None
    span = get_current_span(context)
    ids = span.get_span_context()
    if not (ids.is_valid and ids.trace_flags.sampled and span.is_recording()):
        return None
    return format_trace_id(ids.trace_id), format_span_id(ids.span_id)


def annotate(model: str, prediction_id: str) -> None:
    """Set the model and the prediction's id as attributes of the current span."""
    span = get_current_span()
    if span.is_recording():
        span.set_attribute("mlmon.model", model)
        span.set_attribute("mlmon.prediction_id", prediction_id)
