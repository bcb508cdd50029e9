"""Where what came back is posted to: `/ground-truth` and `/kpi`."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.formats import FormatError
from mlmon_exporter.formats.codings import decode
from mlmon_exporter.runtime.threads import LimitedThreads
from mlmon_exporter.sources.asgi.ids import valid_id
from mlmon_exporter.state.store import StoreError

from .auth import BEARER, is_authorized

MOST_RECORDS = 10_000
MOST_BYTES = 8 * 2**20
MOST_ERRORS = 5
"""So many faults are told one by one."""
MOST_NAME = 128
_THREADS = LimitedThreads("feedback", 4)
RETRY_SECONDS = "5"

Answer = Mapping[str, Any]


class RefusedError(Exception):
    """A request that is not taken at all: a status, and what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Read(NamedTuple):
    """Records of a body: those that can be used, and what is wrong with the others."""

    places: list[int]
    """Where each usable one stood, from 0."""
    usable: list[Any]
    errors: list[tuple[int, str]]

    def answer(self, counts: Mapping[Any, int]) -> Answer:
        """Return what a client is told: the counts, and the first few faults."""
        errors = [{"index": i, "reason": why} for i, why in sorted(self.errors)[:MOST_ERRORS]]
        return {**counts, "invalid": len(self.errors), "errors": errors}


class FeedbackApp:
    """ASGI app that takes records by POST: one object, a list of them, or one a line."""

    def __init__(self, handle: Callable[[Sequence[Any]], Answer], token: str) -> None:
        """Wrap what handles records.

        Args:
            handle: Called in a thread with decoded records, MOST_RECORDS at most. Where it raises
                StoreError nothing was kept.
            token: The bearer token that writers must have.
        """
        self._handle = handle
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse({"error": "use POST"}, 405, {"Allow": "POST"})
        if not is_authorized(request, self._token):
            headers = {"WWW-Authenticate": BEARER}
            return JSONResponse({"error": "a bearer token is needed"}, 401, headers)
        try:
            body = await _body(request)
            return JSONResponse(await _THREADS.run(self._answer, request, body))
        except RefusedError as refusal:
            return JSONResponse({"error": str(refusal)}, refusal.status)
        except StoreError:
            # What is wrong with the store is in the log; it is nothing that a client should know.
            headers = {"Retry-After": RETRY_SECONDS}
            return JSONResponse({"error": "cannot be kept now; send it again"}, 503, headers)

    def _answer(self, request: Request, body: bytes) -> Answer:
        try:
            content = decode(body, request.headers.get("content-encoding", ""), MOST_BYTES)
        except FormatError as error:
            raise RefusedError(413 if "large" in error.reason else 400, str(error)) from None
        return self._handle(records_in(content))


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise RefusedError(413, f"body: expected {MOST_BYTES} bytes at most; send it in parts")
        chunks.append(chunk)
    return b"".join(chunks)


class Unreadable(NamedTuple):
    """A line that is no JSON."""

    reason: str


def records_in(content: bytes) -> list[Any]:
    """Return the records of a body: an object, a list, or one JSON value a line.

    Raises:
        RefusedError: It is none of these, or holds over MOST_RECORDS.
    """
    try:
        value = orjson.loads(content)
        records = value if isinstance(value, list) else [value]
    except orjson.JSONDecodeError:
        records = [_line(line) for line in content.splitlines() if line.strip()]
        if all(isinstance(record, Unreadable) for record in records):
            raise RefusedError(
                400, "body: expected a JSON object, a list of them, or one a line"
            ) from None
    if len(records) > MOST_RECORDS:
        raise RefusedError(
            413, f"body: expected {MOST_RECORDS} records at most, got {len(records)}"
        )
    return records


def _line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return Unreadable("expected JSON")


def ground_truths_in(records: Sequence[Any]) -> Read:
    """Read `{"prediction_id": ..., "ground_truth": ..., "timestamp": ...}`."""
    return _read(records, _ground_truth)


class KpiEvent(NamedTuple):
    """One event of a business number."""

    kpi: str
    value: float
    prediction_id: str | None
    model: str | None


def kpi_events_in(records: Sequence[Any], models: Collection[str]) -> Read:
    """Read `{"kpi": ..., "value": ..., "prediction_id": ..., "model": ...}`."""
    return _read(records, partial(_kpi_event, models=models))


def _read(records: Sequence[Any], one: Callable[[Mapping[str, Any]], Any]) -> Read:
    read = Read([], [], [])
    for i, record in enumerate(records):
        try:
            read.usable.append(one(_object(record)))
            read.places.append(i)
        except ValueError as error:
            read.errors.append((i, str(error)))
    return read


def _object(record: Any) -> Mapping[str, Any]:
    if isinstance(record, Unreadable):
        raise ValueError(record.reason)
    if not isinstance(record, dict):
        raise ValueError(f"expected an object, got {_kind(record)}")
    return record


def _ground_truth(record: Mapping[str, Any]) -> GroundTruth:
    value = record.get("ground_truth")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("ground_truth: expected a finite number")
    if not isinstance(value, bool | int | float | str) or value == "":
        raise ValueError(
            f"ground_truth: expected a number, a text or a boolean, got {_kind(value)}"
        )
    if isinstance(value, str) and len(value) > MOST_NAME:
        raise ValueError(f"ground_truth: expected {MOST_NAME} characters at most")
    return GroundTruth(_prediction_id(record), value, _timestamp(record.get("timestamp")))


def _prediction_id(record: Mapping[str, Any]) -> str:
    given = record.get("prediction_id")
    found = valid_id(given.encode()) if isinstance(given, str) and given.isascii() else None
    if found is None:
        raise ValueError("prediction_id: expected 1 to 128 visible ASCII characters")
    return found


def _timestamp(value: Any) -> float | None:
    """Return Unix seconds of a number or of an ISO 8601 text; text without a zone is UTC."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except (ValueError, TypeError, OverflowError):
        pass
    raise ValueError("timestamp: expected Unix seconds or ISO 8601")


def _kpi_event(record: Mapping[str, Any], models: Collection[str]) -> KpiEvent:
    name, value, model = record.get("kpi"), record.get("value", 1.0), record.get("model")
    if not isinstance(name, str) or not 0 < len(name) <= MOST_NAME:
        raise ValueError(f"kpi: expected a name of 1 to {MOST_NAME} characters")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("value: expected a finite number")
    if model is not None and not (isinstance(model, str) and model in models):
        raise ValueError(f"model: expected {' or '.join(models)}, or none")
    has_id = record.get("prediction_id") is not None
    return KpiEvent(name, float(value), _prediction_id(record) if has_id else None, model)


def _kind(value: Any) -> str:
    """Return what a value is, without the value: it may be personal."""
    return "nothing" if value is None else type(value).__name__
