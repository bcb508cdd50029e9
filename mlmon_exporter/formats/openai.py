"""OpenAI's HTTP interface, which vLLM, LitServe, KServe and many others speak: sizes, no texts.

A request is one row, for any number of answers: how much was asked and offered, how much was
answered and why the answer ended. What people wrote, and what was answered, is counted and dropped.

Source: OpenAI, API reference (chat, completions, embeddings, responses); vLLM and LitServe where
they differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mlmon_exporter.core.records import Column

from . import json
from .answers import Answer, read_answer
from .body_map import BodyMap
from .errors import FormatError
from .message import Message
from .prompts import are_messages, are_texts, characters, holds_prompt, pictures
from .tables import Record, Table

_PATH = re.compile(r"/chat/completions/?$|/v\d+/(?:completions|embeddings|responses)/?$", re.ASCII)
_UNREAD_PATH = re.compile(r"/v\d+/(?:audio/\w+|images/\w+|moderations|rerank)/?$", re.ASCII)
"""Other paths of the same servers: media and texts, of which nothing can be counted yet."""
_NAME = re.compile(r"[\w.:/@+-]{1,64}", re.ASCII)
"""Form of a model's name: no text that somebody wrote looks like this."""

ENDPOINTS = {"messages": "chat", "prompt": "completions", "input": "embeddings"}
"""The key that holds what was written, and what it is sent to: `input` also to `responses`."""


def recognises(request: Message) -> bool:
    """By its path for certain, else by `messages`, a `prompt`, or texts as `input` to a `model`."""
    if _PATH.search(request.path) or _UNREAD_PATH.search(request.path):
        return True
    body = request.top
    has_input = "input" in body and type(body.get("model")) is str
    return holds_prompt(body) or (has_input and _is_input(body["input"]))


def request(message: Message, body_map: BodyMap) -> Table:
    """Return how much was asked, and how. Raises FormatError."""
    if _UNREAD_PATH.search(message.path):
        raise FormatError("not_a_prediction", "path: expected chat, completions or embeddings")
    body = message.value()
    if body_map.features is not None:
        return json.features_in(body, body_map)
    key = next((key for key in ENDPOINTS if type(body) is dict and key in body), None)
    if key is None:
        raise FormatError("no_rows", "body: expected messages, prompt or input, got none")
    endpoint = ENDPOINTS[key]
    if key == "input" and "/responses" in message.path:
        endpoint = "responses"
    asked = body[key]
    features: dict[str, Column] = {
        "endpoint": endpoint,
        "messages": _count(asked),
        "prompt_characters": characters(asked) + characters(body.get("instructions")),
    }
    if endpoint == "embeddings":
        return features, 1
    return features | {"pictures": pictures(asked)} | _settings(body), 1


def response(message: Message, body_map: BodyMap, rows: int | None) -> Table:
    """Return how much was answered, and why it ended. Raises FormatError."""
    if _UNREAD_PATH.search(message.path):
        raise FormatError("not_a_prediction", "path: expected chat, completions or embeddings")
    if body_map.predictions is not None:
        return json.predictions_in(message.value(), body_map, rows)
    answer = message.once(read_answer)
    outputs = answer.outputs()
    if outputs is None:
        raise FormatError("no_predictions", "response: expected choices or output, got none")
    wanted = {name: outputs[name] for name in body_map.output_names if name in outputs}
    found = wanted or outputs
    if body_map.vectors and answer.embedding is not None:
        found |= {body_map.vectors[0]: answer.embedding}
    return found, 1


def version(message: Message) -> str | None:
    """Return the model that answered."""
    answer = _answer(message)
    return answer.model if answer and answer.model and _NAME.fullmatch(answer.model) else None


def model(message: Message) -> str | None:
    """Return the model that was asked for."""
    name = message.top.get("model")
    return name if type(name) is str else None


def measured(message: Message) -> Mapping[str, Column]:
    """Return the tokens of the prompt, as the response's usage tells them."""
    answer = _answer(message)
    return answer.prompt_tokens() if answer else {}


def _answer(message: Message) -> Answer | None:
    with suppress(FormatError):
        return message.once(read_answer)
    return None


def _is_input(value: Any) -> bool:
    return are_texts(value) or are_messages(value)


def _count(asked: Any) -> int:
    """Return how many messages, items or texts were sent; a list of tokens is one text."""
    if type(asked) is not list:
        return 1
    return 1 if asked and type(asked[0]) is int else len(asked)


def _settings(body: Record) -> dict[str, Column]:
    tools = body.get("tools", body.get("functions"))
    lengths = (body.get(f"max_{what}tokens") for what in ("completion_", "output_", ""))
    choices = body.get("n")
    return {
        "tools": len(tools) if type(tools) is list else 0,
        "max_tokens": next(filter(None, map(_number, lengths)), None),
        "temperature": _number(body.get("temperature")),
        "choices": 1 if choices is None else _number(choices),
        "stream": int(body.get("stream") is True),
    }


def _number(value: Any) -> float | None:
    """Return a number, None for all else: what is text here may be anything."""
    return value if type(value) in (int, float) else None
