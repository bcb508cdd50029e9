"""Rows whose values are objects or lists, made flat: `{"a": {"b": 1}}` becomes `{"a.b": 1}`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from gc import is_tracked
from itertools import chain
from typing import Any

from .errors import FormatError

CONTAINERS = frozenset((dict, list))
MAX_LEVELS = 3
MAX_ITEMS = 64
"""A longer list is an embedding or a text, not features: it stays a value, which is invalid."""
MAX_NAME = 128
"""Names longer than this get no parts: a long name times many parts outgrows any body."""


def is_nested(values: Iterable[Any]) -> bool:
    """Return whether some value is an object or a list."""
    return not CONTAINERS.isdisjoint(map(type, values))


def is_nested_record(record: dict[str, Any]) -> bool:
    """Return whether some value of the object is an object or a list."""
    # CPython's garbage collector does not track a dict that holds no containers, and says so at
    # once where looking at each value takes as long as half of parsing them. One that it does
    # track (an interpreter may track all) is looked through.
    return is_tracked(record) and is_nested(record.values())


def is_binary(value: Any) -> bool:
    """Return whether this is how TF Serving writes bytes, `{"b64": "..."}`: a value."""
    return type(value) is dict and len(value) == 1 and "b64" in value


def row_major(row: list[Any]) -> list[Any]:
    """Return the values of a row that is a tensor, last index fastest."""
    for _ in range(MAX_LEVELS):
        if list not in map(type, row):
            break
        row = list(chain.from_iterable(v if type(v) is list else (v,) for v in row))
    return row


def flatten(
    rows: Collection[dict[str, Any]], max_columns: int, whole: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return flat rows; what is nested deeper than `MAX_LEVELS` stays a value.

    Objects add `.key` to the name, lists `[0]`, `[1]`, ... A list of one is its element, and so
    is pandas' object of one row, `{"0": 5.1}`.

    Args:
        rows: The rows.
        max_columns: Names that they may have.
        whole: Names whose lists stay values: vectors.

    Raises:
        FormatError: `too_many_features`.
    """
    # Each name is kept once, however many rows have it.
    names: dict[str, str] = {}
    if whole:
        kept = [{name: row[name] for name in whole if name in row} for row in rows]
        rows = [{n: v for n, v in row.items() if n not in whole} for row in rows]
        return [_flat(row, names, max_columns) | k for row, k in zip(rows, kept, strict=True)]
    return [_flat(row, names, max_columns) for row in rows]


def _flat(row: dict[str, Any], names: dict[str, str], max_columns: int) -> dict[str, Any]:
    flat = {}
    for name, value in _leaves(row.items(), MAX_LEVELS):
        flat[names.setdefault(name, name)] = value
        if len(names) > max_columns:
            raise FormatError(
                "too_many_features", f"rows: expected {max_columns} columns, got more"
            )
    return flat


def _leaves(items: Iterable[tuple[str, Any]], levels: int) -> Iterator[tuple[str, Any]]:
    for name, value in items:
        parts = _parts(name, value) if levels else None
        if parts is None:
            yield name, value
        else:
            yield from _leaves(parts, levels - 1)


def _parts(name: str, value: Any) -> Iterable[tuple[str, Any]] | None:
    if type(value) not in CONTAINERS or len(name) > MAX_NAME or is_binary(value):
        return None
    if type(value) is dict:
        if len(value) == 1 and "0" in value:
            return ((name, value["0"]),)
        return ((f"{name}.{key}", part) for key, part in value.items())
    if len(value) == 1:
        return ((name, value[0]),)
    if len(value) > MAX_ITEMS:
        return None
    return ((f"{name}[{i}]", part) for i, part in enumerate(value))
