"""Answers of language models, whole or in events: sizes and reasons, and no texts."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from mlmon_exporter.core.records import Column

from . import json_text
from .errors import FormatError
from .event_stream import GAP, MEDIA_TYPE, events, is_stream
from .message import Message
from .prompts import characters

FINISHES = frozenset(
    "stop length tool_calls function_call content_filter abort error completed failed".split()
)
"""Why an answer may end; others are `other`, since each text there becomes a category."""
_CUT = {"max_output_tokens": "length"}
_RUNNING = ("queued", "in_progress")


class Answer:
    """An answer so far: each event of a stream adds to it."""

    __slots__ = (
        "_calls",
        "_characters",
        "_embeddings",
        "_finishes",
        "_is_whole",
        "_usage",
        "model",
    )

    def __init__(self, *, is_whole: bool = True) -> None:
        """Start at nothing; of an answer that is not whole, some numbers stay unknown."""
        self._is_whole = is_whole
        self.model: str | None = None
        """The model that answered, as it stands there."""
        self._usage: Mapping[str, Any] = {}
        self._finishes: dict[int, str | None] = {}  # choice -> why it ended, None while it goes on
        self._calls: set[tuple[int, int]] = set()
        self._characters = 0
        self._embeddings: list[Any] | None = None

    def add(self, value: Any) -> None:
        """Add a whole answer, or an event's part of one; anything else changes nothing."""
        if type(value) is not dict:
            return
        if type(value.get("response")) is dict:  # an event of `responses` with all of it so far
            value = value["response"]
        elif value.get("type") == "response.output_text.delta":
            self._characters += characters(value.get("delta"))
        self._name(value.get("model"))
        if type(value.get("usage")) is dict:
            self._usage = value["usage"]
        if type(value.get("choices")) is list:
            for choice in value["choices"]:
                self._add_choice(choice)
        elif type(value.get("output")) is list:
            self._set_output(value)
        elif type(value.get("data")) is list:
            self._set_embeddings(value["data"])

    def _name(self, model: Any) -> None:
        if type(model) is str:
            self.model = model

    def _add_choice(self, choice: Any) -> None:
        if type(choice) is not dict:
            return
        index = _index(choice, 0)
        finish = choice.get("finish_reason")
        if type(finish) is str:
            self._finishes[index] = finish
        else:
            self._finishes.setdefault(index, None)
        # A stream has `delta`, a chat `message`, and a completion the text itself.
        said = choice.get("delta") or choice.get("message", choice)
        if type(said) is not dict:
            return
        text = said.get("content")
        self._characters += len(text) if type(text) is str else characters(said)
        calls = said.get("tool_calls")
        for i, call in enumerate(calls if type(calls) is list else ()):
            self._calls.add((index, _index(call, i)))
        if said.get("function_call") is not None:
            self._calls.add((index, -1))

    def _set_output(self, value: Mapping[str, Any]) -> None:
        """Take over an answer of `responses`, which always has all of it so far."""
        status, details = value.get("status"), value.get("incomplete_details")
        if status == "incomplete" and type(details) is dict:
            status = details.get("reason")
            status = _CUT.get(status, status) if type(status) is str else "other"
        is_over = type(status) is str and status not in _RUNNING
        self._finishes = {0: status if is_over else None}
        if is_over:
            items = [item for item in value["output"] if type(item) is dict]
            kinds = [str(item.get("type")) for item in items]
            said = [item for item, kind in zip(items, kinds, strict=True) if kind == "message"]
            self._characters = characters(said)
            self._calls = {(0, i) for i, kind in enumerate(kinds) if kind.endswith("_call")}

    def _set_embeddings(self, data: list[Any]) -> None:
        items = [item["embedding"] for item in data if type(item) is dict and "embedding" in item]
        self._embeddings = items or None

    @property
    def embedding(self) -> NDArray[Any] | None:
        """The first embedding, None where there is none that can be read."""
        return _embedding(self._embeddings[0]) if self._embeddings else None

    def outputs(self) -> dict[str, Column] | None:
        """Return the outputs of the only row, None where there was no answer."""
        if self._embeddings is not None:
            first = self.embedding
            numbers = first if first is not None else ()
            return {
                "embeddings": len(self._embeddings),
                "dimensions": len(numbers) or None,
                "embedding_norm": _norm(numbers),
            }
        if not self._finishes:
            return None
        tokens = self._tokens("completion_tokens", "output_tokens")
        return {
            # LitServe says 0 where nobody counted.
            "completion_tokens": tokens if tokens or not self._characters else None,
            "completion_characters": self._characters if self._is_whole else None,
            "finish_reason": self._finish(),
            "tool_calls": len(self._calls) if self._is_whole else None,
        }

    def prompt_tokens(self) -> dict[str, Column]:
        """Return the tokens of the prompt, and of those the ones from a cache, where known."""
        tokens = self._tokens("prompt_tokens", "input_tokens")
        cached = None
        for key in ("prompt_tokens_details", "input_tokens_details"):
            details = self._usage.get(key)
            if type(details) is dict and type(details.get("cached_tokens")) is int:
                cached = details["cached_tokens"]
        found = {"prompt_tokens": tokens or None, "cached_tokens": cached}
        return {name: count for name, count in found.items() if count is not None}

    def _tokens(self, *keys: str) -> int | None:
        counts = (self._usage.get(key) for key in keys)
        return next((count for count in counts if type(count) is int), None)

    def _finish(self) -> str | None:
        """Return why the answer ended, None if it was cut off; `mixed` if choices differ."""
        reasons = set(self._finishes.values())
        if len(reasons) > 1:
            return "mixed" if None not in reasons else None
        (reason,) = reasons
        return reason if reason is None or reason in FINISHES else "other"


def read_answer(message: Message) -> Answer:
    """Return the answer in a response, in JSON or as an event stream. Raises FormatError."""
    content = message.content
    if message.media_type != MEDIA_TYPE and not is_stream(content):
        answer = Answer()
        answer.add(message.value())
        return answer
    answer = Answer(is_whole=GAP not in content)
    for data in events(content):
        if data.startswith(b"{"):  # not so the `[DONE]` at the end
            answer.add(_decoded(data))
    return answer


def _decoded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return json_text.loads(data)
        except FormatError:
            return None  # an event that was cut; the others count


def _index(value: Any, default: int) -> int:
    index = value.get("index") if type(value) is dict else None
    return index if type(index) is int else default


def _embedding(value: Any) -> NDArray[Any] | None:
    """Return the numbers of an embedding: a list, or 32-bit floats in base64.

    Source: OpenAI, API reference, `encoding_format`; their client asks for base64.
    """
    try:
        if type(value) is str:
            return np.frombuffer(b64decode(value), "<f4")
        return np.array(value, dtype=np.float64) if type(value) is list else None
    except (ValueError, TypeError, OverflowError):
        return None


def _norm(numbers: Any) -> float | None:
    """Return the length of a vector; None where it is none."""
    if np.ndim(numbers) != 1 or not len(numbers):
        return None
    # In 64 bits: squares of 32-bit numbers overflow early.
    norm = float(np.linalg.norm(np.asarray(numbers, np.float64)))
    return norm if np.isfinite(norm) else None
