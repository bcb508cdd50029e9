"""The formats, and how an exchange becomes a batch: recognise, then read each direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mlmon_exporter.core.keys import row_ids
from mlmon_exporter.core.records import Batch, Column, Exchange

from . import json, kserve_v1, mlflow, oip_v2, openai, sagemaker, seldon, streamed
from .body_map import BodyMap
from .errors import FormatError, Reason
from .message import Message
from .tables import Table


def _unnamed(_message: Message) -> None:
    """Return that a request names no model, or a body no id."""


def _unmeasured(_response: Message) -> Mapping[str, Column]:
    return _NOTHING


_NOTHING: Mapping[str, Column] = {}


class Format(NamedTuple):
    """One wire format. What reads a message raises FormatError and nothing else."""

    name: str
    recognises: Callable[[Message], bool]
    """Returns whether a request is of this format: by headers and path, then top-level keys."""
    request: Callable[[Message, BodyMap], Table]
    """Features of a request."""
    response: Callable[[Message, BodyMap, int | None], Table]
    """Predictions of a response to so many rows; None where the request could not be read."""
    version: Callable[[Message], str | None]
    """The model's version, as the response or its path tells it."""
    model: Callable[[Message], str | None] = _unnamed
    """The model that a request names, in its path or its body; None where it names none."""
    measured: Callable[[Message], Mapping[str, Column]] = _unmeasured
    """Features that only the response tells, of its only row: the tokens of a prompt."""
    prediction_id: Callable[[Message], str | None] = _unnamed
    """The id in the body of a request or a response; None where it has none."""


FORMATS: tuple[Format, ...] = (
    Format(
        "openai",
        openai.recognises,
        openai.request,
        openai.response,
        openai.version,
        openai.model,
        openai.measured,
    ),
    Format(
        "oip_v2",
        oip_v2.recognises,
        oip_v2.request,
        oip_v2.response,
        oip_v2.version,
        oip_v2.model,
        prediction_id=oip_v2.prediction_id,
    ),
    Format(
        "kserve_v1",
        kserve_v1.recognises,
        kserve_v1.request,
        kserve_v1.response,
        kserve_v1.version,
        kserve_v1.model,
    ),
    Format(
        "seldon", seldon.recognises, seldon.request, seldon.response, json.version, seldon.model
    ),
    Format("sagemaker", sagemaker.recognises, sagemaker.request, sagemaker.response, json.version),
    Format("mlflow", mlflow.recognises, mlflow.request, mlflow.response, json.version),
    Format("json", json.recognises, json.request, json.response, json.version),
)
"""The first that recognises a request reads it: the more particular a format, the earlier."""

AUTO = "auto"
BY_NAME = {row.name: row for row in FORMATS}


class Parsed(NamedTuple):
    """Contents of an exchange."""

    format: str
    """Name of the format, to be passed to `parse` for the route's next exchange."""
    batch: Batch
    problems: tuple[Reason, ...] = ()
    """Why one direction could not be read, from `errors.REASONS`; the batch has the other."""
    named: str | None = None
    """The model that the request names, where `parse` was to look for it."""


MapOf = Callable[[str | None], BodyMap]
"""Gives what is known of the bodies of the model that a request names, or of one that names none.

Raises FormatError where there is no such model.
"""


def parse(
    exchange: Exchange,
    body_map: BodyMap,
    format: str = AUTO,
    map_of: MapOf | None = None,
    pause: Callable[[], object] = lambda: None,
) -> Parsed:
    """Read the features of a request and, if it was answered with 2xx, the predictions.

    Args:
        exchange: The bytes.
        body_map: What is known of them.
        format: The name of a row of `FORMATS`, or `auto` to recognise it.
        map_of: Where the route serves several models, gives the map that takes the other's place.
        pause: Called after long steps.

    Returns:
        A batch with features, predictions or both. A response with other rows than its request
        counts as unreadable.

    Raises:
        FormatError: There is neither, or it is not of the format that was named but plainly of
            another; about the request.
        ValueError: There is no such format.
    """
    path, limit = exchange.path, body_map.max_inflated_bytes
    request = Message(path, exchange.request_headers, exchange.request_chunks, limit, pause)
    response = Message(path, exchange.response_headers, exchange.response_chunks, limit, pause)
    row = BY_NAME.get(format) or _chosen(format, request)
    name = None
    is_answered = 200 <= exchange.status < 300
    try:
        if map_of is not None:
            name = row.model(request)
            body_map = map_of(name)
        features, rows = row.request(request, body_map)
    except FormatError as error:
        error.format = row.name
        if not is_answered or error.reason == "unknown_model" or _fits_another(row, request):
            raise
        predicted = _without_features(row, response, body_map, error.reason)
        if predicted is None:
            raise
        return predicted._replace(named=name)
    if not is_answered:
        return Parsed(row.name, Batch(features, _NOTHING, rows), (), name)
    predictions, problems, version = _predictions(row, response, body_map, rows)
    if rows == 1 and (measured := row.measured(response)):
        features = {**features, **measured}
    if version is not None and version == row.model(request):
        version = None  # one that repeats the model's name tells nothing
    batch = Batch(features, predictions, rows, version)
    if not exchange.prediction_id:
        found = row.prediction_id(request) or row.prediction_id(response)
        batch = batch._replace(prediction_ids=row_ids(found, rows)) if found else batch
    return Parsed(row.name, batch, problems, name)


def _predictions(
    row: Format, response: Message, body_map: BodyMap, rows: int
) -> tuple[Mapping[str, Column], tuple[Reason, ...], str | None]:
    """Return the predictions for so many rows, or none and why; and the version."""
    try:
        (predictions, count), version = _answer(row, response, body_map, rows)
    except FormatError as error:
        return _NOTHING, (error.reason,), row.version(response)
    if count != rows:
        return _NOTHING, ("mismatched_rows",), version
    return predictions, (), version


def _answer(
    row: Format, response: Message, body_map: BodyMap, rows: int | None
) -> tuple[Table, str | None]:
    """Return the predictions of an answer, streamed or not, and its version."""
    try:
        return row.response(response, body_map, rows), row.version(response)
    except FormatError:
        parts = response.parts()
        if parts is None:
            raise
    version = row.version(response.of_part(parts[0])) if parts else None
    return streamed.read(response, parts, row.response, body_map, rows), version


def _without_features(
    row: Format, response: Message, body_map: BodyMap, problem: Reason
) -> Parsed | None:
    """Return the predictions of a request that cannot be read, None where there are none."""
    try:
        (predictions, rows), version = _answer(row, response, body_map, None)
    except FormatError:
        return None
    return Parsed(row.name, Batch(_NOTHING, predictions, rows, version), (problem,))


def _fits_another(row: Format, request: Message) -> bool:
    """Return whether another format, but for the one that takes all, recognises the request."""
    return _recognised(request) not in (row, FORMATS[-1])


def _chosen(format_: str, request: Message) -> Format:
    if format_ != AUTO:
        known = ", ".join(BY_NAME)
        raise ValueError(f"format: expected {AUTO} or one of {known}, got {format_!r}")
    return _recognised(request)


def _recognised(request: Message) -> Format:
    return next(row for row in FORMATS if row.recognises(request))
