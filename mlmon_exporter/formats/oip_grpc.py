"""The messages of the Open Inference Protocol over gRPC: tensors of `ModelInfer`, either way.

They are decoded by `google.protobuf`, with a schema of the fields that we read.

Source: Open Inference Protocol, gRPC API; Triton's `ModelStreamInferResponse`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from . import tensor_bytes, tensors
from .errors import FormatError
from .grpc_messages import MESSAGE_TYPE
from .message import Message
from .tensors import Tensor

MOST_TENSORS = 10_000
_ELSEWHERE = "shared_memory_region"
"""A tensor with this parameter has its values in memory that client and server share."""
_SCHEMA: Mapping[str, Sequence[tuple[int, str, str]]] = {
    "Parameter": ((1, "key", "string"),),
    "Contents": (
        (1, "bool_contents", "bool*"),
        (2, "int_contents", "int32*"),
        (3, "int64_contents", "int64*"),
        (4, "uint_contents", "uint32*"),
        (5, "uint64_contents", "uint64*"),
        (6, "fp32_contents", "float*"),
        (7, "fp64_contents", "double*"),
        (8, "bytes_contents", "bytes*"),
    ),
    "Tensor": (
        (1, "name", "string"),
        (2, "datatype", "string"),
        (3, "shape", "int64*"),
        (4, "parameters", "Parameter*"),
        (5, "contents", "Contents"),
    ),
    "Request": ((5, "tensors", "Tensor*"), (7, "raw", "bytes*")),
    # Triton's streamed answer holds nothing but the response, as field 2.
    "Response": ((2, "inner", "bytes"), (5, "tensors", "Tensor*"), (6, "raw", "bytes*")),
}
"""Message -> its fields: number, name, type (`*`: repeated)."""
_DTYPES = {
    "bool_contents": np.bool_,
    "int_contents": np.int32,
    "int64_contents": np.int64,
    "uint_contents": np.uint32,
    "uint64_contents": np.uint64,
    "fp32_contents": np.float32,
    "fp64_contents": np.float64,
}


def is_grpc(message: Message) -> bool:
    """Return whether a body is a message of gRPC, by its content type."""
    return message.header(b"content-type").startswith(MESSAGE_TYPE)


def names(message: Message) -> Mapping[str, str]:
    """Return `model_version` and `id` of a body, empty where it has none."""
    try:
        found = head(message.content)
    except FormatError:
        found = Head()
    return {"model_version": found.version, "id": found.id}


def inputs(message: Message) -> list[Tensor]:
    """Return the tensors of a request whose values are in it. Raises FormatError."""
    return [*_tensors(_decoded("Request", message.content))]


def outputs(message: Message) -> list[Tensor]:
    """Return the same of a response, by itself or streamed by Triton. Raises FormatError."""
    response = _decoded("Response", message.content)
    if not response.tensors and response.inner:
        response = _decoded("Response", response.inner)
    return [*_tensors(response)]


def _decoded(name: str, content: bytes) -> Any:
    messages = _messages()
    try:
        return messages[name].FromString(content)
    except messages["error"] as error:
        raise FormatError("malformed", f"body: expected a {name} in Protocol Buffers") from error


@lru_cache(1)
def _messages() -> Mapping[str, Any]:
    """Return the classes of the messages, and the decoder's error."""
    try:
        pb, pools, factory, errors = (
            import_module(f"google.protobuf.{name}")
            for name in ("descriptor_pb2", "descriptor_pool", "message_factory", "message")
        )
    except ImportError:
        raise FormatError(
            "unsupported_media", "body: expected protobuf, as in mlmon-exporter[grpc]"
        ) from None
    file = pb.FileDescriptorProto(name="mlmon_exporter/oip.proto", package="mlmon", syntax="proto3")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            added = message.field.add(number=number, name=field)
            added.label = added.LABEL_REPEATED if kind.endswith("*") else added.LABEL_OPTIONAL
            plain = kind.rstrip("*")
            if plain in _SCHEMA:
                added.type, added.type_name = added.TYPE_MESSAGE, f".mlmon.{plain}"
            else:
                added.type = getattr(added, f"TYPE_{plain.upper()}")
    pool = pools.DescriptorPool()  # of our own: an app's may have the protocol's under its name
    pool.Add(file)
    classes = {
        name: factory.GetMessageClass(pool.FindMessageTypeByName(f"mlmon.{name}"))
        for name in _SCHEMA
    }
    return {**classes, "error": errors.DecodeError}


