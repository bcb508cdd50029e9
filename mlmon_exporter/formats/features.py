"""The features in a decoded request, in any place and shape that authors put them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import tables
from .azure import unfolded
from .body_map import BodyMap
from .errors import FormatError
from .flatten import CONTAINERS
from .tables import Record, Table

HOLDERS = ("instances", "inputs", "Inputs", "features", "data")
"""Keys that hold the rows, most telling first: `Inputs` is Azure's. Others beside are ignored."""
MAX_HOLDERS = 4
"""Holders within holders, as in `{"instances": [{"features": [5.1, 3.5]}]}`."""


def read(value: Any, body_map: BodyMap, holders: int = MAX_HOLDERS) -> Table:
    """Return the table of a record, a list of rows, a dict of columns, or a holder of these.

    Raises:
        FormatError: It is none of them, or larger than the map allows.
    """
    if type(value) is not dict:
        return _read_bare(value, body_map, holders)
    holder = (_holder(value) or _only_holder(value, body_map)) if holders else None
    if holder is None:
        return _read_columns(value, body_map)
    held = unfolded(value[holder])
    if type(held) is dict:
        return read(held, body_map, holders - 1)
    if holder == "data":
        body_map = _with_columns(value, body_map)
    # TensorFlow's meaning of `instances`, which others took over.
    values_are_rows = holder == "instances"
    return read_rows(held, body_map, values_are_rows=values_are_rows, holders=holders - 1)


def read_rows(
    rows: list[Any], body_map: BodyMap, *, values_are_rows: bool = False, holders: int = MAX_HOLDERS
) -> Table:
    """Return the table of rows.

    Args:
        rows: Objects, lists, or single values.
        body_map: Its feature names tell whether single values are one row or one row each.
        values_are_rows: Single values are rows where there are no names to tell by.
        holders: How many more holders may be opened.
    """
    first = rows[0] if rows else None
    if type(first) is dict:
        if holders and (holder := _holder(first)) is not None:
            held = [row.get(holder) if type(row) is dict else row for row in rows]
            return read_rows(held, body_map, holders=holders - 1)
        if len(rows) == 1:
            return tables.from_record(first, body_map)
    elif rows and type(first) is not list and _is_one_row(rows, body_map, values_are_rows):
        return tables.from_lists([rows], body_map.name_features, body_map)
    return tables.from_rows(rows, body_map.name_features, body_map)


def _read_bare(value: Any, body_map: BodyMap, holders: int) -> Table:
    if type(value) is list:
        return read_rows(value, body_map, holders=holders)
    if value is None:
        raise FormatError("no_rows", "body: expected rows, got null")
    return tables.from_values([value], body_map.name_features, body_map)


def _read_columns(value: Record, body_map: BodyMap) -> Table:
    first = next(iter(value.values()), None)
    if (
        type(first) is list
        and set(map(type, value.values())) == {list}
        and not _is_vector(first, value, body_map)
    ):
        return tables.from_columns(value, body_map)
    return tables.from_record(value, body_map)


def _is_vector(first: list[Any], value: Record, body_map: BodyMap) -> bool:
    """Return whether a list of numbers is one row's vector, and no column of single values."""
    is_known = bool(body_map.vectors) and next(iter(value)) in body_map.vectors
    return is_known and len(first) > 1 and type(first[0]) in (int, float)


def _holder(value: Record) -> str | None:
    if value.keys().isdisjoint(HOLDERS):
        return None
    for key in HOLDERS:
        if key in value and type(value[key]) in CONTAINERS:
            return key
    return None


def _only_holder(value: Record, body_map: BodyMap) -> str | None:
    """Return the only key, by any name, where it holds rows and is not itself a feature."""
    if len(value) != 1:
        return None
    ((key, held),) = value.items()
    if key in body_map.feature_names:
        return None
    if type(held) is list and held:
        holds = type(held[0]) in CONTAINERS or 1 < len(held) == len(body_map.feature_names)
    else:
        holds = type(held) is dict
    return key if holds else None


def _is_one_row(values: list[Any], body_map: BodyMap, values_are_rows: bool) -> bool:
    width = len(body_map.feature_names)
    if body_map.only_vector(len(values)) is not None:
        return True
    if width == 0:
        return not values_are_rows
    # Where there are several names and another number of values, naming will say what is wrong.
    return width > 1


def _with_columns(value: Record, body_map: BodyMap) -> BodyMap:
    """Return the map with the names that pandas' split orientation gives beside `data`."""
    names = value.get("columns")
    if type(names) is list and names and set(map(type, names)) == {str}:
        return replace(body_map, feature_names=tuple(names))
    return body_map
