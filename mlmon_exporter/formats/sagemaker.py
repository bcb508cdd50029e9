"""SageMaker's built-in algorithms, `/invocations`: CSV without a header, JSON lines, JSON.

Source: Amazon SageMaker, Common data formats for inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import csv_text, decoders, json, json_lines, predictions, tables
from .body_map import BodyMap
from .errors import FormatError
from .flatten import CONTAINERS
from .message import Message
from .tables import Table

_PATH = "/invocations"
_CSV = "text/csv"
_TEXT_ANSWERS = frozenset((_CSV, "text/html"))
"""Media types of CSV in responses: the first containers of XGBoost say HTML."""


def recognises(request: Message) -> bool:
    """By JSON lines or NumPy's files, by CSV whose first row has a number, by rows of features."""
    media = request.media_type
    if media in json_lines.MEDIA_TYPES or media in decoders.ARRAYS:
        return True
    if media == _CSV:
        return _has_no_header(request)
    return request.path.endswith(_PATH) and _holds_features(request.top.get("instances"))


def request(message: Message, body_map: BodyMap) -> Table:
    """Return the features. Raises FormatError."""
    media = message.media_type
    if media == _CSV:
        rows = csv_text.rows(message.content, body_map)
        return csv_text.table(rows, body_map.name_features, body_map)
    value = (
        json_lines.loads(message.content) if media in json_lines.MEDIA_TYPES else message.value()
    )
    if type(value) is dict and type(value.get("instances")) is list:
        value = value["instances"]
    sparse = [_sparse(row) for row in value] if type(value) is list else []
    if sparse and None not in sparse:
        return _dense(sparse, body_map)
    return json.features_in(value, body_map)


def response(message: Message, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions for `rows` rows. Raises FormatError."""
    if message.media_type not in _TEXT_ANSWERS:
        return json.predictions_in(message.value(), body_map, rows)
    cells = csv_text.rows(message.content, body_map)
    values = [csv_text.values(row) for row in cells]
    # XGBoost answers all rows in one line, others a line each.
    return predictions.read(values[0] if len(values) == 1 else values, body_map, rows)


def _has_no_header(request: Message) -> bool:
    if b"label_size=" in request.header(b"content-type").replace(b" ", b"").lower():
        return True
    try:
        first = csv_text.rows(request.content, BodyMap(), limit=1)
    except FormatError:
        return False
    return not first or csv_text.are_numbers(first[0])


def _holds_features(instances: Any) -> bool:
    first = instances[0] if type(instances) is list and instances else None
    if type(first) is not dict:
        return False
    held = first.get("data", first)
    return type(held) is dict and type(held.get("features")) in CONTAINERS


Sparse = tuple[Sequence[Any], Sequence[int], int]
"""Values, their positions, and how many positions there are."""


def _sparse(row: Any) -> Sparse | None:
    """Return the values of a row `{"data": {"features": {"keys", "values", "shape"}}}`."""
    held = row.get("data", row) if type(row) is dict else None
    held = held.get("features") if type(held) is dict else None
    if type(held) is not dict or type(held.get("values")) is not list:
        return None
    values, keys, shape = held["values"], held.get("keys"), held.get("shape")
    if type(keys) is not list:
        return values, range(len(values)), len(values)
    width = shape[0] if type(shape) is list and shape else None
    if type(width) is not int or len(keys) != len(values):
        raise FormatError("malformed", "features: expected as many keys as values, and a shape")
    if not all(type(key) is int and 0 <= key < width for key in keys):
        raise FormatError("malformed", "features: expected keys within the shape")
    return values, keys, width


def _dense(rows: list[Sparse | None], body_map: BodyMap) -> Table:
    """Return the table with a 0 where a row has no value."""
    tables.check_rows(len(rows), body_map)
    widest = max(width for _, _, width in filter(None, rows))
    tables.check_columns(len(rows), widest, body_map)
    dense = []
    for values, keys, width in filter(None, rows):
        row: list[Any] = [0] * width
        for key, value in zip(keys, values, strict=True):
            row[key] = value
        dense.append(row)
    return tables.from_lists(dense, body_map.name_features, body_map)
