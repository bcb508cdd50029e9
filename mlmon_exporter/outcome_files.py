"""Ground truths in files, CSV, Parquet, Feather or JSON lines, read in constant memory."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson
import pyarrow as pa
from pyarrow import csv, dataset

from .file_readers import DataError

LINES = (".jsonl", ".ndjson")
TABLES = {".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "ipc"}
Record = dict[str, Any]


class OutcomeColumns(NamedTuple):
    """What the columns of a file are called."""

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
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending in LINES:
        rows = _lines(path)
    elif ending == ".csv":
        rows = _csv(path, columns)
    elif ending in TABLES:
        rows = _table(path, TABLES[ending], columns)
    else:
        known = ", ".join((".csv", *TABLES, *LINES))
        raise DataError(f"{path}: expected a file that ends in {known}")
    try:
        for row, share in rows:
            yield _record(row, columns), share
    except (pa.ArrowException, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from error


def _record(row: Mapping[str, Any], columns: OutcomeColumns) -> Record:
    record = {name: row.get(column) for name, column in columns._asdict().items()}
    if isinstance(record["prediction_id"], int):
        record["prediction_id"] = str(record["prediction_id"])
    if isinstance(record["timestamp"], datetime):
        record["timestamp"] = record["timestamp"].isoformat()
    return record


def _lines(path: Path) -> Iterator[tuple[Mapping[str, Any], float]]:
    size = max(1, path.stat().st_size)
    with path.open("rb") as raw:
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
        for number, line in enumerate(file, 1):
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


def _csv(path: Path, columns: OutcomeColumns) -> Iterator[tuple[Mapping[str, Any], float]]:
    # An id stays as it is written, and so does a class: 007 is no 7.
    kinds = dict.fromkeys((columns.prediction_id, columns.ground_truth), pa.string())
    size = max(1, path.stat().st_size)
    with path.open("rb") as raw:
        file = pa.CompressedInputStream(raw, "gzip") if path.suffix == ".gz" else raw
        reader = csv.open_csv(file, convert_options=csv.ConvertOptions(column_types=kinds))
        _check(path, reader.schema.names, columns)
        for batch in reader:
            for row in batch.to_pylist():
                yield row, min(1.0, raw.tell() / size)


def _table(
    path: Path, kind: str, columns: OutcomeColumns
) -> Iterator[tuple[Mapping[str, Any], float]]:
    data = dataset.dataset(path, format=kind)
    _check(path, data.schema.names, columns)
    total, done = max(1, data.count_rows()), 0
    for batch in data.to_batches(columns=[c for c in columns if c in data.schema.names]):
        for row in batch.to_pylist():
            done += 1
            yield row, done / total


def _check(path: Path, present: list[str], columns: OutcomeColumns) -> None:
    for name in (columns.prediction_id, columns.ground_truth):
        if name not in present:
            raise DataError(f"{path}: expected a column {name!r}, got {', '.join(present)}")
