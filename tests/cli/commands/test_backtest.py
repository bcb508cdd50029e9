"""Facts about `mlmon-exporter backtest`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from mlmon_exporter import Reference
from tests.command_line import error, run, succeeded

START = np.datetime64("2026-11-02T00:00:00", "s")


def log(rows: int, seed: int = 1) -> dict[str, Any]:
    """Rows of three minutes each; after the first day, x has another mean."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return {
        "ts": START + 180 * np.arange(rows),
        "x": x + 1.5 * (np.arange(rows) >= 480),
        "kind": rng.integers(1, 4, rows),
        "prediction": x,
        "cnt": x + rng.normal(size=rows),
    }


@pytest.fixture
def known(folder: Path) -> Path:
    """A reference file; beside it `log.csv` of two days."""
    build = log(4000, seed=0)
    build["x"] = build["prediction"]
    Reference.build(
        build,
        predictions="prediction",
        ground_truth="cnt",
        categorical=["kind"],
        time_column="ts",
        model="bike",
    ).save("bike.json")
    pyarrow.csv.write_csv(pa.table(log(960)), "log.csv")
    return folder / "bike.json"


def test_a_backtest_shows_a_timeline_and_its_alarms(known: Path) -> None:
    text = succeeded("backtest", "log.csv", "--reference", known, "--time-column", "ts")
    assert "2026-11-02 to 2026-11-04, a day a sign" in text
    assert re.search(r" x ·[░▒▓█] prediction ·· kind ··| x ·[░▒▓█] kind ·· prediction ··", text)
    assert re.search(r"x \w+ 2026-11-03 \d\d:\d\d to the e\S* \w+", text)
    assert "960 rows in 2.0 days: 1 alarm, 15.0 in 30 days; in alarm" in text


def test_what_a_change_took_and_other_settings_are_side_by_side(known: Path) -> None:
    arguments = ("--reference", known, "--time-column", "ts", "--changed-at", "2026-11-03")
    sets = ("--set", "psi_floor=9", "--set", "windows=6h,24h")
    text = succeeded("backtest", "log.csv", *arguments, *sets)
    assert re.search(r"The change at 2026-11-03 00:00: first alarm \d+ hours? and \d+ rows", text)
    assert "as configured 1 15.0" in text
    assert re.search(r"psi_floor=9 +\d+ \d+.0 \d+.\d % ", text)
    assert "windows=6h,24h" in text


def test_json_has_the_same_numbers(known: Path, folder: Path) -> None:
    table = pa.table(log(960))
    pyarrow.parquet.write_table(table.slice(0, 500), "1.parquet")
    pyarrow.parquet.write_table(table.slice(500), "2.parquet")
    arguments = ("--reference", known, "--time-column", "ts", "--ground-truth", "cnt", "--json")
    of_files = run("backtest", "1.parquet", "2.parquet", *arguments)
    assert of_files.exit_code == 0, of_files.stderr
    found = json.loads(of_files.stdout)
    account = found["settings"]["as configured"]
    assert [(a["side"], a["name"]) for a in account["alarms"]] == [("feature", "x")]
    assert account["alarms"][0]["end"] is None
    assert (account["rows"], account["days"]) == (960, 2.0)
    assert {q["name"] for q in account["quality"]} == {"mae", "rmse"}
    assert found["late_rows"] == found["untimed_rows"] == 0
    of_csv = json.loads(run("backtest", "log.csv", *arguments).stdout)
    assert of_csv["settings"]["as configured"]["alarms"] == account["alarms"]


