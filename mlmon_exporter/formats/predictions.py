"""The predictions in a decoded response, in any place and shape that authors put them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import Any

from . import tables
from .azure import unfolded
from .body_map import BodyMap, name_parts
from .errors import FormatError, Reason
from .flatten import CONTAINERS
from .tables import Namer, Record, Table

UNNAMED = ""
OUTPUTS: Mapping[str, str] = {
    "predictions": UNNAMED,
    "prediction": UNNAMED,
    "outputs": UNNAMED,
    "output": UNNAMED,
    "results": UNNAMED,
    "result": UNNAMED,
    "Results": UNNAMED,  # Azure's
    "generated_text": "generated_text",  # Hugging Face's
    "text_output": "text_output",  # Triton's
    "score": "score",
    "scores": "score",
    "probability": "probability",
    "probabilities": "probability",
    "confidence": "confidence",
    "label": "label",
    "labels": "label",
    "class": "class",
    "predicted_class": "predicted_class",
    "predicted_label": "predicted_label",
}
"""Keys that hold predictions and the output's name; `UNNAMED` ones the map names.

Of two keys with one name, such as `prediction` and `result`, the first in the body is read.
"""

ENVELOPE = "data"
METADATA = frozenset(
    "id request_id prediction_id trace_id model model_id model_name model_version version"
    " timestamp status metadata message detail error".split()
)
"""Keys that are no prediction, in responses without a known key."""

MAX_OBJECTS = 3
"""Objects within objects, as in `{"data": {"result": {"score": 0.3}}}`."""


def read(value: Any, body_map: BodyMap, rows: int | None, objects: int = MAX_OBJECTS) -> Table:
    """Return the table of the predictions.

    Args:
        value: A scalar, a list, a list of lists, an object, or a list of objects.
        body_map: Its output names, where the response has such keys, are the only ones read.
        rows: Rows of the request, which tell whether a list is one row or one row a value;
            None where the request could not be read.
        objects: How many more objects may be opened.

    Raises:
        FormatError: There are none.
    """
    if type(value) is not dict:
        return _read_output(value, body_map.name_outputs, body_map, rows)
    names = _choose(value, body_map)
    if len(names) == 1:
        ((key, name),) = names.items()
        return _read_key(value[key], name, body_map, rows, objects)
    return _read_keys(value, names, body_map, rows, objects)


def _read_keys(
    value: Record, names: Mapping[str, str], body_map: BodyMap, rows: int | None, objects: int
) -> Table:
    columns: dict[str, Any] = {}
    failure: tuple[Reason, str] = ("no_predictions", "response: expected predictions, got none")
    for key, name in names.items():
        try:
            found, count = _read_key(value[key], name, body_map, rows, objects)
        except FormatError as error:
            failure = (error.reason, str(error))
            continue
        rows = count if rows is None else rows
        # A mean beside n predictions is not a prediction: what has other rows is left out.
        if count == rows:
            for output, column in found.items():
                columns.setdefault(output, column)
    if rows is None or not columns:
        raise FormatError(*failure)
    tables.check_columns(rows, len(columns), body_map)
    return columns, rows


def _read_key(value: Any, name: str, body_map: BodyMap, rows: int | None, objects: int) -> Table:
    value = unfolded(value)
    if name != UNNAMED:
        return _read_output(value, partial(name_parts, name), body_map, rows)
    if objects and type(value) is dict:
        return read(value, body_map, rows, objects - 1)
    return _read_output(value, body_map.name_outputs, body_map, rows)


def _read_output(value: Any, namer: Namer, body_map: BodyMap, rows: int | None) -> Table:
    if type(value) is list:
        if len(value) != 1 or type(value[0]) in CONTAINERS:
            return _read_list(value, namer, body_map, rows)
        value = value[0]
    (name,) = namer(1)
    return (
        tables.from_record({name: value}, body_map) if type(value) is dict else ({name: value}, 1)
    )


def _read_list(value: list[Any], namer: Namer, body_map: BodyMap, rows: int | None) -> Table:
    first = value[0] if value else None
    if type(first) is dict:
        return tables.from_records(_chosen(value, body_map), body_map)
    if rows == 1 and value and type(first) is not list:
        return tables.from_lists([value], namer, body_map)
    return tables.from_rows(value, namer, body_map)


def _chosen(records: list[Any], body_map: BodyMap) -> list[Record]:
    """Return the rows with only their predictions, under the outputs' names."""
    if set(map(type, records)) != {dict}:
        raise FormatError("ragged_rows", "predictions: expected objects only, got a mixture")
    names = _choose(dict.fromkeys(chain.from_iterable(records)), body_map)
    tables.check_columns(len(records), len(names), body_map)
    unnamed = body_map.name_outputs(1)[0]
    keys: dict[str, str] = {}
    for key, name in names.items():
        keys.setdefault(name or unnamed, key)
    return [{name: record.get(key) for name, key in keys.items()} for record in records]


def _choose(keys: Mapping[str, Any], body_map: BodyMap) -> Mapping[str, str]:
    """Return the keys that hold predictions, with the outputs' names."""
    names = body_map.output_names
    if not keys.keys().isdisjoint(names):
        return {name: name for name in names if name in keys}
    if known := {key: OUTPUTS[key] for key in keys if key in OUTPUTS}:
        return known
    if ENVELOPE in keys:
        return {ENVELOPE: UNNAMED}
    return {key: key for key in keys if key not in METADATA}
