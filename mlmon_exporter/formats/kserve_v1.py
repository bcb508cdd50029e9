"""TF Serving's REST API and KServe's V1 protocol, which adds any other JSON to it.

Source: TensorFlow Serving, RESTful API; KServe, V1 protocol and CloudEvents.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from . import features, json, tables
from .body_map import BodyMap
from .errors import FormatError
from .flatten import flatten, is_binary
from .message import Message
from .tables import Record, Table

_PATH = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>[\w.-]+)|/labels/[^/:]+)?:[a-z]+$",
    re.ASCII,
)
_EXPLAIN = ":explain"
_EVENT = "application/cloudevents"


def recognises(request: Message) -> bool:
    """Tell by its path for certain, by marks of a CloudEvent, by TensorFlow's `signature_name`."""
    return (
        _PATH.search(request.path) is not None
        or "signature_name" in request.top
        or request.header(b"ce-specversion") != b""
        or request.media_type.startswith(_EVENT)
    )


def request(message: Message, body_map: BodyMap) -> Table:
    """Return the features. Raises FormatError."""
    return features_in(_payload(message), body_map)


def features_in(body: Any, body_map: BodyMap) -> Table:
    """Return the features in a decoded request, whose values in `instances` are rows."""
    if type(body) is dict and body_map.features is None:
        for key, read in _REQUESTS.items():
            if key in body:
                return read(body, body_map)
    return json.features_in(body, body_map)


def response(message: Message, body_map: BodyMap, rows: int | None) -> Table:
    """Return the predictions for `rows` rows. Raises FormatError."""
    body = _payload(message)
    if type(body) is dict and body_map.predictions is None:
        # The specification says `result`, its own example shows `results`.
        results = body.get("result", body.get("results"))
        if type(results) is list and results and all(map(_are_classes, results)):
            return _best_classes(results, body_map)
    return json.predictions_in(body, body_map, rows)


def version(message: Message) -> str | None:
    """Return the version in the path, else the response's `model_version`."""
    match = _PATH.search(message.path)
    return json.bounded(match and match["version"]) or json.version(message)


def model(message: Message) -> str | None:
    """Return the model's name in the path."""
    match = _PATH.search(message.path)
    return json.bounded(match and match["model"])


def _payload(message: Message) -> Any:
    """Return the body, or the `data` of the CloudEvent that it is."""
    if message.path.endswith(_EXPLAIN):
        raise FormatError("not_a_prediction", "path: expected predict, classify or regress")
    body = message.value()
    if type(body) is not dict or "specversion" not in body:
        return body
    if "data" not in body:
        raise FormatError("unsupported_media", "CloudEvent: expected JSON in data, got none")
    return body["data"]


def _instances(body: Record, body_map: BodyMap) -> Table:
    instances = body["instances"]
    if type(instances) is not list:
        return features.read(instances, body_map)
    if instances and is_binary(instances[0]):
        return tables.from_values(instances, body_map.name_features, body_map)
    return features.read_rows(instances, body_map, values_are_rows=True)


def _inputs(body: Record, body_map: BodyMap) -> Table:
    inputs = body["inputs"]
    if type(inputs) is dict and set(map(type, inputs.values())) == {list}:
        return tables.from_columns(inputs, body_map)
    if type(inputs) is list:
        return features.read_rows(inputs, body_map, values_are_rows=True)
    return features.read(inputs, body_map)


def _examples(body: Record, body_map: BodyMap) -> Table:
    context, examples = body.get("context"), body["examples"]
    if type(examples) is not list or not set(map(type, examples)) <= {dict}:
        raise FormatError("ragged_rows", "examples: expected a list of objects")
    if type(context) is dict and context:
        (context,) = flatten((context,), body_map.max_features)
        # All examples share it: a body with many of both would make a table of any size.
        tables.check_columns(len(examples), len(context), body_map)
        examples = [{**context, **example} for example in examples]
    return tables.from_rows(examples, body_map.name_features, body_map)


_REQUESTS: Mapping[str, Callable[[Record, BodyMap], Table]] = {
    "instances": _instances,
    "inputs": _inputs,
    "examples": _examples,
}


def _are_classes(result: Any) -> bool:
    """Return whether `:classify` answers a row so: `[["cat", 0.9], ["dog", 0.1]]`."""
    return type(result) is list and len(result) > 0 and all(map(_is_class, result))


def _is_class(pair: Any) -> bool:
    if type(pair) is not list or len(pair) != 2:
        return False
    return type(pair[0]) is str and type(pair[1]) in (int, float)


def _certainty(pair: list[Any]) -> float:
    """Return the class's score; NaN, which compares with nothing, is below all."""
    score = float(pair[1])
    return score if score == score else -math.inf


def _best_classes(results: list[list[list[Any]]], body_map: BodyMap) -> Table:
    best = [max(classes, key=_certainty) for classes in results]
    names = body_map.output_names[:2]
    label, score = (*names, *("label", "score")[len(names) :])
    return tables.from_columns(
        {label: [pair[0] for pair in best], score: [pair[1] for pair in best]}, body_map
    )
