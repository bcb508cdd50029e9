"""Tables of Azure Machine Learning Studio: names of columns beside rows of values."""

from __future__ import annotations

from typing import Any

from .errors import FormatError

NAMES, VALUES, TABLE = "ColumnNames", "Values", "value"


def unfolded(value: Any) -> Any:
    """Return a table as records; any other value as it is.

    In an answer, the table is the `value` of an object that says so.

    Raises:
        FormatError: A row has other values than there are names.
    """
    if type(value) is not dict:
        return value
    table = value.get(TABLE) if value.get("type") == "table" else value
    if type(table) is not dict or not table.keys() >= {NAMES, VALUES}:
        return value
    names, rows = table[NAMES], table[VALUES]
    if not _are(list, (names, rows)) or not _are(str, names) or not _are(list, rows):
        return value
    if {*map(len, rows)} - {len(names)}:
        raise FormatError("ragged_rows", f"{VALUES}: expected {len(names)} values in each row")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _are(kind: type, values: Any) -> bool:
    return all(type(value) is kind for value in values)
