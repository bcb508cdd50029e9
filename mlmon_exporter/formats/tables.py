"""Tables: rows or columns of JSON values, of any shape, as equally long columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from mlmon_exporter.core.records import Column

from .body_map import BodyMap
from .errors import FormatError
from .flatten import CONTAINERS, flatten, is_nested, is_nested_record, row_major

Table = tuple[Mapping[str, Column], int]
"""Columns and their rows. Columns are scalars where there is one row, lists otherwise."""
Namer = Callable[[int], Sequence[str]]
"""Gives names to rows of so many values; raises FormatError where they do not fit."""
Record = dict[str, Any]


def from_rows(rows: list[Any], namer: Namer, body_map: BodyMap) -> Table:
    """Return the table of rows that are all objects, all lists, or all single values."""
    if not 0 < len(rows) <= body_map.max_rows:
        raise _wrong_rows(len(rows), body_map)
    kind = type(rows[0])
    if kind not in CONTAINERS:
        return from_values(rows, namer, body_map)
    if len(rows) > 1 and set(map(type, rows)) != {kind}:
        raise FormatError("ragged_rows", f"rows: expected only {kind.__name__}s, got a mixture")
    return from_records(rows, body_map) if kind is dict else from_lists(rows, namer, body_map)


def from_record(record: Record, body_map: BodyMap) -> Table:
    """Return the table of one object: the object itself, unless values in it are nested."""
    if is_nested_record(record):
        (record,) = flatten((record,), body_map.max_features, body_map.vectors)
    if not 0 < len(record) <= body_map.max_features:
        check_columns(1, len(record), body_map)
    return record, 1


def from_records(records: list[Record], body_map: BodyMap) -> Table:
    """Return the table of objects, of which there must be one; what one lacks is None."""
    if len(records) == 1:
        return from_record(records[0], body_map)
    if len(records) > body_map.max_rows:
        raise _wrong_rows(len(records), body_map)
    if any(map(is_nested_record, records)):
        records = flatten(records, body_map.max_features, body_map.vectors)
    columns = _aligned(records, body_map)
    if columns is None:
        names = dict.fromkeys(chain.from_iterable(records))
        check_columns(len(records), len(names), body_map)
        columns = {name: [record.get(name) for record in records] for name in names}
    return columns, len(records)


def _aligned(records: list[Record], body_map: BodyMap) -> Mapping[str, Column] | None:
    """Return the columns of objects that have the same names; None where they have not."""
    names = tuple(records[0])
    if len(names) < 2 or set(map(len, records)) != {len(names)}:
        return None
    check_columns(len(records), len(names), body_map)
    try:
        # Half the time of asking each row for each name.
        cells = zip(*map(itemgetter(*names), records), strict=True)
    except KeyError:
        return None
    return dict(zip(names, map(list, cells), strict=True))


def from_lists(rows: list[list[Any]], namer: Namer, body_map: BodyMap) -> Table:
    """Return the table of lists, of which there must be one; tensors are read row-major.

    The first value shows whether they are tensors, unless the names say that it is a vector.
    """
    if rows[0] and type(rows[0][0]) is list and not _hold_vectors(rows[0], namer, body_map):
        rows = [row_major(row) for row in rows]
    width = len(rows[0])
    if len(rows) > 1 and set(map(len, rows)) != {width}:
        raise FormatError("ragged_rows", f"rows: expected {width} values in each, got others")
    vector = body_map.only_vector(width) if namer == body_map.name_features else None
    if vector is not None:
        return {vector: rows[0] if len(rows) == 1 else rows}, len(rows)
    check_columns(len(rows), width, body_map)
    names = namer(width)
    if len(rows) == 1 or is_nested(rows[0]):
        return from_records([dict(zip(names, row, strict=True)) for row in rows], body_map)
    columns = map(list, zip(*rows, strict=True))
    return dict(zip(names, columns, strict=True)), len(rows)


def _hold_vectors(row: list[Any], namer: Namer, body_map: BodyMap) -> bool:
    try:
        return bool(body_map.vectors) and not {*namer(len(row))}.isdisjoint(body_map.vectors)
    except FormatError:
        return False


def from_values(values: list[Any], namer: Namer, body_map: BodyMap) -> Table:
    """Return the table of one value a row."""
    if not 0 < len(values) <= body_map.max_rows:
        raise _wrong_rows(len(values), body_map)
    (name,) = namer(1)
    return {name: values[0] if len(values) == 1 else values}, len(values)


def from_columns(columns: dict[str, list[Any]], body_map: BodyMap) -> Table:
    """Return the table of columns.

    Columns whose first value is nested become several.
    """
    lengths = set(map(len, columns.values()))
    if len(lengths) > 1:
        raise FormatError("ragged_rows", f"columns: expected one length, got {len(lengths)}")
    count = lengths.pop() if lengths else 0
    if not 0 < count <= body_map.max_rows:
        raise _wrong_rows(count, body_map)
    check_columns(count, len(columns), body_map)
    if is_nested(map(itemgetter(0), columns.values())):
        rows = zip(*columns.values(), strict=True)
        return from_records([dict(zip(columns, row, strict=True)) for row in rows], body_map)
    if count == 1:
        return {name: values[0] for name, values in columns.items()}, 1
    return columns, count


def _wrong_rows(rows: int, body_map: BodyMap) -> FormatError:
    if not rows:
        return FormatError("no_rows", "body: expected rows, got none")
    limit = body_map.max_rows
    return FormatError("too_many_rows", f"body: expected {limit} rows at most, got {rows}")


def check_rows(rows: int, body_map: BodyMap) -> None:
    """Raise FormatError where a table would have no rows, or more than the map allows."""
    if not 0 < rows <= body_map.max_rows:
        raise _wrong_rows(rows, body_map)


def check_columns(rows: int, columns: int, body_map: BodyMap) -> None:
    """Raise FormatError where a table would have no columns, or more than the map allows."""
    if not columns:
        raise FormatError("no_columns", "rows: expected values, got none")
    if columns > body_map.max_features:
        limit = body_map.max_features
        raise FormatError("too_many_features", f"rows: expected {limit} columns, got {columns}")
    if rows * columns > body_map.max_values:
        limit = body_map.max_values
        raise FormatError("too_many_values", f"table: expected {limit}, got {rows} x {columns}")
