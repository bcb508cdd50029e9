"""Tensors as Triton writes them after the JSON: little-endian, one after the other, no padding.

Source: Triton, binary tensor data extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FormatError

_BYTES, _BFLOAT = "BYTES", "BF16"
_DTYPES: Mapping[str, np.dtype[Any]] = {
    name: np.dtype(code)
    for name, code in {
        "BOOL": "?",
        "UINT8": "u1",
        "UINT16": "<u2",
        "UINT32": "<u4",
        "UINT64": "<u8",
        "INT8": "i1",
        "INT16": "<i2",
        "INT32": "<i4",
        "INT64": "<i8",
        "FP16": "<f2",
        "FP32": "<f4",
        "FP64": "<f8",
        _BFLOAT: "<u2",
    }.items()
}
NO_TEXT: Mapping[str, str] = {"b64": ""}
"""Stands for bytes that are no text: an invalid value, as TF Serving's bytes are."""
Values = list[Any] | NDArray[Any]


def read(datatype: Any, content: bytes, offset: int, size: int, count: int) -> Values:
    """Return the values of one tensor; numbers are a view of the content where they can be.

    Args:
        datatype: Its name in the protocol; any value that a message may hold there.
        content: The whole body.
        offset: Where in it the tensor starts.
        size: How many bytes it has, all within the content.
        count: How many values its shape has.

    Raises:
        FormatError: `malformed`: the bytes are not so many values of that type.
    """
    if datatype == _BYTES:
        return _texts(content, offset, offset + size, count)
    return _numbers(datatype, content, offset, size, count)


def _numbers(datatype: Any, content: bytes, offset: int, size: int, count: int) -> NDArray[Any]:
    dtype = _DTYPES.get(datatype) if type(datatype) is str else None
    if dtype is None:
        raise FormatError("malformed", "tensor: expected a known datatype")
    if size != count * dtype.itemsize:
        raise FormatError("malformed", f"tensor: expected {count} values, got {size} bytes")
    values = np.frombuffer(content, dtype, count, offset) if count else np.empty(0, dtype)
    if datatype == _BFLOAT:
        # The upper half of a 32-bit float.
        return (values.astype(np.uint32) << 16).view(np.float32)
    # Any byte but 0 is true, yet NumPy reckons with the byte.
    return values.view(np.uint8) != 0 if dtype == np.bool_ else values


def _texts(content: bytes, offset: int, end: int, count: int) -> list[Any]:
    """Return `count` texts, each after its length in 4 bytes, lowest first."""
    values: list[Any] = []
    while offset + 4 <= end and len(values) < count:
        start = offset + 4
        offset = start + int.from_bytes(content[offset:start], "little")
        if offset <= end:
            values.append(text(content[start:offset]))
    if offset != end:
        raise FormatError("malformed", f"tensor: expected {count} texts in its bytes")
    return values


def text(value: bytes) -> Any:
    """Return the text that the bytes are, an invalid value where they are none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return NO_TEXT
