"""CloudEvents of payload loggers: bytes to start from, and a rule."""

from __future__ import annotations

from functools import cache

import orjson

from mlmon_exporter import FormatError, Monitor
from mlmon_exporter.formats.codings import CODINGS
from mlmon_exporter.sources.events.event import Event, events_in
from mlmon_exporter.sources.events.halves import Bounds
from mlmon_exporter.sources.events.source import EventSource

NOW = 1_750_000_000.0
MOST = 2**20
MODES = (
    b"application/cloudevents+json",
    b"application/cloudevents-batch+json",
    b"application/json",
)
BINARY = {
    b"ce-specversion": b"1.0",
    b"ce-id": b"1",
    b"ce-inferenceservicename": b"m",
    b"ce-time": b"2026-11-30T17:00:00.123456789Z",
    b"ce-metadata": b'{"X-Prediction-Id": ["a"]}',
}


@cache
def monitor() -> Monitor:
    return Monitor(model="m")


def seeds() -> list[bytes]:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "pod",
        "type": "org.kubeflow.serving.inference.request",
        "inferenceservicename": "m",
        "time": "2026-11-30T17:00:00Z",
        "metadata": '{"X-Prediction-Id": ["a"]}',
        "data": {"instances": [{"a": 1.5}]},
    }
    told = {
        **event,
        "type": "org.kubeflow.serving.inference.response",
        "data": {"predictions": [1]},
    }
    packed = {**event, "datacontenttype": "text/csv", "data_base64": "MSwyCg=="}
    structured = [b"\0" + orjson.dumps(each) for each in (event, told, packed)]
    batches = [b"\1" + orjson.dumps([event, told]), b"\1[]"]
    return [*structured, *batches, b"\2" + orjson.dumps(event["data"])]


def rule(data: bytes) -> None:
    """Any POST is taken whole or refused with FormatError; what waits stays within its bounds."""
    choice = data[0] if data else 0
    headers = {b"content-type": MODES[choice % 3]}
    coding = ("", *CODINGS)[(choice >> 3) % (1 + len(CODINGS))]
    headers[b"content-encoding"] = coding.encode()
    if choice % 3 == 2:
        kind = b"request" if choice & 4 else b"response"
        headers |= BINARY | {b"ce-type": b"x.inference." + kind}
    source = monitor().attach(lambda sink: EventSource(sink, Bounds(5, 10_000, 60.0)))
    try:
        events = events_in(headers, data[1:], MOST)
        source.take(headers, data[1:], MOST, NOW)
    except FormatError:
        return
    assert all(each.data is not None for each in events if isinstance(each, Event))
    assert len(source._halves) <= min(5, len(events))
    source.close()
    monitor().flush(10)
