"""Names of classes: one name for each class, however its values are spelt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlmon_exporter.core.coerce import is_missing, number, scalar
from mlmon_exporter.core.profile.bins import category_name

_TRUTH_VALUES = {"true": "1", "false": "0"}


def class_name(value: Any) -> str | None:
    """Return the name of a class: `1`, `1.0`, `True`, `"1"`, `"1.0"` and `"true"` are `"1"`.

    Models predict 1 where users record True, and bodies and files turn either into text. None
    if the value is missing or cannot be a class: a list, an object, an infinity.
    """
    value = scalar(value)
    if is_missing(value):
        return None
    name = category_name(value)
    if name is None:
        return None
    truth = _TRUTH_VALUES.get(name.lower())
    if truth is not None:
        return truth
    if name[0] in "+-.0123456789":
        return category_name(number(name)) or name
    return name


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return classes in scikit-learn's order: as numbers if all are numbers, else as texts.

    Unnamed probabilities belong to classes in this order.
    """
    texts = sorted(set(names))
    values = [number(name) for name in texts]
    if all(abs(value) < float("inf") for value in values):
        return tuple(sorted(texts, key=number))
    return tuple(texts)
