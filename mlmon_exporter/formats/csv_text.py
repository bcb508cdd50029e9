"""CSV as model servers take and send it: rows of cells, and columns of the values they are."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from itertools import islice

from .body_map import BodyMap
from .errors import FormatError
from .tables import Namer, Table, check_columns, check_rows

Cells = Sequence[str]


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
    names = namer(width)
    if len(cells) == 1:
        return dict(zip(names, map(value, cells[0]), strict=True)), 1
    columns = map(_values, zip(*cells, strict=True))
    return dict(zip(names, columns, strict=True)), len(cells)


def are_numbers(cells: Cells) -> bool:
    """Whether some cell is a number: then they are no names of columns."""
    return any(type(value(cell)) is float for cell in cells)


def value(cell: str) -> float | str | None:
    """Return the number that a cell is, None where it is empty, else its text."""
    if not cell.strip():
        return None
    try:
        # `1_2` is a number in Python only.
        return cell if "_" in cell else float(cell)
    except ValueError:
        return cell


def _values(column: Cells) -> list[float | str | None]:
    if "_" not in "".join(column):
        try:
            return [*map(float, column)]
        except ValueError:
            pass
    return [*map(value, column)]
