"""Seldon Core's V1 protocol, v0.1 and v1.0: `SeldonMessage` in JSON or in a form's `json` field.

Source: Seldon Core, external and internal prediction API; seldon_core's Python wrapper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from mlmon_exporter.core.records import Column

from . import features, json, json_text, predictions, tensors
from .body_map import BodyMap
from .errors import FormatError
from .flatten import MAX_NAME, row_major
from .message import Message
from .tables import Table

_PATH = re.compile(r"(?:/seldon/(?:[^/]+/)?(?P<model>[^/]+))?/api/v(?:0\.1|1\.0)/(?P<verb>[a-z]+)$")
_PREDICTIONS = "predictions"
_FEEDBACK = re.compile(r"/(?:send-)?feedback$")
_FORM = "application/x-www-form-urlencoded"
_FIELD = b"json="
_ROWS = ("ndarray", "tensor", "tftensor")
_KINDS = ("jsonData", "strData", "binData")


class Feedback(NamedTuple):
    """Feedback of a client: the outcome of an earlier prediction."""

    puid: str | None
    """The id that Seldon gave to the request."""
    truth: Mapping[str, Column]
    """The predictions that would have been right; empty where they are not given."""
    rows: int
    reward: float | None


def recognises(request: Message) -> bool:
    """By its path, by a form with JSON in it, by the keys of a `SeldonMessage`."""
    if _PATH.search(request.path) is not None or request.once(_field):
        return True
    top = request.top
    data = top.get("data")
    return any(key in top for key in _KINDS) or (
        type(data) is dict and any(key in data for key in _ROWS)
    )


def request(message: Message, body_map: BodyMap) -> Table:
    """Return the features. Raises FormatError."""
    path = _PATH.search(message.path)
    if _FEEDBACK.search(message.path) or (path is not None and path["verb"] != _PREDICTIONS):
        raise FormatError("not_a_prediction", "path: expected predictions")
    body = _body(message)
    rows, names = _data(body, body_map)
    if rows is None or body_map.features is not None:
        return json.features_in(_payload(body), body_map)
    return features.read_rows(
        rows, replace(body_map, feature_names=names or body_map.feature_names)
    )


def response(message: Message, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions for `rows` rows. Raises FormatError."""
    return _predictions(_body(message), body_map, rows)


def model(message: Message) -> str | None:
    """Return the deployment's name in the path."""
    match = _PATH.search(message.path)
    return json.bounded(match and match["model"])


def feedback(message: Message, body_map: BodyMap) -> Feedback:
    """Return what a request to `/feedback` tells.

    Raises:
        FormatError: It is no JSON object, or its truth cannot be read.
    """
    body = _body(message)
    if type(body) is not dict:
        raise FormatError("no_predictions", "feedback: expected an object")
    truth, rows = body.get("truth"), 0
    columns: Mapping[str, Column] = {}
    if type(truth) is dict and truth.keys() - {"meta"}:
        columns, rows = _predictions(truth, body_map, None)
    reward = body.get("reward")
    return Feedback(_puid(body), columns, rows, reward if type(reward) in (int, float) else None)


def _puid(body: Mapping[str, Any]) -> str | None:
    for key in ("response", "request", "truth"):
        part = body.get(key)
        meta = part.get("meta") if type(part) is dict else None
        puid = json.bounded(meta.get("puid")) if type(meta) is dict else None
        if puid is not None:
            return puid
    return None


def _predictions(body: Any, body_map: BodyMap, rows: int | None) -> Table:
    values, names = _data(body, body_map)
    if values is None or body_map.predictions is not None:
        return json.predictions_in(_payload(body), body_map, rows)
    known = body_map.output_names
    # A wrapper without names calls them `t:0`, `t:1`, ...: the model's tell more.
    if names and not (len(known) == len(names) and not set(known) & set(names)):
        body_map = replace(body_map, output_names=names)
    return predictions.read(values, body_map, rows)


def _field(message: Message) -> bytes | None:
    """Return the `json` field of a form, None where the message is no form or has none."""
    if message.media_type != _FORM:
        return None
    try:
        fields = message.content.split(b"&")
    except FormatError:
        return None
    return next((field for field in fields if field.startswith(_FIELD)), None)


def _body(message: Message) -> Any:
    field = message.once(_field)
    if field is None:
        return message.value()
    return json_text.loads(unquote_to_bytes(field[len(_FIELD) :].replace(b"+", b" ")))


def _payload(body: Any) -> Any:
    """Return what a `SeldonMessage` without rows holds; another value as it is."""
    if type(body) is not dict:
        return body
    if "jsonData" in body:
        return body["jsonData"]
    if "strData" in body:
        return body["strData"]
    if "binData" in body or "data" in body:
        raise FormatError("unsupported_media", "message: expected an ndarray, tensor or jsonData")
    return body


def _data(body: Any, body_map: BodyMap) -> tuple[list[Any] | None, tuple[str, ...]]:
    """Return the rows of a message's `data` and its names; None where it has no rows."""
    data = body.get("data") if type(body) is dict else None
    if type(data) is not dict:
        return None, ()
    rows = data.get("ndarray")
    if type(data.get("tensor")) is dict:
        rows = _rows(data["tensor"])
    if type(rows) is not list:
        return None, ()
    return rows, _names(data.get("names"), rows, body_map)


def _rows(tensor: Mapping[str, Any]) -> list[Any]:
    shaped = tensors.from_json("", tensor.get("shape"), tensor.get("values"))
    values, width = list(shaped.values), shaped.width
    return [values[i * width : (i + 1) * width] for i in range(shaped.rows)]


def _names(names: Any, rows: list[Any], body_map: BodyMap) -> tuple[str, ...]:
    """Return the names of a row's values, by position where there are too few of them."""
    if type(names) is not list or not names:
        return ()
    row = rows[0] if rows and type(rows[0]) is list else rows
    width = min(len(row_major(row)), body_map.max_features)
    texts = [str(name)[:MAX_NAME] for name in names]
    return (*texts, *map(str, range(len(texts), width)))
