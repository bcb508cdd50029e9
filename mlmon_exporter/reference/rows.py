"""Rows of data as a reference is built from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import times
from mlmon_exporter.core.outcomes.profile import Chunk
from mlmon_exporter.core.profile.categories import CategoryCounts
from mlmon_exporter.core.profile.free_text import CHARACTERS, WORDS, all_sizes, input_names, sources
from mlmon_exporter.formats.frames import columns_of, is_frame
from mlmon_exporter.formats.parquet import is_index


def rows_of(data: Any, vectors: Collection[str] = ()) -> Chunk:
    """Return a mapping, a frame of pandas, Polars or Arrow, or a record array, and its rows.

    Raises:
        ValueError: Columns differ in length or share a name, or one cannot be read.
    """
    if hasattr(data, "column_names"):  # of Arrow
        return _from_arrow(data, vectors), data.num_rows
    if is_frame(data):
        columns = columns_of(data, "reference", vectors)
    else:
        columns = {str(name): _plain(values) for name, values in data.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"reference: expected columns of one length, got {sorted(lengths)}")
    return columns, lengths.pop() if lengths else 0


def _plain(column: Any) -> Any:
    return column.to_numpy() if hasattr(column, "to_numpy") else column


def _from_arrow(table: Any, vectors: Collection[str]) -> dict[str, Any]:
    """Return texts as counted categories, and all else as it is."""
    from .data.arrow import categories_of, is_list, kind_of, vectors_of

    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = kind_of(column.type)
        if name in vectors and is_list(column.type):
            columns[name] = vectors_of(column)
            continue
        if name in columns:
            raise ValueError(f"reference: expected each column once, got {name!r} twice")
        if kind is None:
            raise ValueError(
                f"reference: {name}: expected numbers, texts or times, got {column.type}"
            )
        if is_index(name):
            continue
        if kind == "categorical":
            columns[name] = categories_of(column, with_codes=True)
        else:
            columns[name] = column.to_numpy(zero_copy_only=False)
    return columns


def with_all(
    chunks: Callable[[], Iterable[Chunk]], names: Sequence[str]
) -> Callable[[], Iterator[Chunk]]:
    """Return chunks that have all these columns: one that is not there is missing in all rows."""

    def complete() -> Iterator[Chunk]:
        for columns, rows in chunks():
            if not any(name in columns for name in names):
                raise ValueError(
                    f"reference: expected columns as in `like`, {', '.join(names)}; "
                    f"there are {', '.join(columns)}"
                )
            yield {**dict.fromkeys(names, [None] * rows), **columns}, rows

    return complete


def with_text_sizes(
    chunks: Callable[[], Iterable[Chunk]], names: Sequence[str]
) -> Callable[[], Iterable[Chunk]]:
    """Return chunks that have the characters and words of texts, where these are among names."""
    texts = sources(names)

    def sized() -> Iterator[Chunk]:
        for columns, rows in chunks():
            found: dict[str, Any] = {}
            for name in texts:
                if name in columns:
                    found[name + CHARACTERS], found[name + WORDS] = _sizes(columns[name])
            yield {**found, **columns}, rows

    return sized if texts else chunks


def _sizes(column: Any) -> NDArray[np.float64]:
    """Return characters and words of each row, shape (2, rows): of each category just once."""
    if isinstance(column, CategoryCounts) and column.codes is not None:
        return all_sizes([*column.names, None])[:, column.codes]
    return all_sizes(each_row(column))


def between(chunks: Iterable[Chunk], time_column: str, begin: float, end: float) -> Iterator[Chunk]:
    """Give the rows seen from `begin` to before `end`, Unix seconds; categories have codes."""
    for columns, rows in chunks:
        seen = times(columns[time_column])
        kept = np.flatnonzero((seen >= begin) & (seen < end))
        if len(kept) == rows:
            yield columns, rows
        elif len(kept):
            yield {name: _some(columns[name], kept) for name in columns}, len(kept)


def _some(column: Any, kept: NDArray[np.intp]) -> Any:
    """Return some rows of a column; of counted categories those that are left."""
    if not isinstance(column, CategoryCounts):
        return np.asarray(column)[kept]
    if column.codes is None:
        raise ValueError("reference: expected categories with their codes")
    codes, last = column.codes[kept], len(column.names)
    rows = np.bincount(codes, minlength=last + 1)
    present = np.flatnonzero(rows[:last])
    renamed = np.full(last + 1, len(present), dtype=np.intp)
    renamed[present] = np.arange(len(present))
    names = tuple(column.names[i] for i in present.tolist())
    return CategoryCounts(names, tuple(rows[present].tolist()), int(rows[last]), 0, renamed[codes])


def each_row(values: Any) -> Any:
    """Return a column with a value for each row, where its categories may have been counted."""
    if not isinstance(values, CategoryCounts):
        return values
    if values.codes is None:
        return [None] * (sum(values.rows) + values.other + values.missing)
    return np.array([*values.names, None], dtype=object)[values.codes]


def check_names(columns: Mapping[str, Any], wanted: Iterable[str]) -> None:
    """Raise ValueError where a column is not there."""
    absent = [name for name in wanted if name not in columns]
    if absent:
        raise ValueError(
            f"reference: no column {', '.join(map(repr, absent))}; there are {', '.join(columns)}"
        )


def check_width(names: Sequence[str], max_features: int, where: str = "reference") -> None:
    """Raise ValueError where features are more than a server takes; a text counts as one."""
    features = len(input_names(names))
    if features > max_features:
        raise ValueError(
            f"{where}: expected {max_features} features at most, got {features}: a server would "
            "read no request; choose some, or raise max_features, here and in its configuration"
        )
