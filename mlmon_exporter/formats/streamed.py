"""Answers that are streamed in events or lines: each is about some rows, or a piece of one text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mlmon_exporter.core.records import Column

from .body_map import BodyMap
from .errors import FormatError
from .message import Message
from .tables import Table

Read = Callable[[Message, BodyMap, int | None], Table]
"""A format's reader of predictions."""


def read(
    response: Message, parts: Sequence[Any], reader: Read, body_map: BodyMap, rows: int | None
) -> Table:
    """Return the predictions of a stream for `rows` rows, in the order of its parts.

    A part may be the prediction of one row or of several. Of several parts for a single row, as
    language models send them, texts are joined; a number that is not the same in each is not read,
    since nothing says which of them is the prediction.

    Raises:
        FormatError: There are none, or of other rows.
    """
    if len(parts) > body_map.max_rows:
        limit = body_map.max_rows
        raise FormatError("too_many_rows", f"stream: expected {limit} parts, got {len(parts)}")
    if len(parts) == 1:
        return reader(response.of_part(parts[0]), body_map, rows)
    if rows in (None, len(parts)):
        # All at once: a value a row, which takes a tenth of the time.
        with suppress(FormatError):
            table, count = reader(response.of_part([*parts]), body_map, rows)
            if count == len(parts):
                return table, count
    tables = [*_tables(response, parts, reader, body_map)]
    if rows == 1 and all(count == 1 for _, count in tables):
        return _joined([columns for columns, _ in tables]), 1
    return tables[0] if len(tables) == 1 else _one_after_the_other(tables)


def _tables(
    response: Message, parts: Sequence[Any], reader: Read, body_map: BodyMap
) -> Sequence[Table]:
    """Return the predictions of each part that has some: the last may only say that it is."""
    tables = []
    failure: FormatError | None = None
    for part in parts:
        try:
            tables.append(reader(response.of_part(part), body_map, None))
        except FormatError as error:
            failure = error
    if not tables:
        text = str(failure or "stream: expected predictions, got none")
        raise FormatError(failure.reason if failure else "no_predictions", text)
    return tables


def _joined(parts: Sequence[Mapping[str, Column]]) -> Mapping[str, Column]:
    columns: dict[str, Column] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        values = [part[name] for part in parts if part.get(name) is not None]
        kinds = set(map(type, values))
        if kinds == {str}:
            columns[name] = "".join(values)
        elif len(kinds) == 1 and all(value == values[0] for value in values):
            columns[name] = values[0]
    if not columns:
        raise FormatError("mismatched_rows", f"stream: expected 1 prediction, got {len(parts)}")
    return columns


def _one_after_the_other(tables: Sequence[Table]) -> Table:
    names = dict.fromkeys(name for columns, _ in tables for name in columns)
    columns: dict[str, Column] = {name: [] for name in names}
    for part, count in tables:
        for name, values in columns.items():
            column = part.get(name)
            if count == 1:
                values.append(column)
            else:
                values.extend([None] * count if column is None else column)
    return columns, sum(count for _, count in tables)
