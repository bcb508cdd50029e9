"""Dotted paths into a JSON value."""

from __future__ import annotations

from typing import Any

from .errors import FormatError


def at(value: Any, path: str) -> Any:
    """Return what is at a dotted path such as `payload.rows.0`; numbers index lists.

    Raises:
        FormatError: `path_missing`.
    """
    for step in path.split("."):
        if type(value) is dict and step in value:
            value = value[step]
        elif type(value) is list and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise FormatError("path_missing", f"{path}: expected a value at {step!r}, got none")
    return value