def test_ground_truth_in_a_log_of_its_own_joins_by_id(known: Path, folder: Path) -> None:
    rows = log(960)
    ids = [f"{i:04}" for i in range(960)]
    at = rows["ts"] + np.timedelta64(6, "h")
    whole = {**rows, "known": at}
    pyarrow.csv.write_csv(pa.table(whole), "whole.csv")
    guess, truth = rows.pop("prediction"), rows.pop("cnt")
    pyarrow.csv.write_csv(pa.table({**rows, "guess": guess, "id": ids}), "rows.csv")
    later = {"id": ids, "cnt": truth, "known": at}
    again = {"id": ["none", ids[0]], "cnt": [1.0, 1.0], "known": at[:2]}
    later = {name: [*values[:2], *again[name], *values[2:]] for name, values in later.items()}
    pyarrow.csv.write_csv(pa.table(later), "later.csv")
    truth_options = ("--ground-truth", "cnt", "--ground-truth-time", "known", "--json")
    shared = ("--reference", known, "--time-column", "ts", *truth_options, "--set", "psi_floor=9")
    inline = json.loads(run("backtest", "whole.csv", *shared).stdout)
    split = ("backtest", "rows.csv", "later.csv", *shared, "--prediction", "guess")
    joined = json.loads(run(*split, "--id-column", "id").stdout)
    assert joined["settings"] == inline["settings"]
    assert joined["settings"]["as configured"]["quality"]
    assert (joined["unknown_truths"], joined["duplicate_truths"]) == (1, 1)
    assert error("backtest", "rows.csv", *shared, "--id-column", "id") == (
        "--id-column: expected logs of rows, and logs of ground truth that have none of the "
        "reference's columns, got 1 and 0"
    )
    assert error(*split, "--id-column", "key") == (
        "rows.csv: --id-column: there is no column 'key'; there are ts, x, kind, guess, id"
    )
    assert error(*split, "--prediction", "a,b") == (
        "--prediction: expected a column for each output of the reference, prediction; got 'a,b'"
    )


def test_the_page_draws_the_timeline(known: Path, folder: Path) -> None:
    arguments = ("--reference", known, "--time-column", "ts", "--set", "psi_floor=0.3")
    succeeded("backtest", "log.csv", *arguments, "--html", "backtest.html")
    page = (folder / "backtest.html").read_text()
    assert "<h1>Backtest of bike</h1>" in page
    assert 'aria-label="x: in alarm on 1 of 2 days"' in page
    assert "psi_floor=0.3" in page
    assert "<script" not in page


def test_texts_that_come_late_start_the_replay_anew(known: Path, folder: Path) -> None:
    lines = (folder / "log.csv").read_text().splitlines()
    later = ['"2026-11-04 00:00:00",' + '"broken",1,0.0,0.0']
    (folder / "long.csv").write_text("\n".join([lines[0], *lines[1:], *(later * 120_000)]))
    arguments = ("--reference", known, "--time-column", "ts", "--json")
    found = json.loads(run("backtest", "long.csv", *arguments).stdout)
    assert found["settings"]["as configured"]["rows"] == 120_960


def test_mistakes_are_named_in_a_line(known: Path, folder: Path) -> None:
    base = ("backtest", "log.csv", "--reference", known, "--time-column")
    assert error(*base, "tz") == (
        "log.csv: --time-column: there is no column 'tz'; did you mean 'ts'?"
    )
    assert error(*base, "ts", "--set", "psi=1") == (
        "--set: expected KEY=VALUE with one of windows, psi_floor, ks_floor, share_floor, "
        "min_window_rows, false_alarm_every, got 'psi=1'"
    )
    assert "psi_floor: expected" in error(*base, "ts", "--set", "psi_floor=x")
    assert error(*base, "ts", "--changed-at", "then") == (
        "--changed-at: expected a time such as 2026-11-23T12:00, got 'then'"
    )
    assert error(*base, "ts", "--every", "often").startswith("expected a duration such as")
    assert error(*base, "ts", "--ground-truth-time", "ts").startswith(
        "--ground-truth-time: expected"
    )
    (folder / "x.csv").write_text("ts,b\n2026-11-02,1\n")
    assert error("backtest", "x.csv", "--reference", known, "--time-column", "ts") == (
        "x.csv: expected columns of the reference, x, kind, prediction"
    )


