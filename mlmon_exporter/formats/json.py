"""Free-form JSON, as authors of FastAPI and Flask model servers make it up."""

from __future__ import annotations

import re
from typing import Any

from . import features, paths, predictions
from .body_map import BodyMap
from .errors import FormatError
from .message import Message
from .prompts import holds_prompt
from .tables import Table

MAX_NAME = 64
_VERSION = re.compile(r"[\w.:/@+=~-]+")


def recognises(_request: Message) -> bool:
    """Return True: any body may be free-form JSON, so this format comes last."""
    return True


def request(message: Message, body_map: BodyMap) -> Table:
    """Return the features. Raises FormatError."""
    return features_in(message.value(), body_map)


def response(message: Message, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions for `rows` rows. Raises FormatError."""
    return predictions_in(message.value(), body_map, rows)


def version(message: Message) -> str | None:
    """Return the response's `model_version`, which is a name or a whole number."""
    return version_name(message.top.get("model_version"))


def version_name(version: Any) -> str | None:
    """Return a version, cut to `MAX_NAME`; None where it is a text that somebody wrote."""
    short = bounded(version)
    return short if short is not None and _VERSION.fullmatch(short) else None


def bounded(name: Any) -> str | None:
    """Return a name that is text or a whole number, cut to `MAX_NAME`; else None."""
    if type(name) not in (str, int):
        return None
    return str(name)[:MAX_NAME] or None


def features_in(value: Any, body_map: BodyMap) -> Table:
    """Return the features in a decoded request, from where the map says, else where they are.

    Raises:
        FormatError: There are none, or the request is a text for a language model.
    """
    if body_map.features is not None:
        value = paths.at(value, body_map.features)
    elif holds_prompt(value):
        raise FormatError("not_a_prediction", "body: expected features, got messages or a prompt")
    return features.read(value, body_map)


def predictions_in(value: Any, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions in a decoded response, from where the map says, else as they are."""
    if body_map.predictions is not None:
        value = paths.at(value, body_map.predictions)
    return predictions.read(value, body_map, rows)
