"""The Open Inference Protocol, V2: JSON tensors, Triton's binary extension both ways, and gRPC.

Source: Open Inference Protocol, REST API; Triton, binary tensor data extension.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from mlmon_exporter.core.keys import is_id

from . import json, json_text, oip_grpc, tables, tensor_bytes, tensors
from .body_map import BodyMap
from .errors import FormatError
from .message import Message
from .tables import Table
from .tensors import Tensor

_PATH = re.compile(
    r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[\w.-]+))?/infer(?:_stream)?$", re.ASCII
)
_JSON_LENGTH = b"inference-header-content-length"
_SAGEMAKER_JSON_LENGTH = re.compile(
    rb"^application/vnd\.sagemaker-triton\.binary\+json;\s*json-header-size=([^;\s]*)"
)
"""SageMaker lets no header of the client's through, so that its content type holds the length."""
_MAX_DIGITS = 18


def recognises(request: Message) -> bool:
    """By gRPC's or the binary extension's header, by its path, by inputs that have a datatype."""
    return (
        oip_grpc.is_grpc(request)
        or _json_length(request) is not None
        or _PATH.search(request.path) is not None
        or _are_tensors(request.top.get("inputs"))
    )


def request(message: Message, body_map: BodyMap) -> Table:
    """Return the features: a column for each input, `name[0]`, ... for those of several columns.

    The columns of an only input take the model's names where they are as many.

    Raises:
        FormatError: There are none.
    """
    found = _tensors(message, "inputs")
    if not found:
        raise FormatError("no_columns", "inputs: expected tensors, got none")
    names = body_map.feature_names
    if body_map.vectors:
        return _with_vectors(found, body_map)
    if len(found) == 1 and _is_one_row(found[0], names):
        found = [found[0].as_row()]
    return _table(found, found[0].rows, body_map, names)


