"""Training data in files, as chunks of columns that a reference is built from.

Memory does not grow with the data: rows come in chunks, and very wide data in groups of columns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mlmon_exporter.core.coerce import numbers
from mlmon_exporter.core.outcomes.profile import Chunk
from mlmon_exporter.core.profile.categories import CategoryCounts
from mlmon_exporter.formats import BodyMap

from .arrow import (
    Floats,
    categories_of,
    is_text,
    kind_of,
    numbers_of,
    spelt_numbers_of,
    times_of,
    vectors_of,
)
from .folders import files_of, values_in
from .readers import DataError, Reader, TypeConflictError, csv_type, explained
from .registry import NAMELESS, opened

__all__ = ["DataError", "DataFiles", "TypeConflictError"]

MIB = 2**20
CHUNK_ROWS = 65_536
CHUNK_VALUES = 8 * MIB
"""Wide data has fewer rows in a chunk, so that it has no more values than this."""
VECTOR_WIDTH = 1024
"""Numbers of a vector, as far as chunks are concerned."""
GROUP_BYTES = 384 * MIB
"""Memory for reading and profiling one group of columns."""
NUMERIC_BYTES, CATEGORICAL_BYTES = 3 * MIB // 10, 4 * MIB
"""Memory for the profile of a column."""
TIME_COLUMN = "time column"
"""The kind of a column that is wanted as Unix seconds, in any form."""


class Column(NamedTuple):
    """Name and kind of a column, known before its rows are read."""

    name: str
    kind: str
    """As `arrow_columns.kind_of` has it; `other` where it cannot be watched."""
    type: str
    """As Arrow calls it."""
    are_numbers: bool
    """True if these categories are texts that were written for numbers."""
    is_meta: bool = False
    """It is about a captured call, such as its time: no feature."""


class _File(NamedTuple):
    path: Path
    reader: Reader
    types: Mapping[str, Any]
    """The Arrow type of each column; of a CSV file's, by its beginning."""
    partition: Mapping[str, str]
    """Columns that the path tells, as in `season=1/part-0.parquet`."""


