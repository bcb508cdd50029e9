"""Free-form JSON: what the authors of FastAPI and Flask model servers make up themselves."""

from __future__ import annotations

from typing import Any

from . import features, paths, predictions
from .body_map import BodyMap
from .message import Message
from .tables import Table

MAX_VERSION = 64


def recognises(_request: Message) -> bool:
    """Any body may be free-form JSON: this format comes last and says what else is wrong."""
    return True


def request(message: Message, body_map: BodyMap) -> Table:
    """Return the features. Raises FormatError."""
    return features_in(message.json(), body_map)


def response(message: Message, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions for `rows` rows. Raises FormatError."""
    return predictions_in(message.json(), body_map, rows)


def version(message: Message) -> str | None:
    """Return the response's `model_version`, which is text or a whole number."""
    found = message.top.get("model_version")
    if type(found) not in (str, int):
        return None
    return str(found)[:MAX_VERSION] or None


def features_in(value: Any, body_map: BodyMap) -> Table:
    """Return the features in a decoded request, from where the map says, else where they are."""
    if body_map.features is not None:
        value = paths.at(value, body_map.features)
    return features.read(value, body_map)


def predictions_in(value: Any, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions in a decoded response, from where the map says, else as they are."""
    if body_map.predictions is not None:
        value = paths.at(value, body_map.predictions)
    return predictions.read(value, body_map, rows)
