"""JSON as model servers send it: strict JSON fast, the usual transgressions too.

orjson refuses what Python's own `json` writes and reads, and what half of all model servers
therefore send: NaN and Infinity, integers of any length, lone surrogates. What it refuses goes
through the standard library's parser, which in turn must be kept from deep nesting.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import orjson

from mlmon_exporter.core.labels import clean_label

from .errors import FormatError

MAX_DEPTH = 100
"""Brackets within brackets that the lenient parser and `_clean` go down: they recurse."""

_BOM = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_STEPS = bytes.maketrans(_BRACKETS, np.array([1, -1, 1, -1], dtype=np.int8).tobytes())
_LONG_INTEGER = 19  # digits that surely fit 64 bits; longer ones become floats, as in orjson


def loads(text: bytes) -> Any:
    """Parse JSON.

    Returns:
        The value. Integers too long for a float are infinite; a lone surrogate is U+FFFD, so no
        string fails to encode.

    Raises:
        FormatError: `empty_body`, `bad_encoding` (no UTF), `too_deep`, `not_json`.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _loads_leniently(text.removeprefix(_BOM))


def _loads_leniently(text: bytes) -> Any:
    if not text.strip():
        raise FormatError("empty_body", "body: expected JSON, got nothing")
    try:
        # UTF-16 and UTF-32 too, as Python's own parser takes them and so do many apps.
        encoding = json.detect_encoding(text)
        characters = text.decode(encoding)
    except UnicodeDecodeError as error:
        raise FormatError("bad_encoding", "body: expected UTF-8, UTF-16 or UTF-32") from error
    if encoding not in ("utf-8", "utf-8-sig"):
        return loads(characters.encode())
    if _depth(text) > MAX_DEPTH:
        raise FormatError("too_deep", f"body: expected {MAX_DEPTH} levels at most")
    try:
        value = json.loads(characters, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise FormatError("not_json", "body: expected JSON") from error
    return _clean(value) if _SURROGATE.search(characters) else value


def _depth(text: bytes) -> int:
    """Return how deep the brackets outside of strings nest, in linear time."""
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return 0
    # One look at all brackets at once: a string is a single match even where its end is missing,
    # so a body of nothing but escaped quotes is not searched again from each of them.
    steps = _STRING.sub(b"", text).translate(_STEPS, _NOT_BRACKETS)
    levels = np.cumsum(np.frombuffer(steps, dtype=np.int8), dtype=np.int64)
    return int(levels.max(initial=0))


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONG_INTEGER else float(digits)


def _clean(value: Any) -> Any:
    if type(value) is str:
        return clean_label(value)
    if type(value) is list:
        return [_clean(item) for item in value]
    if type(value) is dict:
        return {clean_label(key): _clean(item) for key, item in value.items()}
    return value
