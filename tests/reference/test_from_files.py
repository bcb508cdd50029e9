"""Facts about references built from files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from mlmon_exporter.cli.program import program
from mlmon_exporter.config.keys import Duration
from mlmon_exporter.core.profile.form import column_to_dict
from mlmon_exporter.reference.data import files as data_files
from mlmon_exporter.reference.data.files import DataError, DataFiles
from mlmon_exporter.reference.from_files import reference_from_files
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.roles import Roles
from mlmon_exporter.reference.warnings import file_warnings
from tests.reference.data.written import (
    FORMATS,
    HOUR,
    ROWS,
    write,
)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_reference_is_the_same_from_files_and_from_memory(
    tmp_path: Path, table: Any, ending: str
) -> None:
    files = DataFiles(write(tmp_path / f"data.{ending}", table), categorical=["riders"])
    built = reference_from_files(files, Roles(categorical=("riders",)), "m")
    memory = {name: table[name].to_pylist() for name in table.column_names}
    expected = Reference.build(memory, categorical=["riders"])
    for ours, theirs in zip(built.features, expected.features, strict=True):
        assert ours.name == theirs.name
        assert ours.counts.tolist() == theirs.counts.tolist()
        assert ours.bins.intervals == theirs.bins.intervals


def hourly(days: int) -> Any:
    """Rows whose value and category depend on the hour of the day."""
    rng = np.random.default_rng(0)
    hours = np.arange(24 * days * 20) / 20
    night = hours % 24 < 8
    return pa.table(
        {
            "ts": pa.array((hours * 3600 * 1e6).astype(np.int64), pa.timestamp("us")),
            "load": np.where(night, 0.0, 5.0) + rng.normal(size=len(hours)),
            "shift": pa.array(np.where(night, "night", rng.choice(["day", "late"], len(hours)))),
            "constant": rng.normal(size=len(hours)),
        }
    )


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_time_column_tells_what_varies_by_nature(tmp_path: Path, ending: str) -> None:
    table = hourly(days=5)
    files = DataFiles(write(tmp_path / f"d.{ending}", table))
    roles = Roles(time_column=("ts",))
    windows = [Duration.parse("1h"), Duration.parse("12h")]
    built = reference_from_files(files, roles, "m", windows)
    assert [c.name for c in built.features] == ["load", "shift", "constant"]
    expected = Reference.build(
        {n: table[n].to_numpy(zero_copy_only=False) for n in table.column_names},
        time_column="ts",
        windows=[window.seconds for window in windows],
    )
    for ours, theirs in zip(built.features, expected.features, strict=True):
        assert ours.variation == theirs.variation
    psi = {c.name: c.natural("psi", HOUR).variance for c in built.features}
    assert min(psi["load"], psi["shift"]) > 10 * psi["constant"]


def test_columns_are_read_in_groups_when_they_are_many(
    tmp_path: Path, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = DataFiles(write(tmp_path / "d.parquet", table))
    together = reference_from_files(files, Roles(prediction=("open",)), "m")
    monkeypatch.setattr(data_files, "GROUP_BYTES", 1)
    assert files.groups(["temp", "open", "town"]) == [("temp",), ("open",), ("town",)]
    shares: list[float] = []
    apart = reference_from_files(files, Roles(prediction=("open",)), "m", on_progress=shares.append)
    assert shares == sorted(shares)
    assert [*map(column_to_dict, apart.features)] == [*map(column_to_dict, together.features)]
    assert [c.name for c in apart.outputs] == ["open"]


def test_features_are_what_is_left(tmp_path: Path, table: Any) -> None:
    files = DataFiles(write(tmp_path / "d.parquet", table))
    roles = Roles(prediction=("temp",), ground_truth=("riders",), ignore=("open",))
    reference = reference_from_files(files, roles, "m")
    assert ([c.name for c in reference.features], reference.model) == (["town"], "m")
    assert [c.name for c in reference.outputs] == ["temp"]
    only = Roles(features=("open",), segment=("town",))
    assert [c.name for c in reference_from_files(files, only, "m").features] == ["open", "town"]


@pytest.mark.parametrize(
    ("ending", "name"), [("parquet", "__index_level_0__"), ("feather", ""), ("csv", "")]
)
def test_the_index_that_pandas_writes_is_no_feature(
    tmp_path: Path, table: Any, ending: str, name: str
) -> None:
    table = table.add_column(0, name, [list(range(ROWS))])
    files = DataFiles(write(tmp_path / f"d.{ending}", table))
    found = reference_from_files(files, Roles(), "m")
    assert [c.name for c in found.features] == ["temp", "riders", "town", "open"]
    assert [c.name for c in Reference.build(table).features] == ["temp", "riders", "town", "open"]
    assert [text for text in file_warnings(files, Roles(), found) if "index" in text] == [
        f"pandas' index numbers the rows: {name!r} left out"
    ]
    named = Roles(features=(name, "temp"))
    only = reference_from_files(files, named, "m")
    assert [c.name for c in only.features] == [name, "temp"]
    assert not [text for text in file_warnings(files, named, only) if "index" in text]


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (
            Roles(prediction=("tmp",)),
            r"--prediction: there is no column 'tmp'; did you mean 'temp'",
        ),
        (Roles(ground_truth=("zzz",)), r"--ground-truth: there is no column 'zzz'; there are temp"),
        (Roles(segment=("x",)), "--segment: there is no column 'x'"),
        (Roles(segment=("town",), ignore=("town",)), "--ignore: 'town' is named in --segment"),
        (Roles(features=("temp",), prediction=("temp",)), "'temp' is named in --features"),
        (Roles(time_column=("temp", "open")), "--time-column: expected one column, got temp, open"),
        (Roles(ignore=("temp", "riders", "town", "open")), "expected a feature or --prediction"),
    ],
)
def test_parts_that_do_not_fit_are_errors_that_say_how(
    tmp_path: Path, table: Any, roles: Roles, message: str
) -> None:
    files = DataFiles(write(tmp_path / "d.parquet", table))
    with pytest.raises(DataError, match=message):
        reference_from_files(files, roles, "m")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv", b'a,"b\nc\x1b"\n1,\xe9\xff\n'),
        ("d.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:-12]),
        ("d.parquet", b"PAR1" + b"\xff" * 20 + b"\x14\0\0\0PAR1"),
        ("d.arrow", b"ARROW1\0\0" + b"\xff" * 20),
    ],
)
def test_the_command_says_in_one_line_what_cannot_be_read(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path, out = tmp_path / name, tmp_path / "m.json"
    path.write_bytes(content)
    result = CliRunner().invoke(program(), ["build-reference", str(path), "--out", str(out)])
    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (2, 1, "")
    assert result.stderr.startswith(f"mlmon-exporter: {path}: ")
    assert not out.exists()


@pytest.mark.parametrize("scale", [10**3, 10**6, 10**9])
def test_numbers_of_a_time_column_tell_their_unit(tmp_path: Path, scale: int) -> None:
    table = hourly(days=5)
    seconds = table["ts"].cast(pa.int64()).to_numpy() // 10**6 + 1_700_000_000
    built = []
    for factor in (1, scale):
        units = table.set_column(0, "ts", pa.array(seconds * factor))
        for ending in ("csv", "parquet"):
            files = DataFiles(write(tmp_path / f"d{factor}.{ending}", units))
            found = reference_from_files(files, Roles(time_column=("ts",)), "m")
            built.append([c.variation for c in found.features])
    assert built[0][0]
    assert all(each == built[0] for each in built)
