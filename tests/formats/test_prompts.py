"""Facts about prompts: their sizes are read, and no text of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap, FormatError, parse
from tests.formats.chat import BODIES, SECRET, answered, delta, read

from .bodies import Body


def spoiled(value: Any) -> Iterator[Any]:
    """Give the value with a secret in place of each value in it, one after another."""
    if isinstance(value, dict):
        for key in value:
            for inner in (*spoiled(value[key]), SECRET):
                yield {**value, key: inner}
    elif isinstance(value, list):
        for i in range(len(value)):
            for inner in (*spoiled(value[i]), SECRET):
                yield [*value[:i], inner, *value[i + 1 :]]


def texts(body: Exchange) -> Iterator[Any]:
    try:
        batch = parse(body, BodyMap()).batch
    except FormatError as error:
        yield str(error)
        return
    for columns in (batch.features, batch.predictions):
        yield from columns
        yield from columns.values()


@pytest.mark.parametrize(
    "body", [b for n, b in BODIES.items() if "stream" not in n], ids=lambda body: body.name
)
def test_no_text_of_a_body_becomes_a_value(body: Body) -> None:
    whole = body.exchange
    request, response = (json.loads(c[0]) for c in (whole.request_chunks, whole.response_chunks))
    for one in spoiled(request):
        changed = whole._replace(request_chunks=[json.dumps(one).encode()])
        assert not any(SECRET in str(text) for text in texts(changed)), one
    for one in spoiled(response):
        changed = whole._replace(response_chunks=[json.dumps(one).encode()])
        assert not any(SECRET in str(text) for text in texts(changed)), one


def test_pictures_are_counted_and_not_looked_at() -> None:
    items = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_image", "image_url": "https://example.com/a.png"},
        {"type": "image", "source": {}},
    ]
    request = json.dumps({"messages": [{"role": "user", "content": items}]}).encode()
    found = read(answered(delta("A cat.", "stop")), request)
    assert (found["pictures"], found["prompt_characters"]) == (3, 11)
    assert read(answered(delta("Hi", "stop")))["pictures"] == 0
