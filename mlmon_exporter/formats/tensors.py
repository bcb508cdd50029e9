"""Tensors: values of a shape, flat or nested, as columns. The first dimension is the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.records import Column

from .body_map import name_parts
from .errors import FormatError
from .flatten import MAX_NAME, row_major

MAX_DIMENSIONS = 64


class Tensor(NamedTuple):
    """One tensor: `rows` times `width` values."""

    name: str
    values: list[Any] | NDArray[Any]
    """Flat, last index fastest."""
    rows: int
    width: int
    is_flat: bool = False
    """True if its shape has one dimension, which need not be that of the rows."""

    def as_row(self) -> Tensor:
        """Return the tensor with all its values in one row."""
        return self._replace(rows=1, width=self.rows * self.width, is_flat=False)

    def names(self) -> Sequence[str]:
        """Return its name, or its parts' where it has several columns."""
        return name_parts(self.name[:MAX_NAME], self.width)

    def columns(self, names: Sequence[str]) -> Mapping[str, Column]:
        """Return its columns under these names: scalars of one row, views of an array."""
        values = self.values
        if self.rows == 1:
            scalars = values.tolist() if isinstance(values, np.ndarray) else values
            return dict(zip(names, scalars, strict=True))
        return {name: values[i :: self.width] for i, name in enumerate(names)}

    def whole(self) -> Any:
        """Return its values as one column of vectors."""
        if self.rows == 1:
            return self.values
        if isinstance(self.values, np.ndarray):
            return self.values.reshape(self.rows, self.width)
        return [self.values[i : i + self.width] for i in range(0, len(self.values), self.width)]


def from_values(name: str, shape: Any, values: NDArray[Any] | list[Any]) -> Tensor:
    """Return the tensor of flat values.

    Raises:
        FormatError: `malformed` where the shape is none or has another number of values.
    """
    size = count(shape)
    if size != len(values):
        raise FormatError("malformed", f"tensor: expected {size} values, got {len(values)}")
    return _shaped(name, shape, values)


def from_json(name: str, shape: Any, data: Any) -> Tensor:
    """Return the tensor of flat or nested values.

    Where a shape is missing, or does not fit nested values or has one dimension only, as in the
    specification's own example, the values tell the rows.

    Raises:
        FormatError: `malformed`: there are no values, or they are no tensor of this shape.
    """
    if type(data) is not list:
        raise FormatError("malformed", "tensor: expected a list in data")
    is_nested = len(data) > 0 and type(data[0]) is list
    values = row_major(data) if is_nested else data
    if is_shape(shape) and prod(shape) == len(values):
        return _shaped(name, shape, values)
    is_needed = is_shape(shape) and len(shape) > 1 and not is_nested
    rows = len(data)
    if is_needed or len(values) % (rows or 1):
        raise FormatError("malformed", "tensor: expected as many values as its shape has")
    return Tensor(name, values, rows, len(values) // (rows or 1), not is_nested)


def _shaped(name: str, shape: Sequence[int], values: list[Any] | NDArray[Any]) -> Tensor:
    rows = shape[0] if shape else 1
    return Tensor(name, values, rows, len(values) // (rows or 1), len(shape) == 1)


def count(shape: Any) -> int:
    """Return how many values a shape has. Raises FormatError, `malformed`, where it is none."""
    if not is_shape(shape):
        raise FormatError("malformed", "tensor: expected a shape")
    return prod(shape)


def is_shape(shape: Any) -> bool:
    """Return whether this is a list of sizes, as few as NumPy allows; a single value has none."""
    return (
        type(shape) is list
        and len(shape) <= MAX_DIMENSIONS
        and all(type(size) is int and size >= 0 for size in shape)
    )