def _tensors(message: Any) -> Iterator[Tensor]:
    if len(message.tensors) > MOST_TENSORS:
        raise FormatError("too_many_features", f"tensors: expected at most {MOST_TENSORS}")
    here = [tensor for tensor in message.tensors if not _is_elsewhere(tensor.parameters)]
    raw = message.raw
    if raw and len(raw) != len(here):
        raise FormatError("malformed", f"raw contents: expected {len(here)}, got {len(raw)}")
    for tensor, content in zip_longest(here, raw):
        shape = [*tensor.shape]
        if content is None:
            values = _typed(tensor.contents)
        else:
            count = tensors.count(shape)
            values = tensor_bytes.read(tensor.datatype, content, 0, len(content), count)
        yield tensors.from_values(tensor.name, shape, values)


def _is_elsewhere(parameters: Any) -> bool:
    return len(parameters) > 0 and any(one.key == _ELSEWHERE for one in parameters)


def _typed(contents: Any) -> tensor_bytes.Values:
    """Return the values of a tensor; the field that has some tells their type."""
    found = contents.ListFields()
    if len(found) > 1:
        raise FormatError("malformed", "tensor: expected contents of one type")
    for field, values in found:
        if field.name == "bytes_contents":
            return [tensor_bytes.text(value) for value in values]
        listed = [*values]
        return listed if len(listed) == 1 else np.array(listed, dtype=_DTYPES[field.name])
    return []


class Head(NamedTuple):
    """The names at the head of a message; empty where it has none."""

    model: str = ""
    version: str = ""
    id: str = ""
    is_tritons: bool = False
    """The message is Triton's streamed answer, which has the response within."""
    is_error: bool = False
    """Triton's streamed answer has a text in the response's place: what is wrong."""
    is_last: bool = True
    """No other answer to the request follows, as far as this one says: Triton's models may send
    several."""
    is_empty: bool = False
    """It holds no tensor, as a last answer of Triton's may: all has been said before."""


_NAMES = 3
"""Numbers of the fields that hold names: up to this."""
_INNER = 2
"""Number of the field that holds the response in Triton's streamed answer."""
_LONGEST_NAME = 1024
_TENSOR = 5
"""Number of the first field that holds tensors."""
_NOT_LAST = (b"\n\x15triton_final_response\x12", b"\x08\x00")
"""Begin and end of a parameter that is false: a name, and a value of one bool."""
_FIELDS_READ = 16
"""Fields of a message that are looked at: names come first, and there are three."""
_VARINT, _BYTES = 0, 2
"""Wire types."""


def head(content: bytes) -> Head:
    """Return the names in a request or a response; of what is no message, those before the fault.

    It takes some microseconds, however long the message is: a request's path can bear that. The
    content may end anywhere after the names.
    """
    names = ["", "", ""]
    inner, highest = b"", 0
    is_last = True
    begin = _inner(content)
    for number, start, end in _fields(content, begin):
        highest = max(highest, number)
        if number >= _TENSOR:
            break
        text = content[start : min(end, start + _LONGEST_NAME)]
        if number <= _NAMES:
            names[number - 1] = text.decode(errors="replace")
            inner = text if number == _INNER else inner
        elif text.startswith(_NOT_LAST[0]) and text.endswith(_NOT_LAST[1]):
            is_last = False
    if names[0] and highest <= _INNER:
        return Head(id=head(inner).id if inner else "", is_tritons=True, is_error=True)
    return Head(names[0], names[1], names[2], begin > 0, False, is_last, highest < _TENSOR)


def _inner(content: bytes) -> int:
    """Return where the response starts: after a tag and a length in Triton's streamed answer."""
    number, start, end = next(_fields(content, 0), (0, 0, 0))
    return start if number == _INNER and end >= len(content) else 0


def _fields(content: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Give number, start and end of the first fields that have a length."""
    with suppress(IndexError):  # the content ends here
        for _ in range(_FIELDS_READ):
            key = content[at]
            value, at = _varint(content, at + 1)
            if key & 7 == _BYTES and key >> 3:
                yield key >> 3, at, at + value
                at += value
            elif key & 7 != _VARINT:
                return


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return the number that starts there and where it ends; IndexError where it does not."""
    value = shift = 0
    while (byte := content[at]) >= 0x80 and shift < 63:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return value | byte << shift, at + 1
