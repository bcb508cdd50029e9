"""Values as they come in, and the numbers that they are."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MISSING_VALUE = math.nan
INVALID_VALUE = math.inf
"""Stands for what cannot be read as a number; infinities themselves are invalid, too."""
LARGEST = 1e300
"""Sums of larger values would overflow: where values are added up, they count as this."""


def number(value: Any) -> float:
    """Return a value as a number: NaN where it is missing, infinity where it is none."""
    if type(value) is float:
        return value
    value = scalar(value)
    if is_missing(value):
        return MISSING_VALUE
    if isinstance(value, complex | np.complexfloating):
        return INVALID_VALUE
    try:
        return float(value)
    except Exception:  # noqa: BLE001 - whoever made the object chose what it raises
        return INVALID_VALUE


def numbers(values: Sequence[Any] | NDArray[Any]) -> Floats:
    """Return a column as numbers, shape (rows,), each as `number` reads it."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "cmM":  # complex numbers, times
        return np.full(len(values), INVALID_VALUE)
    try:
        column = np.asarray(values, dtype=np.float64)
    except Exception:  # noqa: BLE001 - see `number`
        return np.array([number(value) for value in values], dtype=np.float64)
    if column.ndim == 1:
        return column
    if column.size == len(column):
        return column.reshape(-1)
    return np.full(len(column), INVALID_VALUE)


def vector(values: Sequence[Any]) -> Floats:
    """Return values of different columns as numbers, shape (values,), each as `number` reads it."""
    try:
        # Takes a third of the time that NumPy takes to look at each.
        return np.frombuffer(struct.pack(f"{len(values)}d", *values), np.float64)
    except struct.error:
        return np.array([number(value) for value in values], np.float64)


def matrix(columns: Sequence[Sequence[Any] | NDArray[Any]], rows: int) -> Floats:
    """Return columns of `rows` values each, shape (columns, rows), each as `numbers` reads it."""
    if {*map(type, columns)} == {list}:
        # As bodies have them: all in one go, unless some value is no plain number.
        with suppress(Exception):
            values = chain.from_iterable(columns)
            return np.fromiter(values, np.float64, len(columns) * rows).reshape(-1, rows)
    return np.array([numbers(column) for column in columns]).reshape(-1, rows)


def scalar(value: Any) -> Any:
    """Return the value of one row, which may come as a list or array of one."""
    while isinstance(value, list | tuple | np.ndarray):
        if isinstance(value, np.ndarray) and not value.ndim:
            return value.item()
        if len(value) != 1:
            break
        value = value[0]
    return value


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN (also pandas' NA and NaT) or the empty text."""
    try:
        return bool(value is None or value == "" or value != value)
    except Exception:  # noqa: BLE001 - see `number`
        # An array has no truth value; nor has pandas' NA.
        return type(value).__name__ == "NAType"


def summable(ordered: Floats) -> Floats:
    """Return ascending finite values such that their sum is finite, too; see `LARGEST`."""
    if len(ordered) and (ordered[0] < -LARGEST or ordered[-1] > LARGEST):
        return np.clip(ordered, -LARGEST, LARGEST)
    return ordered
