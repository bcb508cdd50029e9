"""Facts about the examples that compare data with a reference in a pipeline: they run as shown."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml

from mlmon_exporter import Reference
from mlmon_exporter.cli.demo.datasets import BIKE_CATEGORICAL, Labelled, bike_splits

EXAMPLES = Path(__file__).parents[2] / "examples"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's bike data: a reference of winter, rows of another winter and of a summer."""
    splits = bike_splits()

    def table(labelled: Labelled) -> pa.Table:
        outcomes = labelled.outcomes
        guesses = [count + (7 if i % 2 else -7) for i, count in enumerate(outcomes)]
        rows = pa.Table.from_pylist([*labelled.rows])
        return rows.append_column("cnt", [[*outcomes]]).append_column("cnt_hat", [guesses])

    reference = Reference.build(
        table(splits.reference),
        model="bike-demand",
        predictions="cnt_hat",
        ground_truth="cnt",
        categorical=BIKE_CATEGORICAL,
    )
    reference.save(tmp_path / "model.reference.json")
    (tmp_path / "data").mkdir()
    pyarrow.csv.write_csv(table(splits.traffic["winter"]), tmp_path / "data" / "winter.csv")
    pyarrow.csv.write_csv(table(splits.traffic["summer"]), tmp_path / "data" / "summer.csv")
    return tmp_path


def ran(command: str, folder: Path) -> int:
    environment = {**os.environ, "PATH": PATH}
    shell = ["bash", "-e", "-c", command]
    return subprocess.run(shell, cwd=folder, env=environment, check=False).returncode


def test_every_example_is_short() -> None:
    for name in ("compare_dag.py", "compare_workflow.yml", "test_rows.py"):
        assert len((EXAMPLES / name).read_text().splitlines()) <= 60, name


@pytest.mark.slow
@pytest.mark.parametrize(("season", "code"), [("winter", 0), ("summer", 1)])
def test_the_workflow_fails_where_data_has_drifted(folder: Path, season: str, code: int) -> None:
    workflow = yaml.safe_load((EXAMPLES / "compare_workflow.yml").read_text())
    steps = workflow["jobs"]["compare"]["steps"]
    (command,) = [step["run"] for step in steps if step.get("name") == "compare"]
    (folder / "data" / f"{season}.csv").rename(folder / "data" / "new.csv")
    assert ran(command, folder) == code
    kept = next(step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert (folder / kept["with"]["path"]).stat().st_size > 1000


@pytest.mark.slow
def test_the_task_of_the_dag_fails_where_data_has_drifted(folder: Path) -> None:
    tree = ast.parse((EXAMPLES / "compare_dag.py").read_text())
    (command,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMPARE"
    ]
    table = pyarrow.csv.read_csv(folder / "data" / "summer.csv")
    pa.parquet.write_table(table, folder / "data" / "2026-11-30.parquet")
    values = {
        "params.rows": "data",
        "params.reference": "model.reference.json",
        "params.pages": ".",
        "ds": "2026-11-30",
    }
    filled = re.sub(r"{{ ([\w.]+) }}", lambda found: values[found[1]], command)
    assert ran(filled, folder) == 1
    assert (folder / "2026-11-30.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("season", "code"), [("winter", 0), ("summer", 1)])
def test_the_pytest_module_fails_where_data_has_drifted(
    folder: Path, season: str, code: int
) -> None:
    files = f"REFERENCE=model.reference.json ROWS=data/{season}.csv"
    options = "-q -p no:cacheprovider -p no:randomly --rootdir . -c /dev/null"
    assert ran(f"{files} python -m pytest {options} {EXAMPLES}/test_rows.py", folder) == code
