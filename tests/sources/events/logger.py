"""Events as payload loggers make them, sent by the CloudEvents SDK.

KServe: pkg/logger/worker.go and handler.go. An event of each direction has the request's id, the
pod's name as source, the content type of the request, `metadata` as JSON, and no component or
endpoint where the pod's labels say none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from mlmon_exporter.core.records import Headers

KSERVE, SELDON = "org.kubeflow.serving", "io.seldon.serving"
Posted = tuple[Headers, bytes]


def event(
    direction: str, key: str, data: Any, at: float | None = None, **attributes: Any
) -> CloudEvent:
    """Return an event of KServe's logger; `direction` is `request` or `response`."""
    named = {
        "specversion": "1.0",
        "id": key,
        "type": f"{KSERVE}.inference.{direction}",
        "source": "fraud-predictor-5c8d6-x2x7z",
        "datacontenttype": "application/json",
        "inferenceservicename": "fraud",
        "namespace": "bank",
        "component": "predictor",
        "metadata": "{}",
        **({} if at is None else {"time": datetime.fromtimestamp(at, UTC)}),
        **attributes,
    }
    given = {name: value for name, value in named.items() if value is not None}
    return CloudEvent(given, data if isinstance(data, bytes) else orjson.dumps(data))


def binary(event: CloudEvent) -> Posted:
    """Return headers and body of a POST in binary mode, as KServe sends it."""
    message = to_binary_event(event)
    return _headers(message.headers), message.body


def structured(event: CloudEvent) -> Posted:
    """Return headers and body of a POST in structured mode."""
    message = to_structured_event(event)
    return _headers(message.headers), message.body


def batch(*events: CloudEvent) -> Posted:
    """Return headers and body of a batch."""
    bodies = b",".join(to_structured_event(each).body for each in events)
    return {b"content-type": b"application/cloudevents-batch+json"}, b"[" + bodies + b"]"


def _headers(headers: Mapping[str, str]) -> Headers:
    return {name.lower().encode(): value.encode() for name, value in headers.items()}
