"""Vectors as rows have them, read as numbers: lists, tensors, or a column for each number.

Tensors of more than `MOST_DIRECT` numbers are folded before anything is fitted to them: each number
has a fixed sign, and those whose places differ by multiples of `FOLDED` are added up. That keeps
distances on average. Source: Weinberger et al. (2009), Feature Hashing for Large Scale Multitask
Learning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import is_missing

from .moments import Floats

COMPONENTS = 3
MOST_DIRECT = 1024
FOLDED = 512
"""Numbers that larger tensors are folded to."""
MOST_NUMBERS = 2**20
"""A larger tensor is invalid."""
GREATEST = 1e15
"""A vector of greater numbers is invalid: their squares would outgrow 32-bit floats."""
VALUES_AT_ONCE = 2**17
"""Numbers that are read at a time: copies of a large request's would outgrow it."""
ENDINGS = (
    "norm",
    "distance",
    "residual",
    *(f"component_{i + 1}" for i in range(COMPONENTS)),
    "mean",
    "spread",
)


@dataclass(frozen=True)
class VectorInput:
    """A vector as rows have it: one column of lists or tensors, or a column for each number."""

    name: str
    width: int
    """Numbers of one vector."""
    parts: tuple[str, ...] = ()
    """Columns of the numbers, in order; empty where one column holds all."""

    def __post_init__(self) -> None:
        if not 1 < self.width <= MOST_NUMBERS or len(self.parts) not in (0, self.width):
            raise ValueError(
                f"{self.name}: expected a vector of 2 to {MOST_NUMBERS} numbers, got {self.width}"
            )

    @property
    def is_folded(self) -> bool:
        """True if so many numbers are folded to fewer."""
        return self.width > MOST_DIRECT

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that are derived from it."""
        endings = ENDINGS if self.is_folded else ENDINGS[:-2]
        return tuple(f"{self.name}_{ending}" for ending in endings)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Its own columns, in order."""
        return self.parts or (self.name,)

    @cached_property
    def columns(self) -> frozenset[str]:
        """Columns that hold it or its numbers."""
        return frozenset((self.name, *self._numbered)) if not self.parts else frozenset(self.parts)

    @cached_property
    def _numbered(self) -> tuple[str, ...]:
        """Names that short lists get when nested rows are made flat."""
        return self.parts or tuple(f"{self.name}[{i}]" for i in range(self.width))

    def blocks(self, columns: Mapping[str, Any], rows: int) -> Iterable[Floats]:
        """Give the vectors of rows, shape (some rows, width), in order.

        A vector that is missing is NaN throughout; one of another width, or that holds anything but
        numbers of at most `GREATEST`, is infinite throughout.
        """
        step = 1 + VALUES_AT_ONCE // self.width
        values = self._values(columns, rows)
        for start in range(0, rows, step):
            yield _usable(self._block(values[start : start + step]))

    def _values(self, columns: Mapping[str, Any], rows: int) -> Any:
        """Return something to be sliced by rows."""
        if not self.parts and self.name in columns:
            whole = columns[self.name]
            is_rows = isinstance(whole, list | tuple | np.ndarray) and (rows > 1 or len(whole) == 1)
            return whole if is_rows else [whole]
        if self._numbered[0] not in columns:
            return [None] * rows
        each = [columns.get(name) for name in self._numbered]
        if rows == 1:
            return [[v[0] if isinstance(v, list | np.ndarray) else v for v in each]]
        absent = [np.nan] * rows
        return np.array([absent if v is None else v for v in each], dtype=object).T

    def _block(self, values: Any) -> Floats:
        first = values[0]
        try:
            if len(values) == 1 and type(first) is list and len(first) == self.width:
                return np.fromiter(first, np.float64, self.width)[None]  # in half of the time
            block = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
            if block.shape[1] == self.width and not isinstance(first, str):
                return block
        except (TypeError, ValueError):
            pass
        return np.array([self._vector(value) for value in values])

    def _vector(self, value: Any) -> Floats:
        if is_missing(value):
            return np.full(self.width, np.nan)
        read = numbers_of(value)
        return read if read.size == self.width else np.full(self.width, np.inf)

    def folded(self, block: Floats) -> Floats:
        """Return vectors as they are fitted and measured, shape (numbers, rows)."""
        if not self.is_folded:
            return block.T
        padded = np.zeros((len(block), len(self._signs)))
        np.multiply(block, self._signs[: self.width], out=padded[:, : self.width])
        folded: Floats = padded.reshape(len(block), -1, FOLDED).sum(axis=1).T
        return folded

    @cached_property
    def _signs(self) -> NDArray[np.int8]:
        width = -(-self.width // FOLDED) * FOLDED
        bits = np.random.PCG64(0).random_raw(width // 64).astype("<u8").view(np.uint8)
        return np.unpackbits(bits).astype(np.int8) * 2 - 1


def numbers_of(value: Any) -> Floats:
    """Return a vector: of nested lists or tensors, last index fastest; empty where it is none."""
    try:
        return np.asarray(value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        return np.empty(0)


def _usable(block: Floats) -> Floats:
    sizes = np.abs(block)
    if sizes.max() <= GREATEST:
        return block
    is_wrong = np.array([not (row.max() <= GREATEST or np.isnan(row).all()) for row in sizes])
    block = block.copy()
    block[is_wrong] = np.inf
    return block
