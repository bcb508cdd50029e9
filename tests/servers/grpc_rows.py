"""What is sent over gRPC: each datatype as a matrix, and a column a tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .linear import FEATURES

ROWS = ((1.5, 2.25, 3.0), (4.0, 5.5, 6.75))
WHOLE = ((1, 2, 3), (4, 5, 6))


class Sent(NamedTuple):
    """One request."""

    id: str
    datatype: str
    code: str
    rows: tuple[tuple[float, ...], ...]
    model: str = "linear"
    is_in_columns: bool = False

    def tensors(self) -> Iterator[tuple[str, Any, str]]:
        """Give name, values and datatype of each tensor."""
        matrix = np.array(self.rows, dtype=self.code)
        if not self.is_in_columns:
            yield "x", matrix, self.datatype
            return
        for name, column in zip(FEATURES, matrix.T, strict=True):
            yield name, np.ascontiguousarray(column), self.datatype


CASES = (
    *(Sent(name.lower(), name, code, ROWS) for name, code in
      (("FP64", "<f8"), ("FP32", "<f4"), ("FP16", "<f2"))),
    *(Sent(name.lower(), name, code, WHOLE) for name, code in (
        ("INT8", "i1"), ("INT16", "<i2"), ("INT32", "<i4"), ("INT64", "<i8"),
        ("UINT8", "u1"), ("UINT16", "<u2"), ("UINT32", "<u4"), ("UINT64", "<u8"),
    )),
    Sent("columns", "FP64", "<f8", ROWS, is_in_columns=True),
    Sent("one-row", "FP32", "<f4", ROWS[:1]),
    Sent("thousand-rows", "FP64", "<f8", tuple((i / 7, i / 3, -i / 5) for i in range(1000))),
)  # fmt: skip
FAULTY = (
    Sent("no-model", "FP64", "<f8", ROWS, model="nothing"),
    Sent("no-columns", "FP64", "<f8", ((1.0,), (2.0,))),
)
