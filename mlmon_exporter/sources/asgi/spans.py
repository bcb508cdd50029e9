"""OpenTelemetry: the trace that a request belongs to, and what its span says about the model."""

from __future__ import annotations

from opentelemetry.context import get_current
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span


def current_span_context() -> tuple[str, str] | None:
    """Return the trace id and span id of the current span as hex, 32 and 16 digits.

    None if there is no span, or none that is valid, sampled and still recording: nobody could
    look its trace up.
    """
    context = get_current()
    # Without instrumentation the context is empty: the cheapest way to know, whoever set it up.
    if not context:
        return None
    span = get_current_span(context)
    ids = span.get_span_context()
    if not (ids.is_valid and ids.trace_flags.sampled and span.is_recording()):
        return None
    return format_trace_id(ids.trace_id), format_span_id(ids.span_id)


def annotate(model: str, prediction_id: str) -> None:
    """Say on the current span which model predicted, and by which id its outcome is joined."""
    span = get_current_span()
    if span.is_recording():
        span.set_attribute("mlmon.model", model)
        span.set_attribute("mlmon.prediction_id", prediction_id)
