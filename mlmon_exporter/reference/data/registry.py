"""Kinds of data files by the ends of their names; a new one is a row of `READERS`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlmon_exporter.formats import BodyMap

from .lines import CallTableReader, LinesReader, holds_calls
from .readers import (
    COMPRESSIONS,
    CsvReader,
    DataError,
    FeatherReader,
    ParquetReader,
    Reader,
    explained,
)

READERS: dict[str, type[Reader]] = {
    ".csv": CsvReader,
    ".tsv": CsvReader,
    ".parquet": ParquetReader,
    ".pq": ParquetReader,
    ".feather": FeatherReader,
    ".arrow": FeatherReader,
    ".ipc": FeatherReader,
    ".jsonl": LinesReader,
    ".ndjson": LinesReader,
    ".json": LinesReader,
}
"""A file name's ending, compression aside -> its reader."""
COMPRESSED = (CsvReader, LinesReader)
"""Those whose files may be compressed as a whole."""
ENDINGS = ", ".join([*READERS, ".csv.gz"])


NAMELESS = BodyMap()


def opened(path: Path, missing: Sequence[str] = (), body_map: BodyMap = NAMELESS) -> Reader:
    """Return the reader of a file, or of a folder of JSON.

    Args:
        path: Its name tells its kind.
        missing: Texts that stand for a missing value.
        body_map: Names for bodies of captured calls that have none.

    Raises:
        DataError: Its name does not say, or it cannot be read.
    """
    kind: type[Reader] = LinesReader if path.is_dir() else reader_of(path)
    reader = kind(path, missing, body_map)
    if kind is ParquetReader:
        with explained(path):
            if holds_calls(reader.schema()):
                return CallTableReader(path, missing, body_map)
    return reader


def reader_of(path: Path) -> type[Reader]:
    """Return the kind of reader of a file.

    Raises:
        DataError: Its name does not say.
    """
    name = path.name.lower()
    for ending in COMPRESSIONS:
        kind = _reader(name.removesuffix(ending))
        if name.endswith(ending) and kind in COMPRESSED:
            return kind
    reader = _reader(name)
    if reader is None:
        raise DataError(f"{path}: expected a file that ends in {ENDINGS}")
    return reader


def is_readable(path: Path) -> bool:
    """Return whether a file's name says how it is read."""
    try:
        reader_of(path)
    except DataError:
        return False
    return True


def _reader(name: str) -> type[Reader] | None:
    return READERS.get(Path(name).suffix)
