"""Data files of each format, read in batches: memory does not grow with the file.

Batches come straight from the format's own reader. Arrow's dataset scanner reads a Parquet row
group whole, and some writers make one of the whole file.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from mlmon_exporter.core.coerce import NULL_SPELLINGS
from mlmon_exporter.formats import BodyMap

MIB = 2**20
CSV_BLOCK = 4 * MIB
"""Bytes of a CSV file that are parsed at once, small enough for the processor's cache. The first
so many tell the columns' types."""
MOST_COLUMNS = 100_000
"""Columns of a CSV file. Arrow takes 8 KiB for each, however short its name."""
_MOST_HEADER = 4 * MIB
_MOST_ROWS = 2**31 - 1
"""Rows of a record batch, as Arrow's format advises. Nulls take no bytes, so may say any number."""
_DELIMITERS = ",;\t|"
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


class DataError(ValueError):
    """Data that cannot be read: one line with the file, what is wrong and what to do."""

    def __init__(self, message: str) -> None:
        # Names and values from a file may hold line breaks, and what a terminal would obey.
        super().__init__("".join(c if c.isprintable() else _escaped(c) for c in message))


class TypeConflictError(DataError):
    """A CSV column that was taken for numbers holds something else further down."""

    def __init__(self, file: Path, column: str, value: str) -> None:
        super().__init__(f"{file}: {column}: expected a number, got {value!r:.80}")
        self.file = file
        self.column = column
        self.value = value


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


@contextmanager
def explained(where: Path | str) -> Iterator[None]:
    """Turn what Arrow, decoders and the system raise into a DataError of one line."""
    try:
        yield
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: expected UTF-8; save the file so") from error
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{where}: cannot be read: {' '.join(reason.split()):.300}") from error


class Part(NamedTuple):
    """Some rows of a file."""

    batch: Any
    """A pyarrow.RecordBatch with the columns that were asked for, or some of them."""
    share: float
    """Share of the file that is read, 0 to 1."""


class Reader(Protocol):
    """A file of some format."""

    has_types: bool
    """Texts are never read as the numbers that they spell."""

    meta: frozenset[str]
    """Columns that are about captured calls: no features."""
    told: Mapping[str, int]
    """Reasons why the last reading left records out -> their number."""

    def __init__(self, path: Path, missing: Sequence[str], body_map: BodyMap) -> None: ...

    def schema(self) -> Any:
        """Return the file's pyarrow.Schema; a CSV file's is guessed from its beginning."""

    def bytes_per_column(self) -> int:
        """Return about how much memory reading one column takes."""

    def parts(self, columns: Sequence[str], types: Mapping[str, Any]) -> Iterator[Part]:
        """Read some columns; `types` has the Arrow types of a CSV file's."""


class TableReader:
    """A file of which all rows are read, unchanged."""

    meta: frozenset[str] = frozenset()
    told: Mapping[str, int] = MappingProxyType({})


class CsvReader(TableReader):
    """A CSV file: a header, fields in quotes or not, UTF-8, compressed or not.

    Its delimiter is the one that is most often in the header.
    """

    has_types = False

    def __init__(self, path: Path, missing: Sequence[str], body_map: BodyMap) -> None:  # noqa: ARG002
        self._path = path
        self._nulls = ["", *sorted(NULL_SPELLINGS), *missing]

    def schema(self) -> Any:
        with self._open({}, ()) as (_, reader):
            schema = reader.schema
        for field in schema:
            if pa.types.is_binary(field.type):
                raise DataError(f"{self._path}: {field.name}: expected UTF-8; save the file so")
        # Times stay as they are written: in a request's JSON they are texts as well.
        fields = [f.with_type(pa.string()) if pa.types.is_temporal(f.type) else f for f in schema]
        return pa.schema(fields)

    def bytes_per_column(self) -> int:
        return MIB // 8

    def parts(self, columns: Sequence[str], types: Mapping[str, Any]) -> Iterator[Part]:
        size = max(1, self._path.stat().st_size)
        try:
            with self._open(types, columns) as (raw, reader):
                for batch in reader:
                    yield Part(batch, min(1.0, raw.tell() / size))
        except pa.ArrowInvalid as error:
            conflict = re.search(r"CSV column #(\d+).*?invalid value '(.*)'", str(error), re.DOTALL)
            if conflict is None:
                raise
            name = self.schema().names[int(conflict[1])]
            raise TypeConflictError(self._path, name, conflict[2]) from None

    @contextmanager
    def _open(self, types: Mapping[str, Any], columns: Sequence[str]) -> Iterator[tuple[Any, Any]]:
        """Give the raw file, which tells the progress, and its streaming reader."""
        csv = pyarrow.csv
        with (
            pa.OSFile(str(self._path)) as raw,
            csv.open_csv(
                self._inflated(raw),
                read_options=csv.ReadOptions(block_size=CSV_BLOCK),
                parse_options=csv.ParseOptions(
                    delimiter=self._delimiter(), newlines_in_values=True
                ),
                convert_options=csv.ConvertOptions(
                    column_types=dict(types), include_columns=list(columns), null_values=self._nulls
                ),
            ) as reader,
        ):
            yield raw, reader

    def _inflated(self, raw: Any) -> Any:
        compression = COMPRESSIONS.get(self._path.suffix)
        return raw if compression is None else pa.CompressedInputStream(raw, compression)

    def _delimiter(self) -> str:
        header = self._header()
        delimiter = max(_DELIMITERS, key=header.count)
        columns = header.count(delimiter) + 1
        if columns > MOST_COLUMNS:
            raise DataError(f"{self._path}: expected {MOST_COLUMNS} columns at most, got {columns}")
        return delimiter

    def _header(self) -> str:
        """Return the first line without its quoted parts."""
        with pa.OSFile(str(self._path)) as raw, self._inflated(raw) as stream:
            start = stream.read(64 * 1024)
            if b"\n" not in start and b"\r" not in start:
                start += stream.read(_MOST_HEADER)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(f"{self._path}: expected UTF-8, got UTF-16; save the file so")
        unquoted = re.sub('"[^"]*"', "", start.decode("utf-8", "replace"))
        return re.split("[\r\n]", unquoted, maxsplit=1)[0]