def response(message: Message, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions for `rows` rows, without outputs of other rows. Raises FormatError."""
    found = _tensors(message, "outputs")
    if not found:
        raise FormatError("no_predictions", "outputs: expected tensors, got none")
    of_rows = [tensor for tensor in found if tensor.rows == rows]
    if not of_rows:
        of_rows = [tensor.as_row() for tensor in found if tensor.is_flat] if rows == 1 else []
    of_rows = of_rows or found
    return _table(of_rows, of_rows[0].rows, body_map, body_map.output_names)


def version(message: Message) -> str | None:
    """Return the version in the path, else the response's `model_version`."""
    match = _PATH.search(message.path)
    return json.bounded(match and match["version"]) or json.version_name(
        _names(message).get("model_version")
    )


def prediction_id(message: Message) -> str | None:
    """Return the `id` of a request or a response, where it may serve as a prediction's."""
    found = _names(message).get("id")
    return found if type(found) is str and is_id(found) else None


def _names(message: Message) -> Mapping[str, Any]:
    return oip_grpc.names(message) if oip_grpc.is_grpc(message) else _top(message)


def model(message: Message) -> str | None:
    """Return the model's name in the path."""
    match = _PATH.search(message.path)
    return json.bounded(match and match["model"])


def _are_tensors(inputs: Any) -> bool:
    return type(inputs) is list and len(inputs) > 0 and _is_tensor(inputs[0])


def _is_tensor(value: Any) -> bool:
    return type(value) is dict and type(value.get("datatype")) is str


def _is_one_row(tensor: Tensor, names: Sequence[str]) -> bool:
    """Return whether a tensor without a batch dimension holds a value for each feature."""
    return tensor.is_flat and 1 < tensor.rows == len(names) and tensor.name not in names


def _table(found: list[Tensor], rows: int, body_map: BodyMap, known: Sequence[str]) -> Table:
    """Return the table of the tensors of so many rows; a setting beside them may have others."""
    found = [tensor for tensor in found if tensor.rows == rows]
    tables.check_rows(rows, body_map)
    tables.check_columns(rows, sum(tensor.width for tensor in found), body_map)
    if len(found) == 1:
        return found[0].columns(_only_names(found[0], known)), rows
    columns: dict[str, Any] = {}
    for tensor in found:
        columns.update(tensor.columns(tensor.names()))
    return columns, rows


def _with_vectors(found: list[Tensor], body_map: BodyMap) -> Table:
    """Return the table of tensors some of which are vectors, by their names or as the only one."""
    only = body_map.only_vector(found[0].width * found[0].rows) if len(found) == 1 else None
    if only is not None:
        found = [found[0]._replace(name=only)]
    known = [tensor for tensor in found if tensor.name in body_map.vectors]
    known = [tensor.as_row() if tensor.is_flat else tensor for tensor in known]
    others = [tensor for tensor in found if tensor.name not in body_map.vectors]
    rows = (others or known)[0].rows
    columns = {tensor.name: tensor.whole() for tensor in known if tensor.rows == rows}
    tables.check_rows(rows, body_map)
    if others:
        columns |= _table(others, rows, body_map, ())[0]
    return columns, rows


def _only_names(tensor: Tensor, known: Sequence[str]) -> Sequence[str]:
    """Return the names of an only tensor: its own where the model knows them, else the model's."""
    names = tensor.names()
    if not known or names[0] in known:
        return names
    if len(known) == tensor.width:
        return known
    if tensor.width == 1:
        return names
    raise FormatError("mismatched_names", f"row: expected {len(known)} values, got {tensor.width}")


def _top(message: Message) -> Mapping[str, Any]:
    try:
        value, _, _ = message.once(_parts)
    except FormatError:
        return {}
    return value if type(value) is dict else {}


def _parts(message: Message) -> tuple[Any, bytes, int]:
    """Return the JSON of a message, its bytes, and where in them the binary tensors start."""
    length = _json_length(message)
    if length is None:
        return message.value(), b"", 0
    content = message.content
    is_length = length.isdigit() and len(length) <= _MAX_DIGITS and int(length) <= len(content)
    if not is_length:
        raise FormatError(
            "malformed", "Inference-Header-Content-Length: expected the JSON's length"
        )
    end = int(length)
    return json_text.loads(content[:end]), content, end


def _json_length(message: Message) -> bytes | None:
    """Return how long the JSON before binary tensors is, as it was sent; None where it is all."""
    length = message.header(_JSON_LENGTH)
    if length:
        return length
    match = _SAGEMAKER_JSON_LENGTH.match(message.header(b"content-type"))
    return match and match[1]


def _tensors(message: Message, key: str) -> list[Tensor]:
    """Return the tensors whose values are in the message: others are in shared memory."""
    if oip_grpc.is_grpc(message):
        return oip_grpc.inputs(message) if key == "inputs" else oip_grpc.outputs(message)
    body, content, offset = message.once(_parts)
    entries = body.get(key) if type(body) is dict else None
    if type(entries) is not list:
        return []
    content_type = _parameter(body, "content_type")
    found = []
    for i, entry in enumerate(entries):
        if type(entry) is not dict:
            raise FormatError("malformed", f"{key}: expected objects")
        name = entry.get("name")
        name = name if type(name) is str else str(i)
        size = _parameter(entry, "binary_data_size")
        if size is not None:
            found.append(_from_bytes(name, entry, content, offset, size))
            offset += size
        elif "data" in entry:
            tensor = tensors.from_json(name, entry.get("shape"), entry["data"])
            is_base64 = (_parameter(entry, "content_type") or content_type) == "base64"
            found.append(_decoded(tensor) if is_base64 else tensor)
    return found


def _parameter(value: Mapping[str, Any], name: str) -> Any:
    parameters = value.get("parameters")
    return parameters.get(name) if type(parameters) is dict else None


def _decoded(tensor: Tensor) -> Tensor:
    return tensor._replace(values=[_from_base64(value) for value in tensor.values])


def _from_base64(value: Any) -> Any:
    try:
        return tensor_bytes.text(b64decode(value, validate=True)) if type(value) is str else value
    except (binascii.Error, ValueError):
        return value


def _from_bytes(
    name: str, entry: Mapping[str, Any], content: bytes, offset: int, size: Any
) -> Tensor:
    rest = len(content) - offset
    if type(size) is not int or not 0 <= size <= rest:
        raise FormatError("malformed", f"tensor: expected {rest} bytes at most")
    shape = entry.get("shape")
    count = tensors.count(shape)
    values = tensor_bytes.read(entry.get("datatype"), content, offset, size, count)
    return tensors.from_values(name, shape, values)
