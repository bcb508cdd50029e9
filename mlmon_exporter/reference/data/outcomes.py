"""Ground truths in files, CSV, Parquet, Feather or JSON lines, read in constant memory."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from mlmon_exporter.core.coerce import NULL_SPELLINGS

from .arrow import kind_of, numbers_of
from .readers import DataError, csv_type, explained
from .registry import ENDINGS, is_readable, opened

LINES = (".jsonl", ".ndjson")
MOST_LINE = 8 * 2**20
"""Bytes of a line; a server takes no more at once, and no row has that many."""
Record = dict[str, Any]


class OutcomeColumns(NamedTuple):
    """Names of the columns of a file."""

    prediction_id: str = "prediction_id"
    ground_truth: str = "ground_truth"
    timestamp: str = "timestamp"
    """May be absent."""


AS_POSTED = OutcomeColumns()


def outcomes_in(path: Path, columns: OutcomeColumns = AS_POSTED) -> Iterator[tuple[Record, float]]:
    """Give each row as `/ground-truth` takes it, and the share of the file read so far, 0 to 1.

    Raises:
        DataError: The file is of no known kind, cannot be read, or lacks a column.
    """
    size = max(1, path.stat().st_size)
    if Path(path.name.removesuffix(".gz")).suffix.lower() in LINES:
        rows = _lines(path, size)
    elif is_readable(path):
        rows = _table(path, columns)
    else:
        raise DataError(f"{path}: expected a file that ends in {ENDINGS}, {', '.join(LINES)}")
    with explained(path):
        for row, share in rows:
            yield _record(row, columns), share


def _record(row: Mapping[str, Any], columns: OutcomeColumns) -> Record:
    record = {name: row.get(column) for name, column in columns._asdict().items()}
    if isinstance(record["prediction_id"], int | UUID):
        record["prediction_id"] = str(record["prediction_id"])
    return {name: _writable(value) for name, value in record.items()}


def _writable(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, list | dict):  # no server takes what is in it, which may be too deep
        return type(value)()
    is_too_large = isinstance(value, int) and not -(2**63) <= value < 2**64
    return float(value) if is_too_large else value


def _lines(path: Path, size: int) -> Iterator[tuple[Mapping[str, Any], float]]:
    with path.open("rb") as raw:
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
        for number, line in enumerate(iter(partial(file.readline, MOST_LINE + 1), b""), 1):
            if len(line) > MOST_LINE:
                raise DataError(f"{path}: line {number}: expected {MOST_LINE} bytes at most")
            if line.strip():
                yield _object(path, number, line), raw.tell() / size


def _object(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise DataError(f"{path}: line {number}: expected a JSON object")
    return value


def _table(path: Path, columns: OutcomeColumns) -> Iterator[tuple[Mapping[str, Any], float]]:
    reader = opened(path)
    schema = reader.schema()
    present = [name for name in dict.fromkeys(columns) if name in schema.names]
    _check(path, schema, columns)
    types = {name: csv_type(schema.field(name).type, "time") for name in present}
    # An id stays as it is written, and so does a class: 007 is no 7.
    types |= dict.fromkeys((columns.prediction_id, columns.ground_truth), pa.string())
    for batch, share in reader.parts(present, types):
        values = {name: _values(batch.column(name)) for name in present}
        if columns.timestamp in values and columns.timestamp != columns.ground_truth:
            values[columns.timestamp] = [
                None if value in _NO_TIME else value for value in values[columns.timestamp]
            ]
        for row in zip(*values.values(), strict=True):
            yield dict(zip(values, row, strict=True)), share


_NO_TIME = frozenset({"", *NULL_SPELLINGS})


def _check(path: Path, schema: Any, columns: OutcomeColumns) -> None:
    for name in (columns.prediction_id, columns.ground_truth):
        if name not in schema.names:
            shown = ", ".join(schema.names[:20]) + (", ..." if len(schema.names) > 20 else "")
            raise DataError(f"{path}: expected a column {name!r}, got {shown}")
    for name in columns:
        times = schema.names.count(name)
        if times > 1:
            raise DataError(f"{path}: expected each column once, got {name!r} {times} times")
        type_ = schema.field(name).type if times else pa.null()
        if kind_of(type_) is None and not isinstance(type_, pa.UuidType):
            raise DataError(f"{path}: {name}: expected numbers or texts, got {type_}")


def _values(column: Any) -> list[Any]:
    """Return a column's values as JSON has them: times are Unix seconds, as in a reference."""
    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_decimal(type_) and type_.scale == 0:  # a whole number, such as an id
        texts = pc.cast(pc.cast(column, type_), pa.string()).to_pylist()
        return [None if text is None else int(text) for text in texts]
    is_number = pa.types.is_decimal(type_) or pa.types.is_float16(type_)
    if is_number or kind_of(type_) == "time":
        return list(pa.array(numbers_of(column), from_pandas=True).to_pylist())
    return list(column.to_pylist())
