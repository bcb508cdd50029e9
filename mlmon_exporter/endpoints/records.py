"""Records of `/ground-truth` and `/kpi`: their rules, held once for reading and for OpenAPI."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from mlmon_exporter.core.counts.feedback import KpiEvent
from mlmon_exporter.core.outcomes.pending import GroundTruth

MOST_RECORDS = 10_000
MOST_ERRORS = 5
"""So many faults are described one by one."""

Answer = Mapping[str, Any]


class RefusedError(Exception):
    """A request that is not taken at all: a status, and what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _unix_seconds(value: Any) -> Any:
    """Read ISO 8601; a text without a zone is UTC."""
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=128)]
Id = Annotated[str, Field(pattern="^[!-~]{1,128}$")]
Moment = Annotated[
    Finite | None,
    BeforeValidator(_unix_seconds),
    WithJsonSchema({"type": ["number", "string", "null"]}),
]
ID = "1 to 128 visible ASCII characters"


class GroundTruthRecord(BaseModel):
    """The outcome of one prediction."""

    model_config = ConfigDict(strict=True)

    prediction_id: Id = Field(description=ID)
    ground_truth: bool | int | Finite | Text = Field(
        description="a finite number, a boolean, or a text of 1 to 128 characters"
    )
    timestamp: Moment = Field(None, description="Unix seconds or ISO 8601")


class KpiRecord(BaseModel):
    """One event of a business number."""

    model_config = ConfigDict(strict=True)

    kpi: Text = Field(description="a name of 1 to 128 characters")
    value: Finite = Field(1.0, description="a finite number")
    prediction_id: Id | None = Field(None, description=ID)
    model: str | None = Field(None, description="the name of a configured model")


# Half a microsecond less per record than `model_validate`.
_valid_ground_truth = TypeAdapter(GroundTruthRecord).validator.validate_python
_valid_kpi = TypeAdapter(KpiRecord).validator.validate_python


class Read(NamedTuple):
    """Records of a body: the usable ones, and the faults of the others."""

    places: list[int]
    """Position of each usable one in the body, from 0."""
    usable: list[Any]
    errors: list[tuple[int, str]]

    def answer(self, counts: Mapping[Any, int]) -> Answer:
        """Return the answer to the client: the counts, and the first few faults."""
        errors = [{"index": i, "reason": why} for i, why in sorted(self.errors)[:MOST_ERRORS]]
        return {**counts, "invalid": len(self.errors), "errors": errors}


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
    """Read records of ground truths as `GroundTruth`s."""
    return _read(records, _ground_truth)


def kpi_events_in(records: Sequence[Any], models: Collection[str]) -> Read:
    """Read records of KPIs as `KpiEvent`s of these models."""
    return _read(records, partial(_kpi_event, models=models))


def _read(records: Sequence[Any], one: Callable[[Any], Any]) -> Read:
    read = Read([], [], [])
    for i, record in enumerate(records):
        try:
            read.usable.append(one(record))
            read.places.append(i)
        except ValidationError as error:
            read.errors.append((i, _fault(record, error)))
        except ValueError as error:
            read.errors.append((i, str(error)))
    return read


def _ground_truth(record: Any) -> GroundTruth:
    read = _valid_ground_truth(record)
    return GroundTruth(read.prediction_id, read.ground_truth, read.timestamp)


def _kpi_event(record: Any, models: Collection[str]) -> KpiEvent:
    read = _valid_kpi(record)
    if read.model is not None and read.model not in models:
        raise ValueError(f"model: expected {' or '.join(models)}, or none")
    return KpiEvent(read.kpi, read.value, read.prediction_id, read.model)


_KINDS = {
    type(None): "nothing",
    bool: "a boolean",
    int: "another number",
    float: "another number",
    str: "another text",
    list: "a list",
    dict: "an object",
}


def _fault(record: Any, error: ValidationError) -> str:
    """Return the first fault of a record, without the value: it may be personal."""
    if isinstance(record, Unreadable):
        return record.reason
    location = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    if not location:
        return f"expected an object, got {_kind(record)}"
    fields = KpiRecord if error.title == KpiRecord.__name__ else GroundTruthRecord
    key = str(location[0])
    expected = fields.model_fields[key].description
    return f"{key}: expected {expected}, got {_kind(record.get(key))}"


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "something else")
