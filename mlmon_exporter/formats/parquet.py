"""Parquet files as request bodies, where pyarrow is installed."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from .body_map import BodyMap
from .errors import FormatError
from .flatten import MAX_NAME
from .tables import Table, check_columns, check_rows

MEDIA_TYPE = "application/vnd.apache.parquet"
_INDEX = re.compile(r"__index_level_\d+__\Z")
"""Name that pandas gives an index without one in Arrow's formats."""


def is_index(name: str) -> bool:
    """Return whether a column is pandas' index, which numbers the rows; CSV has no name for it."""
    return not name or bool(_INDEX.match(name))


def table(content: bytes, body_map: BodyMap) -> Table:
    """Return the table of a file's flat columns, without pandas' index.

    Raises:
        FormatError: `unsupported_media` without pyarrow, `malformed`, `compressed_too_large` by
            what the file says of itself, or more rows or columns than the map allows.
    """
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise FormatError("unsupported_media", "body: expected pyarrow to read Parquet") from None
    try:
        return _read(arrow, parquet, content, body_map)
    except (arrow.ArrowException, OSError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError("malformed", "body: expected Parquet") from error


def _read(arrow: Any, parquet: Any, content: bytes, body_map: BodyMap) -> Table:
    source = arrow.BufferReader(content)
    file = parquet.ParquetFile(source)
    fields = [
        field
        for field in file.schema_arrow
        if not arrow.types.is_nested(field.type) and not is_index(field.name)
    ]
    rows = file.metadata.num_rows
    check_rows(rows, body_map)
    check_columns(rows, len(fields), body_map)
    _check_size(file.metadata, body_map)
    # A long text that many rows share would be a copy in each.
    texts = [field.name for field in fields if _is_text(arrow, field.type)]
    file = parquet.ParquetFile(source, read_dictionary=texts)
    read = file.read(columns=[field.name for field in fields], use_threads=False)
    names = [name[:MAX_NAME] for name in read.column_names]
    columns = [_values(arrow, column) for column in read.columns]
    if any(len(values) != rows for values in columns):
        raise FormatError("ragged_rows", f"columns: expected {rows} values in each, got others")
    if rows == 1:
        columns = [values[0] for values in columns]
    return dict(zip(names, columns, strict=True)), rows


def _check_size(metadata: Any, body_map: BodyMap) -> None:
    groups = range(min(metadata.num_row_groups, metadata.num_rows))
    size = sum(metadata.row_group(i).total_byte_size for i in groups)
    if size > body_map.max_inflated_bytes:
        limit = body_map.max_inflated_bytes
        raise FormatError("compressed_too_large", f"body: expected {limit} bytes at most")


def _is_text(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind))


def _values(arrow: Any, column: Any) -> list[Any]:
    """Return the values of a column; what is no number, text or boolean is its text."""
    found: list[Any] = []
    for chunk in column.chunks:
        if arrow.types.is_dictionary(chunk.type):
            texts = [_plain(value) for value in chunk.dictionary.to_pylist()]
            found += [None if i is None else texts[i] for i in chunk.indices.to_pylist()]
        else:
            found += map(_plain, chunk.to_pylist())
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
