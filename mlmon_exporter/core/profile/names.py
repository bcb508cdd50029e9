"""The one reader of categories and classes: a name for each, however its values are spelt."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from mlmon_exporter.core.coerce import BOOLEANS, TRUTHS, TYPED, is_missing, rounding_of, scalar
from mlmon_exporter.core.labels import clean_label

_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0*")
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def category_name(value: Any) -> str | None:
    """Return one name for a category of any type: 1, 1.0 and "1" are the same.

    Texts stay as they are but for true and false, in any case. Whole numbers never pass
    through floating point. A 32-bit number has the digits that tell it from other such numbers,
    which are those of the number it was made of.

    None where it cannot be a category: a list, an object, an infinity.
    """
    name = next((name for types, name in _NAMES if isinstance(value, types)), None)
    return None if name is None else name(value)


def _text_name(value: str) -> str:
    text = clean_label(str(value))
    return BOOLEANS[TRUTHS[text]] if text in TRUTHS else text


def _whole_name(value: int | np.integer[Any]) -> str | None:
    try:
        return str(int(value))
    except ValueError:  # more digits than Python turns into text
        return None


def _decimal_name(value: Decimal) -> str | None:
    if value.is_finite() and value == value.to_integral_value():
        return _whole_name(int(value))
    return _float_name(float(value))


def _float_name(value: float | np.floating[Any]) -> str | None:
    exact = float(value)
    if not math.isfinite(exact):
        return None
    if exact.is_integer():
        return str(int(exact))
    return repr(exact) if isinstance(value, float) else repr(float(str(value)))


def _time_name(value: Any) -> str | None:
    if is_missing(value):
        return None
    return str(value.isoformat()) if isinstance(value, dt.date | dt.time) else str(value)


_NAMES: tuple[tuple[Any, Callable[[Any], str | None]], ...] = (
    (str, _text_name),
    ((bool, np.bool_), lambda value: BOOLEANS[bool(value)]),
    ((float, np.floating), _float_name),
    ((int, np.integer), _whole_name),
    (bytes, lambda value: _text_name(value.decode("utf-8", "replace"))),
    (Decimal, _decimal_name),
    (TYPED, _time_name),
)
"""Types -> the name of such a category; a boolean is also an integer, and comes before it."""


def category_number(text: str) -> int | float | None:
    """Return the number that a category's name spells, None where it spells none.

    Leading zeros, signs and other adornments make a text: "007" is no 7.
    """
    if text in BOOLEANS:
        return BOOLEANS.index(text)
    if not _PLAIN.fullmatch(text):
        return None
    whole = _WHOLE.fullmatch(text)
    try:
        exact = float(text)
        return int(whole[1] if whole else text) if whole or text.lstrip("-").isdigit() else exact
    except ValueError:
        return None


def whole_name(text: str) -> str:
    """Return the text of a whole number without a decimal point: "1.0" is "1"; others as is."""
    whole = _WHOLE.fullmatch(text)
    return text if whole is None else str(int(whole[1])) if len(whole[1]) < 4000 else whole[1]


def class_name(value: Any) -> str | None:
    """Return the one name of a class: `1`, `1.0`, `True`, `"1"`, `"1.0"` and `"true"` are `"1"`.

    Models predict 1 where their users record True, and bodies and files turn either into text.
    Other texts stay as they are: `"01"` and `"1.10"` are no `"1"` and `"1.1"`.
    None where the value is missing, or can be no class: a list, an object, an infinity.
    """
    value = scalar(value)
    if is_missing(value):
        return None
    name = category_name(value)
    if name in BOOLEANS:
        return str(BOOLEANS.index(name))
    return None if name is None else whole_name(name)


def format_edge(edge: float) -> str:
    """Return an edge as short text: to ten digits, or as many as 32-bit floats have, if fewer.

    An edge that was moved by their rounding, see `rounding_of`, reads as the value it was made for.
    """
    short = f"{edge + 0.0:.7g}"  # the sum of -0 and 0 is 0
    is_enough = abs(float(short) - edge) <= 1.01 * rounding_of(np.array([edge]))[0]
    return short if is_enough else f"{edge:.10g}"
