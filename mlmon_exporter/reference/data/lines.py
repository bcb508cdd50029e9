"""Rows in JSON lines, plain or captured by a model server, and in tables of captured calls."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from mlmon_exporter.core.coerce import NULL_SPELLINGS
from mlmon_exporter.core.keys import row_ids
from mlmon_exporter.core.profile.names import category_name
from mlmon_exporter.core.records import Batch, Exchange
from mlmon_exporter.formats import AUTO, BodyMap, FormatError, parse

from .arrow import lists_of
from .captures import TABLE, Call, Capture, Joiner, Record, capture_of
from .readers import (
    COMPRESSIONS,
    MIB,
    DataError,
    ParquetReader,
    Part,
    TypeConflictError,
    explained,
)

MOST_LINE = 16 * MIB
MOST_JSON = 64 * MIB
"""Bytes of a file that is one JSON value."""
FIRST_ROWS = 2000
"""Rows that tell columns and their types."""
BATCH_ROWS = 8192
CAPTURED_AT, PREDICTION_ID, VERSION = "captured_at", "prediction_id", "version"
META = frozenset((CAPTURED_AT, PREDICTION_ID, VERSION))
"""Columns about a captured call; none of them is a feature."""
_ENDINGS = (".jsonl", ".ndjson", ".json")


class _Where(NamedTuple):
    """A record's place."""

    path: Path
    line: int
    share: float
    """Share of all files that is read, 0 to 1."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


Records = Callable[[], Iterable[tuple[_Where, Record]]]
Columns = dict[str, list[Any]]


class _Rows:
    """Rows of records: as they are, or of the calls that they capture."""

    def __init__(self, body_map: BodyMap) -> None:
        self._body_map = body_map
        self._capture: Capture | None = None
        self._is_begun = False
        self._joiner = Joiner()
        self.told: Counter[str] = Counter()
        """Reasons why records were left out -> their number."""

    @property
    def is_captured(self) -> bool:
        """The records are captured calls."""
        return self._capture is not None

    def columns(self, where: _Where, record: Record) -> Columns | None:
        """Return the columns of the rows in a record; None where it has none.

        Raises:
            DataError: It is of another kind than those before.
        """
        capture = capture_of(record)
        if not self._is_begun:
            self._capture, self._is_begun = capture, True
        if capture is not self._capture:
            before, now = ("rows" if c is None else c.name for c in (self._capture, capture))
            raise DataError(f"{where}: expected {before} as in the lines before, got {now}")
        if capture is None:
            return {str(name): [value] for name, value in record.items()}
        try:
            half = capture.read(record)
            if capture.is_timed_by_file:
                half = half._replace(at=where.path.stat().st_mtime)
            call = self._joiner.add(half)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise DataError(f"{where}: expected a call as {capture.name} has it: {said}") from error
        return None if call is None else self._called(call)

    def _called(self, call: Call) -> Columns | None:
        try:
            batch = _parsed(call, self._body_map)
        except FormatError as error:
            self.told[f"could not be read ({error.reason})"] += 1
            return None
        if not 200 <= call.status < 300:
            self.told["failed, so have no prediction"] += 1
            return None
        return _columns(batch, call)

    def end(self) -> None:
        """Count the halves that were left over."""
        if self._joiner.left:
            self.told["had a request or a response alone"] += self._joiner.left


def _parsed(call: Call, body_map: BodyMap) -> Batch:
    sides = [
        ({b"content-type": side.media.encode()}, [side.body]) if side is not None else ({}, [b""])
        for side in (call.request, call.response)
    ]
    exchange = Exchange(
        *(call.at, "", "/invocations", "/invocations", call.status, call.id), *sides[0], *sides[1]
    )
    return parse(exchange, body_map, AUTO).batch


def _columns(batch: Batch, call: Call) -> Columns:
    found: Columns = {}
    for names in (batch.features, batch.predictions):
        for name, values in names.items():
            own = name if name not in found else f"prediction.{name}"
            found[own] = [values] if batch.rows == 1 else list(values)
    ids = batch.prediction_ids or row_ids(call.id, batch.rows)
    meta = (CAPTURED_AT, [call.at] * batch.rows), (PREDICTION_ID, list(ids))
    return found | dict(meta) | {VERSION: [batch.version] * batch.rows}


class RecordReader:
    """Reads records in batches of rows. Columns are those of the first rows."""

    has_types = True
    meta: frozenset[str] = frozenset()
    told: Mapping[str, int] = MappingProxyType({})

    def __init__(self, path: Path, missing: Sequence[str], body_map: BodyMap) -> None:
        self._path = path
        self._missing = frozenset(("", *NULL_SPELLINGS, *missing))
        self._body_map = body_map
        self._rows = _Rows(body_map)
        self._schema: Any = None

    def records(self) -> Iterable[tuple[_Where, Record]]:
        """Give each record and its place."""
        raise NotImplementedError

    def schema(self) -> Any:
        if self._schema is None:
            found: dict[str, Any] = {}
            for columns in islice((columns for _, columns in self._columns()), FIRST_ROWS):
                for name, values in columns.items():
                    for value in values:
                        found[name] = _wider(found.get(name), value)
            self._schema = pa.schema(list(found.items()))
            self.meta = META if self._rows.is_captured else frozenset()
        return self._schema

    def bytes_per_column(self) -> int:
        return BATCH_ROWS * 64

    def parts(self, columns: Sequence[str], types: Mapping[str, Any]) -> Iterator[Part]:
        held: Columns = {name: [] for name in columns}
        count, share = 0, 0.0
        for where, row in self._columns():
            rows, share = len(next(iter(row.values()), ())), where.share
            absent = [None] * rows
            for name, values in held.items():
                values.extend(row.get(name, absent))
            count += rows
            if count >= BATCH_ROWS:
                yield self._part(held, types, share)
                held, count = {name: [] for name in columns}, 0
        if count:
            yield self._part(held, types, share)

    def _columns(self) -> Iterator[tuple[_Where, Columns]]:
        self._rows = _Rows(self._body_map)
        self.told = self._rows.told
        for where, record in self.records():
            columns = self._rows.columns(where, record)
            if columns is not None:
                yield where, columns
        self._rows.end()

    def _part(self, held: Columns, types: Mapping[str, Any], share: float) -> Part:
        arrays = {
            name: self._array(name, values, types.get(name) or self.schema().field(name).type)
            for name, values in held.items()
        }
        return Part(pa.RecordBatch.from_pydict(arrays), share)

    def _array(self, name: str, values: list[Any], type_: Any) -> Any:
        if pa.types.is_string(type_):
            return pa.array([_text(value) for value in values], pa.string())
        if pa.types.is_list(type_):
            return lists_of(values)
        if not pa.types.is_floating(type_):
            return pa.nulls(len(values), type_)
        try:
            return pa.array(values, pa.float64())
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return pa.array([self._number(name, value) for value in values], pa.float64())

    def _number(self, name: str, value: Any) -> float | None:
        if value is None or (isinstance(value, str) and value in self._missing):
            return None
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                raise TypeConflictError(self._path, name, value) from None
        return float(value) if isinstance(value, bool | int | float) else None


def _wider(type_: Any, value: Any) -> Any:
    """Return the Arrow type of a column that also has this value."""
    if value is None:
        return pa.null() if type_ is None else type_
    if isinstance(value, str):
        return pa.string()
    if isinstance(value, bool | int | float):
        return pa.float64() if type_ in (None, pa.null()) else type_
    return pa.list_(pa.null()) if type_ in (None, pa.null()) else type_


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else category_name(value)


def is_lines(path: Path) -> bool:
    """Return whether a file's name says JSON, compressed or not."""
    name = path.name.lower()
    stem = next((name.removesuffix(c) for c in COMPRESSIONS if name.endswith(c)), name)
    return stem.endswith(_ENDINGS)


