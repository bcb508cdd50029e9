"""Files of outcomes."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import feather, parquet

ROWS = [{"prediction_id": f"00{i}", "ground_truth": f"0{i}"} for i in range(3)]


LINE = b'{"prediction_id": "a", "ground_truth": 1}\n'


def write(path: Path, rows: Sequence[Mapping[str, Any]] = ROWS) -> Path:
    """Write rows as the file's ending says."""
    table = pa.Table.from_pylist(list(rows))
    if path.name.endswith(".parquet"):
        parquet.write_table(table, path)
    elif path.name.endswith(".feather"):
        feather.write_feather(table, str(path))
    else:
        lines = [orjson.dumps(row) for row in rows]
        if ".csv" in path.name:
            lines = [",".join(rows[0]).encode()]
            lines += [",".join(map(str, row.values())).encode() for row in rows]
        data = b"\n".join(lines) + b"\n"
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path
