"""Types of configuration values, with the message for a value that does not fit.

A check raises `ValueError("expected X, got Y")`; where pydantic itself refuses a value, the
description of the field is the X.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticKnownError

Location = tuple[int | str, ...]

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile("([1-9][0-9]{0,5})([smhdw])")
_PRINTABLE = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]"  # a lone surrogate cannot be written as UTF-8


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time with the text that the user wrote, so that `24h` does not become `1d`."""

    label: str
    seconds: int

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `90s`, `5m`, `1h`, `7d` or `2w`; a Duration stays what it is.

        Raises:
            ValueError: It is something else, or zero.
        """
        if isinstance(value, cls):
            return value
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f"expected a duration such as '1h', got {shown(value)}")
        return cls(match[0], int(match[1]) * _UNIT_SECONDS[match[2]])


def shown(value: object) -> str:
    """Return a value as messages show it: one short line; no tables, which may hold tokens."""
    return "a table" if isinstance(value, Mapping) else f"{value!r:.80}"


def dotted(location: Location) -> str:
    """Return the path of a value, such as `models[0].routes[1]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return repr("".join(parts).removeprefix("."))[1:-1]  # a quoted key may hold a line break


def suggestion(key: str, known: Iterable[str]) -> str:
    """Return the message for an unknown key."""
    names = sorted(known)
    close = difflib.get_close_matches(key.lower(), names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(names)}"
    return f"unknown key; {hint}"


def whole(default: int, *, low: int = 1, high: int = 10**9) -> Any:
    """A field of whole numbers from `low` to `high`."""
    return Field(default, ge=low, le=high, description=f"a whole number from {low} to {high}")


def number(default: float, *, low: float = 0, high: float) -> Any:
    """A field of numbers from `low` to `high`."""
    return Field(
        default, ge=low, le=high, allow_inf_nan=False, description=f"a number from {low} to {high}"
    )


def _text(pattern: str, expected: str) -> BeforeValidator:
    def check(value: object) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        raise ValueError(f"expected {expected}, got {shown(value)}")

    return BeforeValidator(check)


def _none_if_empty(value: object) -> object:
    # `MLMON_STATE_DIR=` in an environment file means none, and not the current folder.
    return None if value == "" else value


def _text_of(value: object) -> object:
    # Classes are often numbers: `positive = 1` says what `positive = "1"` says.
    return str(value) if isinstance(value, int | float) else value


def _secret(value: object) -> object:
    # An empty token would be equal to an empty header, so it is no token.
    if value is None or value == "":
        return None
    if isinstance(value, SecretStr) or (isinstance(value, str) and re.fullmatch("[!-~]+", value)):
        return value
    raise ValueError("expected visible ASCII characters without spaces, got others (not shown)")


def _tokens(value: object) -> object:
    # Two are valid while one is exchanged for the other; `MLMON_TOKEN=old,new` gives both.
    each = value.split(",") if isinstance(value, str) else value
    if not isinstance(each, list | tuple):
        each = (value,)
    tokens = tuple(token for token in map(_secret, each) if token is not None)
    if len(tokens) > 2:
        raise ValueError(f"expected one token, or two while it changes, got {len(tokens)}")
    return tokens


def _database(value: object) -> object:
    secret = _secret(value)
    text = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
    if text is None or str(text).startswith(("postgresql://", "postgres://")):
        return secret
    raise ValueError("expected an address that starts with postgresql://, got another (not shown)")


def _not_boolean(value: object) -> object:
    # Python's True is 1, but `max_rows = true` does not mean one row.
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


def _listed(value: object) -> object:
    # Environment variables are texts: `["1h", "24h"]` or `1h,24h`.
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [item.strip() for item in value.split(",") if item.strip()]
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise PydanticKnownError("list_type") from None


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"expected each one once, got {shown(value)} twice")
    return values


def _ascending(windows: tuple[Duration, ...]) -> tuple[Duration, ...]:
    if not 1 <= len(windows) <= 4:
        raise ValueError(f"expected 1 to 4 windows, got {len(windows)}")
    ordered = tuple(sorted(windows, key=lambda window: window.seconds))
    labels = ", ".join(window.label for window in ordered)
    if len({window.seconds for window in ordered}) < len(ordered):
        raise ValueError(f"expected windows of different lengths, got {labels}")
    if ordered[0].seconds < 60:
        raise ValueError(f"expected windows of 60s or more, got {labels}")
    return ordered


LIST = BeforeValidator(_listed)

Span = Annotated[Duration, BeforeValidator(Duration.parse)]
Windows = Annotated[
    tuple[Span, ...], LIST, AfterValidator(_ascending), Field(description="a list of durations")
]
Whole = Annotated[int, BeforeValidator(_not_boolean)]
Number = Annotated[float, BeforeValidator(_not_boolean)]

Digest = Annotated[Literal["fastdigest", "tdigest"], Field(description="'fastdigest' or 'tdigest'")]
Detail = Annotated[Literal["full", "normal", "low"], Field(description="'full', 'normal' or 'low'")]
OptionalTask = Annotated[
    Literal["regression", "classification"] | None,
    Field(description="'regression' or 'classification'"),
]


class Ranges(NamedTuple):
    """A feature and the edges of the ranges that make its segments."""

    feature: str
    edges: tuple[float, ...]


_NAME = _PRINTABLE + "{1,128}"
_SEGMENT = 'a feature, or a table such as {feature = "age", edges = [25, 45]}'


def _segment(value: object) -> str | Ranges:
    if isinstance(value, str) and re.fullmatch(_NAME, value):
        return value
    if isinstance(value, Ranges):
        return value
    if isinstance(value, Mapping) and value.keys() == {"feature", "edges"}:
        feature, edges = value["feature"], value["edges"]
        if isinstance(feature, str) and re.fullmatch(_NAME, feature) and _are_edges(edges):
            return Ranges(feature, tuple(map(float, edges)))
        shown_edges = f"{feature!r:.80} with edges {edges!r:.80}"
        raise ValueError(f"expected a feature with ascending numbers as edges, got {shown_edges}")
    raise ValueError(f"expected {_SEGMENT}, got {shown(value)}")


def _are_edges(edges: object) -> bool:
    if not isinstance(edges, list | tuple) or not 1 <= len(edges) <= 100:
        return False
    are_numbers = all(type(e) in (int, float) and math.isfinite(e) for e in edges)
    return are_numbers and all(low < high for low, high in pairwise(edges))


def _each_feature_once(segments: tuple[str | Ranges, ...]) -> tuple[str | Ranges, ...]:
    _each_once(tuple(s if isinstance(s, str) else s.feature for s in segments))
    return segments


Name = Annotated[str, _text(_NAME, "a text of 1 to 128 printable characters")]
Route = Annotated[str, _text("/" + _PRINTABLE + "{0,255}", "a path that starts with '/'")]
Names = Annotated[
    tuple[Name, ...], LIST, AfterValidator(_each_once), Field(description="a list of texts")
]
Segments = Annotated[
    tuple[Annotated[str | Ranges, BeforeValidator(_segment)], ...],
    LIST,
    AfterValidator(_each_feature_once),
    Field(description="a list of features"),
]
Routes = Annotated[
    tuple[Route, ...], LIST, AfterValidator(_each_once), Field(description="a list of paths")
]

OptionalName = Annotated[Name | None, BeforeValidator(_none_if_empty)]
OptionalClass = Annotated[OptionalName, BeforeValidator(_text_of)]
OptionalRoute = Annotated[Route | None, BeforeValidator(_none_if_empty)]
OptionalPath = Annotated[
    Path | None, BeforeValidator(_none_if_empty), Field(description="a path in quotes")
]
Tokens = Annotated[tuple[SecretStr, ...], BeforeValidator(_tokens)]
OptionalDatabase = Annotated[SecretStr | None, BeforeValidator(_database)]