class DataFiles:
    """One file, or all files of a folder and its folders, as one table.

    Files in which a column is absent have missing values there. Not thread-safe.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        categorical: Collection[str] = (),
        missing: Collection[str] = (),
        body_map: BodyMap = NAMELESS,
    ) -> None:
        """Look at the files' columns.

        Args:
            path: A file or a folder.
            categorical: Columns of numbers that are categories.
            missing: Texts that stand for a missing value, besides the empty one.
            body_map: Names for bodies of captured calls that have none.

        Raises:
            DataError: There are no files, or one cannot be read.
        """
        self.path = Path(path)
        self._categorical = frozenset(categorical)
        self._missing = frozenset(missing)
        self._body_map = body_map
        self._files = [self._look_at(file) for file in files_of(self.path)]
        self._texts: set[str] = set()
        self.stray_texts: dict[str, str] = {}
        """Columns of numbers that are read as text, each with a text that is no number."""
        self._bytes = max(1, sum(file.path.stat().st_size for file in self._files))
        self.progress = 0.0
        """Number of times that the data was read, such as 1.4."""

    def _look_at(self, path: Path) -> _File:
        reader = opened(path, sorted(self._missing), self._body_map)
        with explained(path):
            schema = reader.schema()
            names = schema.names
        name, times = max(Counter(names).items(), key=lambda item: item[1], default=("", 1))
        if times > 1:
            raise DataError(f"{path}: expected each column once, got {name!r} {times} times")
        if not names:
            raise DataError(f"{path}: expected columns, got none")
        partition = values_in(path.parent.relative_to(self.path)) if path != self.path else {}
        return _File(path, reader, dict(zip(names, schema.types, strict=True)), partition)

    @property
    def columns(self) -> dict[str, Column]:
        """All columns by name, in the files' order."""
        names = [name for f in self._files for name in (*f.types, *f.partition)]
        return {name: self._column(name) for name in dict.fromkeys(names)}

    def _column(self, name: str) -> Column:
        types = [file.types[name] for file in self._files if name in file.types]
        values = [file.partition[name] for file in self._files if name in file.partition]
        kinds = {kind_of(type_) for type_ in types} | {_kind_of_texts(values)}
        kinds -= {"empty"}
        are_numbers = "numeric" in kinds
        if None in kinds:
            kind = "other"
        elif name in self.stray_texts:
            kind = "numeric"
        elif name in self._categorical | self._texts or "categorical" in kinds:
            kind = "categorical"
        else:
            kind = max((kind for kind in kinds if kind), default="empty")
        is_meta = any(name in file.reader.meta for file in self._files)
        return Column(name, kind, ", ".join(dict.fromkeys(map(str, types))), are_numbers, is_meta)

    @property
    def told(self) -> dict[str, int]:
        """Reasons why the last reading left records out -> their number."""
        found: Counter[str] = Counter()
        for file in self._files:
            found.update(file.reader.told)
        return dict(found)

    def read_as_text(self, name: str) -> None:
        """From now on, take a column of CSV files for categories."""
        self._texts.add(name)

    def read_as_numbers(self, texts: Mapping[str, str]) -> None:
        """From now on, take texts of columns for the numbers that they spell, or for none.

        Args:
            texts: Column -> a text that is no number.
        """
        self.stray_texts |= texts

    def groups(self, names: Sequence[str], more_bytes: int = 0) -> list[tuple[str, ...]]:
        """Part columns into groups that can be read and profiled at once in bounded memory.

        Args:
            names: The columns.
            more_bytes: Other memory for each column.

        Raises:
            DataError: A file cannot be read.
        """
        columns = self.columns
        fixed = max(map(_bytes_per_column, self._files)) + more_bytes
        groups: list[list[str]] = [[]]
        used = 0
        for name in names:
            is_category = columns[name].kind == "categorical"
            size = fixed + (CATEGORICAL_BYTES if is_category else NUMERIC_BYTES)
            used += size
            if used > GROUP_BYTES and groups[-1]:
                groups.append([])
                used = size
            groups[-1].append(name)
        return [tuple(group) for group in groups]

    def chunks(
        self,
        names: Sequence[str],
        time_column: str | None = None,
        *,
        other_times: Sequence[str] = (),
        with_codes: bool = False,
    ) -> Iterator[Chunk]:
        """Read some columns of all rows.

        Numbers come as float64 with NaN where missing, categories as `CategoryCounts`. With a
        time column, or if asked for, they also say which category each row has. Times come as
        Unix seconds.

        Raises:
            TypeConflictError: A CSV column has other values than its beginning promised.
            DataError: A file cannot be read.
        """
        columns = self.columns
        wanted = [columns[name] for name in names]
        times = [*([] if time_column is None else [time_column]), *other_times]
        wanted += [columns[name]._replace(kind=TIME_COLUMN) for name in times]
        passes, read = math.floor(self.progress), 0
        for file in self._files:
            size = file.path.stat().st_size
            for table, share in self._tables(file, wanted):
                self.progress = passes + min(0.999, (read + share * size) / self._bytes)
                needs_codes = with_codes or time_column is not None
                values = partial(self._values, file, with_codes=needs_codes)
                rows = _Rows(wanted, table, values)
                yield rows, table.num_rows
                rows.let_go()
                del table
            read += size
            pa.default_memory_pool().release_unused()
        self.progress = passes + 1.0

    def _tables(self, file: _File, wanted: Sequence[Column]) -> Iterator[tuple[Any, float]]:
        """Give a file's rows as tables of about `CHUNK_ROWS` rows, and the share that is read."""
        present = [c for c in wanted if c.name in file.types]
        types = {c.name: csv_type(file.types[c.name], self._csv_kind(c)) for c in present}
        width = sum(VECTOR_WIDTH if column.kind == "other" else 1 for column in wanted)
        limit = max(1024, min(CHUNK_ROWS, CHUNK_VALUES // max(1, width)))
        held: list[Any] = []
        share = 0.0
        with explained(file.path):
            # Rows can only be counted by some column.
            for batch, share in file.reader.parts(list(types) or [*file.types][:1], types):
                for start in range(0, batch.num_rows, limit):
                    held.append(batch.slice(start, limit))
                    is_last = batch.num_rows >= limit and start + limit >= batch.num_rows
                    if is_last or sum(map(len, held)) >= limit:
                        yield pa.Table.from_batches(held), share
                        held = []
                # Held on to, a batch would still be there while the next one is read.
                del batch
            if held:
                yield pa.Table.from_batches(held), share

    def _csv_kind(self, column: Column) -> str:
        is_spelt = column.kind == "numeric" and column.name in self.stray_texts
        return "categorical" if is_spelt else column.kind

    def _values(
        self, file: _File, rows: Any, column: Column, *, with_codes: bool
    ) -> Floats | CategoryCounts | list[Any]:
        if column.name in file.partition:
            text = file.partition[column.name]
            values: Any = pa.chunked_array([pa.repeat(text or None, rows.num_rows)])
        elif column.name in file.types:
            values = rows.column(column.name)
        else:
            values = pa.chunked_array([pa.nulls(rows.num_rows)])
        if column.kind == TIME_COLUMN:
            return self._times(file, column.name, values)
        with explained(file.path):
            if column.kind == "categorical":
                is_typed = is_text(values.type) and file.reader.has_types
                return categories_of(
                    values,
                    self._missing,
                    are_numbers=column.are_numbers,
                    are_spelt=column.name not in self._categorical and not is_typed,
                    with_codes=with_codes,
                )
            if column.kind == "other":
                return vectors_of(values)
            if is_text(values.type):
                return spelt_numbers_of(values, self._missing)
            return numbers_of(values)

    def _times(self, file: _File, name: str, values: Any) -> Floats:
        try:
            with explained(file.path):
                return times_of(values, self._missing)
        except DataError:
            raise
        except ValueError as error:
            raise DataError(f"{file.path}: {name}: {error}") from error


class _Rows(Mapping[str, Any]):
    """The columns of some rows, until the next rows are read.

    Values are made when asked for: the second pass needs few of them.
    """

    def __init__(
        self, columns: Sequence[Column], table: Any, values: Callable[[Any, Column], Any]
    ) -> None:
        self._columns = {column.name: column for column in columns}
        self._table = table
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values(self._table, self._columns[name])

    def let_go(self) -> None:
        """Drop the rows, so that a reference to this does not keep their memory."""
        self._table = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def _bytes_per_column(file: _File) -> int:
    with explained(file.path):
        return file.reader.bytes_per_column()


def _kind_of_texts(values: Sequence[str]) -> str:
    if not any(values):
        return "empty"
    infinite = np.isinf(numbers(values))  # what cannot be read as a number
    return "categorical" if infinite.any() else "numeric"
