"""Tables written as files of every format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
from numpy.typing import NDArray

from mlmon_exporter.core.profile.categories import CategoryCounts
from mlmon_exporter.reference.data.files import DataFiles

NAN = float("nan")


HOUR = 3600.0


def write(path: Path, table: Any) -> Path:
    """Write a table in the format of the path."""
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, path)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    else:
        with (
            pa.CompressedOutputStream(path, "gzip")
            if path.suffix == ".gz"
            else pa.OSFile(str(path), "wb") as file
        ):
            pyarrow.csv.write_csv(table, file)
    return path


def read(files: DataFiles, names: Sequence[str] | None = None) -> dict[str, Any]:
    """All rows of some columns: arrays of numbers, or a dictionary of rows by category."""
    wanted = list(files.columns) if names is None else names
    parts: dict[str, list[Any]] = {name: [] for name in wanted}
    for columns, rows in files.chunks(wanted):
        for name in wanted:
            values = columns[name]
            assert _rows(values) == rows
            parts[name].append(values)
    return {name: joined(values) for name, values in parts.items()}


def _rows(values: Any) -> int:
    if isinstance(values, CategoryCounts):
        return sum(values.rows) + values.missing + values.other
    return len(values)


def joined(parts: Iterable[Any]) -> Any:
    found = list(parts)
    if not isinstance(found[0], CategoryCounts):
        return np.concatenate(found)
    rows: dict[str | None, int] = {}
    for part in found:
        for name, count in [*zip(part.names, part.rows, strict=True), (None, part.missing)]:
            rows[name] = rows.get(name, 0) + count
    return {name: count for name, count in rows.items() if count}


def same(values: NDArray[np.float64], expected: Sequence[float]) -> bool:
    assert values.dtype == np.float64
    return bool(np.array_equal(values, np.array(expected, dtype=np.float64), equal_nan=True))


ROWS = 1000


def damaged(file: Path, old: bytes, new: bytes, start: int = 0) -> Path:
    """Put other bytes in the place of the first such after a start."""
    content = file.read_bytes()
    place = content.index(old, start)
    file.write_bytes(content[:place] + new + content[place + len(old) :])
    return file


def write_text(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


FORMATS = ("csv", "csv.gz", "parquet", "feather", "arrow")
