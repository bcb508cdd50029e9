"""JSON lines: a value a line."""

from __future__ import annotations

import re
from typing import Any

from . import json_text

MEDIA_TYPES = frozenset(
    ("application/jsonlines", "application/jsonl", "application/x-ndjson", "application/ndjson")
)
_LINE_ENDS = re.compile(rb"[\r\n]+")


def loads(text: bytes) -> list[Any]:
    """Return the values of all lines, in one go. Raises FormatError as `json_text.loads` does."""
    lines = _LINE_ENDS.sub(b",", text.strip())
    values: list[Any] = json_text.loads(b"[" + lines + b"]")
    return values


def lines(text: bytes) -> list[bytes]:
    """Return the lines that are not blank."""
    return [line for line in _LINE_ENDS.split(text) if line.strip()]