def test_prometheus_makes_blocks_of_what_scrapes_would_have_shown(
    known: Path, folder: Path, require_binary: Callable[[str], str]
) -> None:
    promtool = require_binary("promtool")
    arguments = ("--reference", known, "--time-column", "ts", "--openmetrics", "past.txt")
    succeeded("backtest", "log.csv", *arguments, "--every", "1h")
    made = ["tsdb", "create-blocks-from", "openmetrics", "past.txt", "blocks"]
    subprocess.run([promtool, *made], check=True, capture_output=True)
    (folder / "blocks" / "wal").mkdir()  # which some promtool asks for
    series = '{__name__="mlmon_feature_drifted",feature="x"}'
    dump = [promtool, "tsdb", "dump", f"--match={series}", "blocks"]
    ran = subprocess.run(dump, check=True, capture_output=True, text=True)
    dumped = ran.stdout.splitlines()
    hours = {int(line.split()[-1]) / 1000 for line in dumped if 'window="24h"' in line}
    account = json.loads(
        run("backtest", "log.csv", *arguments[:4], "--every", "1h", "--json").stdout
    )["settings"]["as configured"]
    risen = {int(line.split()[-1]) / 1000 for line in dumped if line.split()[-2] == "1"}
    assert min(risen) == account["alarms"][0]["begin"]
    assert max(hours) == account["end"]
    assert all('job="mlmon-backtest"' in line for line in dumped)


def test_alerts_are_listed_as_pages_and_tickets(
    known: Path, require_binary: Callable[[str], str]
) -> None:
    require_binary("promtool")
    arguments = ("backtest", "log.csv", "--reference", known, "--time-column", "ts", "--alerts")
    text = succeeded(*arguments, "--every", "1h")
    assert re.search(r"ticket 2026-11-03 \d\d:\d\d to the end MlmonFeatureDrift: x", text)
    assert "evaluated by Prometheus: 0 pages (0.0 in 30 days) and 1 ticket (15.0" in text
    (notice,) = json.loads(run(*arguments, "--every", "1h", "--json").stdout)["notices"]
    assert (notice["kind"], notice["end"]) == ("ticket", None)
    assert [alert["feature"] for alert in notice["alerts"]] == ["x"]


def test_the_page_lists_pages_tickets_and_estimated_quality(
    known: Path, folder: Path, require_binary: Callable[[str], str]
) -> None:
    require_binary("promtool")
    arguments = ("backtest", "log.csv", "--reference", known, "--time-column", "ts", "--alerts")
    succeeded(*arguments, "--every", "1h", "--html", "backtest.html")
    page = (folder / "backtest.html").read_text()
    assert "<h2>Pages and tickets</h2>" in page
    assert "<div>MlmonFeatureDrift: x</div>" in page


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows_of_a_log(known: Path, folder: Path) -> None:
    peaks = []
    for name, parts in (("short", 2), ("long", 10)):
        schema = pa.schema(
            [("ts", pa.float64()), ("x", pa.float64()), ("prediction", pa.float64())]
        )
        with pyarrow.parquet.ParquetWriter(f"{name}.parquet", schema) as writer:
            for part in range(parts):
                rows = 100_000
                ts = 1.77e9 + 2.0 * (part * rows + np.arange(rows))
                x = np.random.default_rng(part).normal(size=rows)
                writer.write_table(pa.table({"ts": ts, "x": x, "prediction": x}, schema))
        code = (
            "import resource, sys; from mlmon_exporter.cli.program import program\n"
            "try: program()(sys.argv[1:])\n"
            "except SystemExit as done: assert not done.code\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        arguments = [f"{name}.parquet", "--reference", "bike.json", "--time-column", "ts"]
        command = [sys.executable, "-c", code, "backtest", *arguments, "--every", "1h", "--json"]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(ran.stdout.split()[-1]))
    assert peaks[1] < peaks[0] + 40 * 1024, "KiB; 800 000 more rows are 19 MB in the file alone"


def test_a_configuration_may_name_the_reference(known: Path, folder: Path) -> None:
    (folder / "mlmon.toml").write_text('[[models]]\nname = "bike"\nreference = "bike.json"\n')
    arguments = ("backtest", "log.csv", "--time-column", "ts")
    text = succeeded(*arguments, "--config", "mlmon.toml")
    assert "960 rows in 2.0 days: 1 alarm" in text
    assert error(*arguments) == (
        "--reference: expected a file, or --config with one model that has a reference, got 0 in it"
    )


def test_alerts_need_promtool(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert error(
        "backtest", "log.csv", "--reference", known, "--time-column", "ts", "--alerts"
    ) == ("--alerts: expected promtool on the PATH, got none; it comes with Prometheus")
