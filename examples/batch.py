"""Score a file, and deliver the scores only if rows and scores are like those of the training data.

    python examples/batch.py customers.parquet churn.reference.json scores.parquet

Exit code 1 and no file where a column has drifted, 2 where too few rows say nothing.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlmon_exporter import Reference


def scored(rows: pa.Table) -> pa.Table:
    """Stand in for a model: add the column of its predictions, named as in the reference."""
    calls = rows["support_calls"].to_numpy().astype(float)
    scores = np.clip(0.1 + 0.02 * np.nan_to_num(calls), 0, 1)
    return rows.append_column("score", pa.array(scores))


def main(source: str, reference: str, target: str) -> int:
    """Score, compare, deliver; return the exit code."""
    rows = scored(pq.read_table(source))
    found = Reference.load(reference).compare(rows, window="24h")  # a day's rows
    if not found.columns or all(np.isnan(check.value) for check in found.columns):
        print(f"{found.rows} rows: too few to be judged", file=sys.stderr)
        return 2
    for check in found.drifted:
        limit = f"{check.score} {check.value:.3g} over {check.threshold:.3g}"
        print(f"{check.name} has drifted: {limit}", file=sys.stderr)
    if found.drifted:
        return 1
    pq.write_table(rows, target)
    print(f"{rows.num_rows} scores in {target}; no column has drifted")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
