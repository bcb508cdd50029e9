"""Messages of the Open Inference Protocol, written byte by byte.

Numbers of fields are those of the protocol's `grpc_predict_v2.proto`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

CONTENTS = {
    "BOOL": (1, "varint"), "INT8": (2, "varint"), "INT16": (2, "varint"), "INT32": (2, "varint"),
    "INT64": (3, "varint"), "UINT8": (4, "varint"), "UINT16": (4, "varint"),
    "UINT32": (4, "varint"), "UINT64": (5, "varint"), "FP32": (6, "<f"), "FP64": (7, "<d"),
    "BYTES": (8, "bytes"),
}  # fmt: skip
"""Datatype -> the number of its field in the contents, and how a value is written there."""


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: bytes | str | int) -> bytes:
    """A field of a number or of bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def contents(datatype: str, values: Sequence[Any], *, is_packed: bool = True) -> bytes:
    number, how = CONTENTS[datatype]
    if how == "bytes":
        return b"".join(field(number, value) for value in values)
    wire = {"varint": 0, "<f": 5, "<d": 1}[how]
    written = [varint(int(v)) if how == "varint" else struct.pack(how, v) for v in values]
    if is_packed:
        return field(number, b"".join(written)) if written else b""
    return b"".join(varint(number << 3 | wire) + each for each in written)


def tensor(
    name: str,
    datatype: str,
    shape: Sequence[int],
    values: Sequence[Any] | None = None,
    *,
    parameter: str = "",
    is_packed: bool = True,
) -> bytes:
    """A tensor; without values its contents are raw, or elsewhere."""
    parts = [field(1, name), field(2, datatype)]
    if is_packed:
        parts.append(field(3, b"".join(map(varint, shape))))
    else:
        parts += [field(3, size) for size in shape]
    if parameter:
        parts.append(field(4, field(1, parameter) + field(2, field(3, "x"))))
    if values is not None:
        parts.append(field(5, contents(datatype, values, is_packed=is_packed)))
    return b"".join(parts)


def request(
    tensors: Sequence[bytes],
    raw: Sequence[bytes] = (),
    *,
    model: str = "m",
    version: str = "",
    id: str = "",  # noqa: A002 - the protocol's word
) -> bytes:
    return _message(tensors, 7, raw, (model, version, id))


def response(
    tensors: Sequence[bytes],
    raw: Sequence[bytes] = (),
    *,
    model: str = "m",
    version: str = "",
    id: str = "",  # noqa: A002 - the protocol's word
    is_last: bool | None = None,
) -> bytes:
    """A response; with `is_last`, Triton's parameter that says so."""
    value = field(2, field(1, int(is_last or 0)))
    parameter = b"" if is_last is None else field(4, field(1, "triton_final_response") + value)
    return _message(tensors, 6, raw, (model, version, id), parameter)


def streamed(answer: bytes = b"", error: str = "") -> bytes:
    """Triton's `ModelStreamInferResponse`."""
    return (field(1, error) if error else b"") + (field(2, answer) if answer else b"")


def _message(
    tensors: Sequence[bytes],
    number: int,
    raw: Sequence[bytes],
    names: Sequence[str],
    parameter: bytes = b"",
) -> bytes:
    head = b"".join(field(i, name) for i, name in enumerate(names, 1) if name) + parameter
    body = b"".join(field(5, each) for each in tensors)
    return head + body + b"".join(field(number, each) for each in raw)
