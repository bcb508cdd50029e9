"""MLflow's scoring server: data frames and tensors in JSON, CSV with a header, Parquet.

Source: MLflow, "Local inference server specification"; its scoring_server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import csv_text, json, kserve_v1, parquet, tables
from .body_map import BodyMap
from .errors import FormatError
from .flatten import MAX_NAME
from .message import Message
from .tables import Namer, Table

_PATH = "/invocations"
_CSV = "text/csv"
_FRAMES = ("dataframe_split", "dataframe_records")
_TENSORS = ("instances", "inputs")


def recognises(request: Message) -> bool:
    """Tell by Parquet, CSV with a header, the keys of data frames, or tensors at its path."""
    media, top = request.media_type, request.top
    if media in (_CSV, parquet.MEDIA_TYPE) or any(key in top for key in _FRAMES):
        return True
    return request.path.endswith(_PATH) and any(key in top for key in _TENSORS)


def request(message: Message, body_map: BodyMap) -> Table:
    """Return the features. Raises FormatError."""
    media = message.media_type
    if media == _CSV:
        return _csv(message.content, body_map)
    if media == parquet.MEDIA_TYPE:
        return parquet.table(message.content, body_map)
    body = message.value()
    if type(body) is dict and body_map.features is None:
        for key, read in _REQUESTS.items():
            if key in body:
                return read(body[key], body_map)
    return kserve_v1.features_in(body, body_map)


def response(message: Message, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions for `rows` rows. Raises FormatError."""
    return json.predictions_in(message.value(), body_map, rows)


def _csv(content: bytes, body_map: BodyMap) -> Table:
    header, *rows = csv_text.rows(content, body_map) or [[]]
    names = [_name(name or i) for i, name in enumerate(header)]
    return csv_text.table(rows, _exactly(names), body_map)


def _split(frame: Any, body_map: BodyMap) -> Table:
    rows = frame.get("data") if type(frame) is dict else None
    if type(rows) is not list:
        raise FormatError("no_rows", "dataframe_split: expected rows in data")
    columns = frame.get("columns")
    if type(columns) is not list:
        return tables.from_rows(rows, body_map.name_features, body_map)
    return tables.from_rows(rows, _exactly([_name(column) for column in columns]), body_map)


def _records(rows: Any, body_map: BodyMap) -> Table:
    if type(rows) is not list:
        raise FormatError("no_rows", "dataframe_records: expected a list")
    return tables.from_rows(rows, body_map.name_features, body_map)


def _exactly(names: list[str]) -> Namer:
    def namer(width: int) -> list[str]:
        if width != len(names):
            raise FormatError("ragged_rows", f"row: expected {len(names)} values, got {width}")
        return names

    return namer


def _name(column: Any) -> str:
    """Return a column's name; the levels of a MultiIndex are joined as those of nested objects."""
    return (".".join(map(str, column)) if type(column) is list else str(column))[:MAX_NAME]


_REQUESTS: Mapping[str, Callable[[Any, BodyMap], Table]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
}