class LinesReader(RecordReader):
    """JSON lines or JSON: a file, or a folder as one, since halves of a call may be apart."""

    def records(self) -> Iterator[tuple[_Where, Record]]:
        files = [self._path]
        if self._path.is_dir():
            files = sorted(f for f in self._path.rglob("*") if f.is_file() and is_lines(f))
            if self._are_timed_by_file(files[0]):
                files.sort(key=lambda file: file.stat().st_mtime)
        for i, file in enumerate(files):
            with explained(file):
                for line, record, share in self._of_file(file):
                    where = _Where(file, line, (i + share) / len(files))
                    if not isinstance(record, dict):
                        got = type(record).__name__
                        raise DataError(f"{where}: expected a JSON object, got a {got}")
                    yield where, record

    def _are_timed_by_file(self, file: Path) -> bool:
        records = LinesReader(file, (), self._body_map).records()
        capture = next((capture_of(record) for _, record in records), None)
        return capture is not None and capture.is_timed_by_file

    def _of_file(self, file: Path) -> Iterator[tuple[int, Any, float]]:
        """Give the number of each line, its value, and the share of the file that is read."""
        size = max(1, file.stat().st_size)
        if ".json" in file.suffixes and size <= MOST_JSON:
            with _opened(file) as (_, stream):
                try:
                    value = orjson.loads(stream.read())
                except orjson.JSONDecodeError:
                    value = None  # JSON lines by another name, or broken: the lines will say
            if value is not None:
                values = value if isinstance(value, list) else [value]
                yield from ((n, each, n / len(values)) for n, each in enumerate(values, 1))
                return
        with _opened(file) as (raw, stream):
            for number, line in enumerate(iter(lambda: stream.readline(MOST_LINE), b""), 1):
                value = self._value(_Where(file, number, 0.0), line)
                if value is not None:
                    yield number, value, min(1.0, raw.tell() / size)

    def _value(self, where: _Where, line: bytes) -> Any:
        if not line.strip():
            return None
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if not line.endswith(b"\n") and len(line) < MOST_LINE:
                # A file that is still written, or was cut off.
                self._rows.told[f"was cut off at the end of {where.path.name}"] += 1
                return None
            reason = re.sub(r": line 1 column.*", "", str(error))
            raise DataError(f"{where}: expected JSON: {reason}") from error


class _Opened:
    """A file and its inflated bytes."""

    def __init__(self, file: Path) -> None:
        self._raw = pa.OSFile(str(file))
        kind = COMPRESSIONS.get(file.suffix.lower())
        inflated = self._raw if kind is None else pa.CompressedInputStream(self._raw, kind)
        self._stream = io.BufferedReader(inflated, MIB)

    def __enter__(self) -> tuple[Any, io.BufferedReader]:
        return self._raw, self._stream

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._raw.close()


def _opened(file: Path) -> _Opened:
    return _Opened(file)


class CallTableReader(RecordReader):
    """A Parquet table of captured calls, with request and response as text."""

    def records(self) -> Iterator[tuple[_Where, Record]]:
        reader = ParquetReader(self._path, (), self._body_map)
        number = 0
        for batch, share in reader.parts(reader.schema().names, {}):
            for record in batch.to_pylist():
                number += 1
                yield _Where(self._path, number, share), record


def holds_calls(schema: Any) -> bool:
    """Return whether a table's columns are those of captured calls, their bodies as text."""
    if not set(schema.names) >= TABLE:
        return False
    return all(
        pa.types.is_string(t) or pa.types.is_large_string(t)
        for t in (schema.field(name).type for name in TABLE)
    )
