"""Facts about the example on Spark: what it builds of partitioned data is what one machine does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from mlmon_exporter import Reference
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import scored
from tests.reference.test_distributed import column_of, exact

EXAMPLE = Path(__file__).parents[2] / "examples" / "spark_reference.py"
ROWS, FILES = 24_000, 8
SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.files.minPartitionNum": "100",  # else small files share a partition
    "spark.ui.enabled": "false",
}


@pytest.fixture
def spark(require_binary: Callable[[str], str], tmp_path: Path) -> dict[str, str]:
    """The environment in which Spark runs here: two cores, nothing but loopback."""
    if find_spec("pyspark") is None and os.environ.get("CI") != "true":
        pytest.skip("pyspark: expected it to be installed; `make .venv/.spark` does that")
    require_binary("java")
    settings = [f"--conf {key}={value}" for key, value in SETTINGS.items()]
    return os.environ | {
        "PYSPARK_SUBMIT_ARGS": " ".join(["--master local[2]", *settings, "pyspark-shell"]),
        "SPARK_LOCAL_DIRS": str(tmp_path),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def rows() -> pa.Table:
    """Numbers, discrete and not, categories, and rows without; sorted, so that parts differ."""
    rng = np.random.default_rng(1)
    income = np.sort(rng.lognormal(10, 1, ROWS))
    income[: ROWS // FILES] = np.nan  # all of the first file
    return pa.table(
        {
            "income": pa.array(income, from_pandas=True),
            "age": pa.array(rng.normal(40, 10, ROWS), mask=rng.random(ROWS) < 0.05),
            "visits": rng.poisson(3, ROWS),
            "is_member": rng.random(ROWS) < 0.3,
            "season": rng.integers(1, 5, ROWS),
            "city": pa.array(np.sort(rng.zipf(1.4, ROWS) % 300).astype(str).tolist()),
            "id": np.arange(ROWS),
            "score": rng.random(ROWS),
        }
    )


def written(table: pa.Table, folder: Path) -> Path:
    folder.mkdir()
    size = ROWS // FILES
    for part in range(FILES):
        parquet.write_table(table.slice(part * size, size), folder / f"part-{part}.parquet")
    parquet.write_table(table.slice(0, 0), folder / "part-empty.parquet")
    return folder


def test_spark_builds_what_one_machine_builds(spark: dict[str, str], tmp_path: Path) -> None:
    table, out = rows(), tmp_path / "m.reference.json"
    paths = [str(written(table, tmp_path / "data")), "--out", str(out)]
    roles = "--prediction score --categorical season --ignore id --model loans".split()
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), *paths, *roles],
        cwd=tmp_path,
        env=spark,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr

    built = Reference.load(out)
    whole = Reference.build(table, predictions="score", categorical=["season"], ignore=["id"])
    assert (built.model, built.rows) == ("loans", ROWS)
    assert exact(built) == exact(Reference.build(table, like=built))
    assert exact(built).keys() == exact(whole).keys()
    for name in ("visits", "is_member", "season", "city"):
        assert exact(built)[name] == exact(whole)[name]
    for name in ("income", "age", "score"):
        ours, theirs = column_of(built, name), column_of(whole, name)
        assert (ours.rows, ours.missing) == (theirs.rows, theirs.missing)
        assert (ours.mean, ours.sd) == pytest.approx((theirs.mean, theirs.sd), rel=1e-9)
        window = {name: table[name].to_numpy()[::5] * 1.1}
        a, b = (scored(ReferenceMatrix([column]), window) for column in (ours, theirs))
        assert a["ks_statistic"] == pytest.approx(b["ks_statistic"], abs=0.005)
        assert a["psi"] == pytest.approx(b["psi"], abs=0.005)
