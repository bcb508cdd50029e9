"""Facts about captured calls: one log serves build-reference, compare and backtest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlmon_exporter.core.derived.joint import JointColumns
from tests.command_line import error, run, succeeded

T0 = 1_763_000_000.0
STEP = 60.0


def captured(path: str, rows: int, begin: float, shift: float = 0.0) -> None:
    """Calls as SageMaker captures them: CSV without names in, a number out."""
    rng = np.random.default_rng(int(begin))
    with Path(path).open("w") as file:
        for i in range(rows):
            age, fare = rng.normal(shift, 1.0), rng.normal()
            sides = {"endpointInput": f"{age},{fare}", "endpointOutput": f"{fare:.3f}"}
            record = {
                "captureData": {
                    key: {"observedContentType": "text/csv", "data": data, "encoding": "CSV"}
                    for key, data in sides.items()
                },
                "eventMetadata": {"eventId": f"{i}", "inferenceTime": _iso(begin + STEP * i)},
            }
            file.write(json.dumps(record) + "\n")


def _iso(at: float) -> str:
    return f"{np.datetime64(round(at), 's')}Z"


@pytest.fixture
def logs(folder: Path) -> Path:
    captured("old.jsonl", 4000, T0)
    captured("new.jsonl", 3000, T0 + 4000 * STEP)
    captured("shifted.jsonl", 2000, T0 + 7000 * STEP, shift=2.0)
    text = succeeded(
        *("build-reference", "old.jsonl", "--model", "m", "--features", "age,fare"),
        *("--prediction", "prediction", "--time-column", "captured_at"),
    )
    assert "2 features, 1 output, 4 000 rows" in text
    return folder


def test_compare_reads_captured_calls_by_the_names_of_the_reference(logs: Path) -> None:
    arguments = ("--reference", "m.reference.json", "--json")
    calm, drifted = (run("compare", log, *arguments) for log in ("new.jsonl", "shifted.jsonl"))
    assert (calm.exit_code, drifted.exit_code) == (0, 1)
    checks = {c["name"]: c["is_drifted"] for c in json.loads(drifted.stdout)["columns"]}
    derived = dict.fromkeys(JointColumns.names, True)
    assert checks == {"age": True, "fare": False, "prediction": False} | derived


def test_a_backtest_of_captured_calls_alarms_where_they_changed(logs: Path) -> None:
    arguments = ("--reference", "m.reference.json", "--time-column", "captured_at")
    ran = run("backtest", "new.jsonl", "shifted.jsonl", *arguments, "--json")
    account = json.loads(ran.stdout)["settings"]["as configured"]
    assert account["rows"] == 5000
    assert {alarm["name"] for alarm in account["alarms"]} == {"age", *JointColumns.names}
    assert 0 < account["alarms"][0]["begin"] - (T0 + 7000 * STEP) <= 6 * 3600


def test_what_was_left_out_of_a_log_is_said(logs: Path) -> None:
    with (logs / "new.jsonl").open("a") as file:
        file.write('{"captureData": {"endpointInput": {"data": "1,2,3", "encoding": "CSV",')
    text = succeeded("compare", "new.jsonl", "--reference", "m.reference.json")
    assert "Warning: 1 record was cut off at the end of new.jsonl: left out" in text
    with (logs / "new.jsonl").open("a") as file:
        file.write("\n")
    assert error("compare", "new.jsonl", "--reference", "m.reference.json").startswith(
        "new.jsonl:3001: expected JSON"
    )
