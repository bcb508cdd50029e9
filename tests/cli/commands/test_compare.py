"""Facts about `mlmon-exporter compare`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlmon_exporter import Reference
from tests.command_line import error, run, succeeded


def rows(seed: int, count: int, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count)
    return {
        "x": x + shift,
        "kind": rng.integers(1, 4, count),
        "prediction": x,
        "cnt": x + rng.normal(size=count),
    }


@pytest.fixture
def known(folder: Path) -> Path:
    """A reference file; beside it `same.csv` and `other.csv`."""
    Reference.build(
        rows(0, 3000),
        predictions="prediction",
        ground_truth="cnt",
        categorical=["kind"],
        model="bike",
    ).save("bike.json")
    pyarrow.csv.write_csv(pa.table(rows(1, 1000)), "same.csv")
    pyarrow.csv.write_csv(pa.table(rows(2, 1000, shift=1.0)), "other.csv")
    return folder / "bike.json"


def test_a_table_says_what_has_drifted(known: Path) -> None:
    text = succeeded("compare", "same.csv", "--reference", known, "--ground-truth", "cnt")
    assert "feature score value threshold verdict why" in text
    assert re.search(r"output prediction \w+ 0", text)
    assert re.search(r"quality all rows \w+", text)
    assert "1 000 rows as a window of 24h against" in text
    assert "0 columns of 3 drifted; 0 of 3 quality checks worse" in text
    result = run("compare", "other.csv", "--reference", known)
    assert result.exit_code == 1
    assert "1 column of 3 drifted" in " ".join(result.stdout.split())


@pytest.mark.parametrize(("fail_on", "code"), [("drift", 1), ("drift,quality", 1), ("none", 0)])
def test_the_exit_code_is_what_was_asked_for(known: Path, fail_on: str, code: int) -> None:
    arguments = ("--reference", known, "--ground-truth", "cnt", "--fail-on", fail_on)
    assert run("compare", "other.csv", *arguments).exit_code == code


def test_worse_quality_fails_where_it_is_asked_for(known: Path) -> None:
    bad = rows(3, 1000)
    bad["cnt"] = -bad["cnt"]
    pyarrow.parquet.write_table(pa.table(bad), "bad.parquet")
    arguments = ("compare", "bad.parquet", "--reference", known, "--ground-truth", "cnt")
    assert run(*arguments).exit_code == 0
    result = run(*arguments, "--fail-on", "quality", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert {check["name"] for check in found["quality"] if check["is_worse"]} >= {"mae", "rmse"}


def test_json_is_what_python_gets(known: Path) -> None:
    found = json.loads(run("compare", "other.csv", "--reference", known, "--json").stdout)
    table = pyarrow.csv.read_csv("other.csv")
    ours = Reference.load(known).compare(table).to_dict()
    assert found["columns"] == ours["columns"]


def test_the_page_and_the_textfile_are_written(known: Path, folder: Path) -> None:
    arguments = ("--reference", known, "--html", "drift.html", "--textfile", "bike.prom")
    assert run("compare", "other.csv", *arguments).exit_code == 1
    assert "1 of 3 columns drifted" in (folder / "drift.html").read_text()
    text = (folder / "bike.prom").read_text()
    samples = {
        (sample.name, sample.labels.get("feature")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["mlmon_feature_drifted", "x"] == 1.0
    assert samples["mlmon_feature_drifted", "kind"] == 0.0
    assert sorted(path.name for path in folder.iterdir() if "prom" in path.name) == ["bike.prom"]


def test_nothing_to_judge_is_not_taken_for_calm(known: Path) -> None:
    pyarrow.csv.write_csv(pa.table(rows(4, 30)), "few.csv")
    result = run("compare", "few.csv", "--reference", known)
    assert result.exit_code == 2
    assert result.stderr == (
        "mlmon-exporter: --fail-on drift: nothing could be judged: 30 rows, of 100 at least; "
        "give more rows, or --fail-on none\n"
    )
    assert run("compare", "few.csv", "--reference", known, "--fail-on", "none").exit_code == 0


def test_texts_further_down_a_column_of_numbers_are_read(known: Path, folder: Path) -> None:
    lines = (folder / "same.csv").read_text().splitlines()
    long = [lines[0], *lines[1:] * 120, '"broken",1,0.0,0.0']
    (folder / "long.csv").write_text("\n".join(long))
    found = json.loads(run("compare", "long.csv", "--reference", known, "--json").stdout)
    assert found["rows"] == 120_001
    assert not found["columns"][0]["is_drifted"]


def test_mistakes_are_named_in_a_line(known: Path, folder: Path) -> None:
    compare = ("compare", "same.csv", "--reference", known)
    assert error(*compare, "--fail-on", "all") == (
        "--fail-on: expected drift, quality, none, got 'all'"
    )
    assert error(*compare, "--fail-on", "quality").startswith(
        "--fail-on quality: expected --ground-truth"
    )
    assert error(*compare, "--ground-truth", "cn") == (
        "same.csv: --ground-truth: there is no column 'cn'; did you mean 'cnt'?"
    )
    assert "windows[0]: expected a duration" in error(*compare, "--window", "day")
    (folder / "x.csv").write_text("b\n1\n")
    assert error("compare", "x.csv", "--reference", known) == (
        "x.csv: expected columns of the reference, x, kind, prediction; got b"
    )
    assert error("compare", "same.csv", "--reference", "no.json").startswith(
        "no.json: cannot read the reference"
    )
    assert "refused" in error(*compare, "--pushgateway", "http://127.0.0.1:9")
