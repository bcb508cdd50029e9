"""Frames as columns: of pandas, Polars and Arrow, and NumPy's record arrays, by duck typing.

None of these libraries is imported here: a caller with a frame has imported it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from .parquet import is_index

_UNREADABLE = ("interval", "period", "list", "struct", "array", "map", "object(", "binary", "union")
"""Beginnings of the names of types whose values are no numbers, texts or times."""
_LISTS = ("list", "large_list", "fixed_size_list", "array")
_TEXTS = ("cat", "enum", "dictionary", "str", "large_string", "string", "large_str")


def is_frame(data: Any) -> bool:
    """Return whether data is a frame: it has columns, and is no mapping or array of numbers."""
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None
    has_columns = hasattr(data, "columns") or hasattr(data, "column_names")
    return has_columns and not isinstance(data, Mapping)


def columns_of(frame: Any, where: str, vectors: Collection[str] = ()) -> dict[str, Any]:
    """Return a frame's columns by name, each a list or a NumPy array of its rows.

    Args:
        frame: As `is_frame` tells.
        where: Beginning of errors.
        vectors: Columns that may hold lists or arrays of numbers: each row is one, or None.

    Raises:
        ValueError: Columns share a name, or one holds what is no number, text or time.
    """
    names, columns = _columns(frame)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        times = names.count(twice[0])
        raise ValueError(f"{where}: expected each column once, got {twice[0]!r} {times} times")
    pairs = zip(names, columns, strict=True)
    return {
        name: _vectors(column)
        if name in vectors and _kind(column).startswith(_LISTS)
        else _values(column, f"{where}: {name}")
        for name, column in pairs
    }


def _columns(frame: Any) -> tuple[list[str], list[Any]]:
    if isinstance(frame, np.ndarray):
        fields = list(frame.dtype.names or ())
        return fields, [frame[name] for name in fields]
    if hasattr(frame, "column_names"):  # of Arrow
        pairs = zip(frame.column_names, frame.columns, strict=True)
        kept = [(name, column) for name, column in pairs if not is_index(name)]
        return [name for name, _ in kept], [column for _, column in kept]
    if hasattr(frame, "iloc"):  # of pandas, whose columns may share a name
        labels = list(frame.columns)
        return [_name(label) for label in labels], [frame.iloc[:, i] for i in range(len(labels))]
    return [str(name) for name in frame.columns], [frame[name] for name in frame.columns]


def _name(label: Any) -> str:
    """Return a label as MLflow's bodies have it: levels are parted by dots."""
    return ".".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _vectors(column: Any) -> list[Any]:
    return column.to_pylist() if hasattr(column, "to_pylist") else [*column.to_numpy()]


def _values(column: Any, where: str) -> Any:
    kind = _kind(column)
    if kind.startswith(_UNREADABLE) or getattr(column, "ndim", 1) != 1:
        raise ValueError(f"{where}: expected numbers, texts or times, got {kind:.40}")
    if hasattr(column, "to_pylist"):  # of Arrow
        is_plain = kind.startswith(("int", "uint", "float", "double", "half", "timestamp"))
        is_whole = not column.null_count
        return column.to_numpy() if is_plain and is_whole else column.to_pylist()
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    # With a missing one among them, integers would become floats.
    has_nulls = kind.startswith(("int", "uint")) and values.dtype.kind not in "iu"
    is_listed = hasattr(column, "to_list") and (has_nulls or kind.startswith(_TEXTS))
    return column.to_list() if is_listed else values


def _kind(column: Any) -> str:
    """Return the name of a column's type; of pandas' categories, of their values if unusual."""
    kind = str(getattr(column, "type", None) or getattr(column, "dtype", "")).lower()
    categories = str(getattr(getattr(column, "dtype", None), "categories", ""))
    return "interval" if kind == "category" and "Interval" in categories else kind
