"""Facts about folders of files: one table, with values in the names of folders."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from mlmon_exporter.reference.data.files import DataError, DataFiles
from tests.reference.data.written import (
    NAN,
    read,
    same,
    write,
    write_text,
)


def test_the_files_of_a_folder_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "_logs").mkdir()
    write_text(tmp_path / "a.csv", "x,y", "1,2")
    with gzip.open(tmp_path / "b" / "z.csv.gz", "wt") as file:
        file.write("y,x\n20,10\n")
    write_text(tmp_path / "notes.txt", "not data")
    write_text(tmp_path / ".hidden.csv", "q", "1")
    write_text(tmp_path / "_logs" / "c.csv", "q", "1")
    found = read(DataFiles(tmp_path))
    assert sorted(found) == ["x", "y"]
    assert same(found["x"], [1.0, 10.0])
    assert same(found["y"], [2.0, 20.0])


def test_formats_types_and_columns_may_differ_between_files(tmp_path: Path) -> None:
    write_text(tmp_path / "1.csv", "a,b,c", "1,1,1")
    write(tmp_path / "2.parquet", pa.table({"a": [2.5], "b": ["x"]}))
    write(tmp_path / "3.feather", pa.table({"a": pa.array([3], pa.int32()), "c": [None]}))
    found = read(DataFiles(tmp_path))
    assert same(found["a"], [1.0, 2.5, 3.0])
    assert found["b"] == {"1": 1, "x": 1, None: 1}
    assert same(found["c"], [1.0, NAN, NAN])


def test_folders_may_name_the_value_of_a_column(tmp_path: Path) -> None:
    for year, town in [
        ("2025", "Ulm"),
        ("2026", "K%C3%B6ln"),
        ("2026", "__HIVE_DEFAULT_PARTITION__"),
    ]:
        folder = tmp_path / f"year={year}" / f"town={town}"
        folder.mkdir(parents=True)
        write(folder / "part-0.parquet", pa.table({"a": [1.0, 2.0]}))
    found = read(DataFiles(tmp_path))
    assert found["town"] == {"Ulm": 2, "Köln": 2, None: 2}
    assert same(np.sort(found["year"]), [2025.0, 2025.0, 2026.0, 2026.0, 2026.0, 2026.0])


def test_there_must_be_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got nothing of that name"):
        DataFiles(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="got none in the folder"):
        DataFiles(tmp_path)
