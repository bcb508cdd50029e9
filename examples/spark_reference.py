"""Build a reference on Spark: each partition builds a part of it, and the parts are added.

    python examples/spark_reference.py DATA.parquet --out m.reference.json --prediction score

Needs `pip install 'mlmon-exporter[spark]'` and Java, and mlmon-exporter on the workers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from mlmon_exporter import Reference


def build(frame: DataFrame, **options: Any) -> Reference:
    """Build a reference of each partition where its rows are; return their sum."""

    def part(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = [batch for batch in batches if batch.num_rows]
        if rows:
            reference = Reference.build(pa.Table.from_batches(rows), **options)
            yield pa.RecordBatch.from_pydict({"part": [reference.to_bytes()]})

    parts = frame.mapInArrow(part, "part binary").collect()
    return sum((Reference.from_bytes(row.part) for row in parts), start=Reference([]))


def main() -> None:
    """Build the reference of a Parquet file or folder in two rounds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data")
    parser.add_argument("--out", required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--prediction", nargs="*", default=[], dest="predictions")
    parser.add_argument("--categorical", nargs="*", default=[])
    parser.add_argument("--ignore", nargs="*", default=[])
    options = vars(parser.parse_args())
    data, out = options.pop("data"), options.pop("out")

    # Workers run this Python, unless the cluster says which.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    frame = SparkSession.builder.getOrCreate().read.parquet(data)
    cells = build(frame, **options)
    reference = build(frame, like=cells, **options)
    if not reference.rows:
        sys.exit(f"{data}: expected rows, got none")
    reference.save(out)


if __name__ == "__main__":
    main()
