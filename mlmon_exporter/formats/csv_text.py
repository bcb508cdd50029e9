"""CSV as model servers take and send it: rows of cells, and columns of their values."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from itertools import islice
from typing import Any

import orjson

from mlmon_exporter.core.coerce import Cell, number

from .body_map import BodyMap
from .errors import FormatError
from .tables import Namer, Table, check_columns, check_rows

Cells = Sequence[str]
_NUMBERS = frozenset((int, float))


def rows(content: bytes, body_map: BodyMap, limit: int | None = None) -> list[Cells]:
    """Return the rows that are not blank; `limit` ends the search.

    Raises:
        FormatError: `bad_encoding`, `malformed`, or more of it than the map allows.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError("bad_encoding", "body: expected UTF-8") from error
    return _read(text, body_map, limit)


def _read(text: str, body_map: BodyMap, limit: int | None) -> list[Cells]:
    found: list[Cells] = []
    # A header may come on top of the rows.
    most = body_map.max_rows + 1
    try:
        for row in islice(filter(None, csv.reader(StringIO(text, newline=""))), limit):
            found.append(row)
            check_columns(len(found) - 1, len(row), body_map)
            if len(found) > most:
                check_rows(len(found), body_map)
    except csv.Error as error:
        raise FormatError("malformed", "body: expected CSV") from error
    return found


def table(cells: Sequence[Cells], namer: Namer, body_map: BodyMap) -> Table:
    """Return the table of rows: numbers where cells are numbers, None where they are empty.

    Raises:
        FormatError: `no_rows`, `ragged_rows`, or what the namer raises.
    """
    check_rows(len(cells), body_map)
    width = len(cells[0])
    if any(len(row) != width for row in cells):
        raise FormatError("ragged_rows", f"rows: expected {width} cells in each, got others")
    vector = body_map.only_vector(width) if namer == body_map.name_features else None
    if vector is not None:
        found = [values(row) for row in cells]
        return {vector: found[0] if len(found) == 1 else found}, len(found)
    names = namer(width)
    if len(cells) == 1:
        return dict(zip(names, values(cells[0]), strict=True)), 1
    columns = map(values, zip(*cells, strict=True))
    return dict(zip(names, columns, strict=True)), len(cells)


def are_numbers(cells: Cells) -> bool:
    """Return whether some cell is a number, so that cells are no names of columns."""
    return any(math.isfinite(number(cell)) for cell in cells)


def value(cell: str) -> float | int | str | None:
    """Return the number that a cell spells, None where it is empty, else its text.

    Only the shortest spelling becomes a number: "1.10" may be a category that is no "1.1", and
    the column's kind tells. It stays a `Cell`, which counts as a number where one is expected.
    """
    if not cell or cell.isspace():
        return None
    try:
        found = int(cell) if cell.removeprefix("-").isdigit() else float(cell)
    except ValueError:
        return cell
    return found if repr(found) == cell and math.isfinite(found) else Cell(cell)


def values(cells: Cells) -> list[Any]:
    """Return the values of a row's or a column's cells, each as `value` reads it."""
    filled = [*filter(None, cells)] if "" in cells else cells
    with suppress(ValueError, TypeError):
        found = _numbers(filled)
        if filled is cells:
            return found
        each = iter(found)
        return [next(each) if cell else None for cell in cells]
    return [*map(value, cells)]


def _numbers(cells: Cells) -> list[Any]:
    """Return numbers as `value` reads them; raises ValueError or TypeError if it must read each.

    A number in its shortest spelling is what JSON would write of it. To have all of them written
    at once takes a tenth of the time of asking Python for each.
    """
    text = ",".join(cells)
    found: list[Any] = orjson.loads(f"[{text}]")
    spelt = orjson.dumps(found)[1:-1].decode()
    if len(found) != len(cells) or not _NUMBERS.issuperset(map(type, found)):
        raise ValueError("cells: expected a number in each")
    if "e" in text or "e" in spelt or "0.0000" in spelt:
        raise ValueError("cells: expected no exponents, which Python writes otherwise than JSON")
    if spelt == text:
        return found
    each = zip(found, spelt.split(","), cells, strict=True)
    return [number if same == cell else Cell(cell) for number, same, cell in each]
