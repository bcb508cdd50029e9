"""A table that all readers read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from tests.reference.data.written import NAN, ROWS


@pytest.fixture
def table() -> Any:
    rng = np.random.default_rng(1)
    temp = rng.normal(size=ROWS).round(3)
    return pa.table(
        {
            "temp": pa.array(np.where(rng.random(ROWS) < 0.1, NAN, temp), from_pandas=True),
            "riders": pa.array(rng.integers(0, 9, ROWS)),
            "town": pa.array(rng.choice(["Ulm", "Köln", "a,b", 'say "x"'], ROWS)),
            "open": pa.array(rng.random(ROWS) < 0.3),
        }
    )