class ParquetReader(TableReader):
    """A Parquet file."""

    has_types = True

    def __init__(self, path: Path, missing: Sequence[str], body_map: BodyMap) -> None:  # noqa: ARG002
        self._path = path

    def schema(self) -> Any:
        return pyarrow.parquet.read_schema(self._path)

    def bytes_per_column(self) -> int:
        return 3 * MIB  # a page of values, as it is and unpacked, and one of its dictionary

    def parts(self, columns: Sequence[str], types: Mapping[str, Any]) -> Iterator[Part]:  # noqa: ARG002
        # Without a buffer's size, or with `pre_buffer`, a row group's columns are read whole.
        with pyarrow.parquet.ParquetFile(
            self._path,
            buffer_size=64 * 1024,
            pre_buffer=False,
            page_checksum_verification=True,  # of pages that have one
        ) as file:
            rows, total = 0, file.metadata.num_rows
            for batch in file.iter_batches(batch_size=self._rows(columns), columns=list(columns)):
                rows += batch.num_rows
                yield Part(_checked(batch, self._path), min(1.0, rows / max(1, total)))
        if rows != total:
            raise DataError(f"{self._path}: expected the {total} rows it says it has, got {rows}")

    @staticmethod
    def _rows(columns: Sequence[str]) -> int:
        return max(1024, min(65_536, MIB // max(1, len(columns)) * 4))


class FeatherReader(TableReader):
    """A Feather or Arrow IPC file. A record batch is the least that can be read."""

    has_types = True

    def __init__(self, path: Path, missing: Sequence[str], body_map: BodyMap) -> None:  # noqa: ARG002
        self._path = path

    def schema(self) -> Any:
        with pa.OSFile(str(self._path)) as source:
            return pa.ipc.open_file(source).schema

    def bytes_per_column(self) -> int:
        options = pa.ipc.IpcReadOptions(included_fields=[0])
        with pa.OSFile(str(self._path)) as source:
            reader = pa.ipc.open_file(source, options=options)
            rows = reader.get_batch(0).num_rows if reader.num_record_batches else 0
        return 16 * int(rows)  # packed and unpacked, or texts

    def parts(self, columns: Sequence[str], types: Mapping[str, Any]) -> Iterator[Part]:  # noqa: ARG002
        wanted = [self.schema().get_field_index(name) for name in columns]
        options = pa.ipc.IpcReadOptions(included_fields=wanted)
        # Mapped into memory, the whole file would count as used.
        with pa.OSFile(str(self._path)) as source:
            reader = pa.ipc.open_file(source, options=options)
            total = reader.num_record_batches
            for number in range(total):
                yield Part(_checked(reader.get_batch(number), self._path), (number + 1) / total)


def _checked(batch: Any, path: Path) -> Any:
    """Return a record batch in which nothing points beyond its end.

    Arrow trusts what it reads: in a damaged file, a text or a code that lies elsewhere would end
    the process later.
    """
    if batch.num_rows > _MOST_ROWS:
        raise DataError(
            f"{path}: expected {_MOST_ROWS} rows at most in a batch, got {batch.num_rows}"
        )
    batch.validate()
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        with explained(f"{path}: {name}"):
            column.validate(full=True)
            columns.append(_without_views(column))
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _without_views(column: Any) -> Any:
    """Return an array in which views of texts, as Polars writes them, are texts."""
    if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
        return pa.DictionaryArray.from_arrays(column.indices, _without_views(column.dictionary))
    if not pa.types.is_string_view(column.type):
        return column
    if column.null_count:
        # Arrow validates no view of a null, but its cast follows it.
        views = np.frombuffer(column.buffers()[1], np.uint8, 16 * len(column), 16 * column.offset)
        is_null = column.is_null().to_numpy(zero_copy_only=False)
        if views.reshape(-1, 16)[is_null].any():
            return pa.array(column.to_numpy(zero_copy_only=False), pa.large_string())
    return pc.cast(column, pa.large_string())


def csv_type(guessed: Any, kind: str) -> Any:
    """Return the Arrow type of a CSV column.

    Args:
        guessed: The type of the file's beginning.
        kind: The kind of the column.
    """
    if pa.types.is_list(guessed):
        return guessed
    if kind in ("numeric", "empty"):
        return guessed if pa.types.is_boolean(guessed) else pa.float64()
    is_number = pa.types.is_integer(guessed) or pa.types.is_floating(guessed)
    return pa.float64() if kind != "categorical" and is_number else pa.string()
