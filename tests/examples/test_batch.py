"""The example of a batch job delivers scores of rows like the reference's, and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlmon_exporter import Reference

EXAMPLE = Path(__file__).parents[2] / "examples" / "batch.py"


def run(folder: Path, mean: float, rows: int) -> subprocess.CompletedProcess[str]:
    rng = np.random.default_rng(1)

    def calls(mean: float, count: int) -> np.ndarray:
        return rng.poisson(mean, count).astype(float)

    known = calls(3.0, 5000)
    reference = {"support_calls": known, "score": 0.1 + 0.02 * known}
    Reference.build(reference, predictions="score").save(folder / "churn.json")
    pq.write_table(pa.table({"support_calls": calls(mean, rows)}), folder / "in.parquet")
    arguments = [folder / "in.parquet", folder / "churn.json", folder / "out.parquet"]
    return subprocess.run(
        [sys.executable, EXAMPLE, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("mean", "rows", "code", "said"),
    [
        (3.0, 1000, 0, "1000 scores in"),
        (6.0, 1000, 1, "support_calls has drifted: "),
        (3.0, 20, 2, "20 rows: too few to be judged"),
    ],
)
def test_scores_are_delivered_of_rows_like_the_references(
    mean: float, rows: int, code: int, said: str, tmp_path: Path
) -> None:
    done = run(tmp_path, mean, rows)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert (tmp_path / "out.parquet").exists() == (code == 0)
    if code == 0:
        assert pq.read_table(tmp_path / "out.parquet")["score"].to_numpy().max() > 0.1
