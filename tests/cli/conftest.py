from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

ROWS = 2000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def train(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "temp": pa.array(
                np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(size=ROWS)), from_pandas=True
            ),
            "season": rng.integers(1, 5, ROWS),
            "town": rng.choice(["Ulm", "Bonn", "[red]Köln[/red]"], ROWS),
            "ts": pa.array(np.arange(ROWS) * 60_000_000, pa.timestamp("us")),
            "cnt": rng.integers(0, 900, ROWS),
            "cnt_hat": rng.normal(400, 100, ROWS),
        }
    )
    pyarrow.parquet.write_table(table, folder / "train.parquet")
    return Path("train.parquet")
