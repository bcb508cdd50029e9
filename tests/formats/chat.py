"""Exchanges with language models."""

from __future__ import annotations

import json
from typing import Any

from mlmon_exporter.formats import BodyMap, parse

from .bodies import exchange, read_all

CHAT = "/v1/chat/completions"


EVENTS = {"content-type": "text/event-stream"}


BODIES = {body.name.partition("/")[2]: body for body in read_all() if body.format == "openai"}


def asked(**body: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "Hi"}], **body}).encode()


def answered(*events: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


def read(response: bytes, request: bytes | None = None, **more: Any) -> dict[str, Any]:
    """Return all that is read of a chat, features and outputs."""
    more = {"path": CHAT, "response_headers": EVENTS} | more
    batch = parse(exchange(request or asked(), response, **more), BodyMap()).batch
    return {**batch.features, **batch.predictions}


def delta(content: str | None, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


SECRET = "my-secret"
