"""Facts about readers of files, by format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from mlmon_exporter.reference.data.files import DataError, DataFiles
from mlmon_exporter.reference.from_files import reference_from_files
from mlmon_exporter.reference.roles import Roles
from tests.reference.data.written import (
    ROWS,
    damaged,
    read,
    same,
    write,
    write_text,
)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_tells_the_delimiter(tmp_path: Path, delimiter: str) -> None:
    path = write_text(tmp_path / "d.csv", f'"a,b"{delimiter}c', f"1{delimiter}2")
    assert list(DataFiles(path).columns) == ["a,b", "c"]


def test_a_name_in_the_header_may_have_a_break(tmp_path: Path) -> None:
    path = write_text(tmp_path / "d.csv", '"a\nb";c', "1;2")
    assert list(DataFiles(path).columns) == ["a\nb", "c"]


@pytest.mark.parametrize("end", ["\n", "\r", ""])
def test_a_csv_file_with_very_many_columns_takes_no_memory(tmp_path: Path, end: str) -> None:
    path = write_text(tmp_path / "d.csv", "," * 2_000_000, end=end)
    with pytest.raises(DataError, match="expected 100000 columns at most, got 2000001"):
        DataFiles(path)


def test_a_csv_file_with_returns_for_ends_is_not_taken_for_one_line(tmp_path: Path) -> None:
    path = write_text(tmp_path / "d.csv", "a,b", *["1,2"] * 150_000, end="\r")
    assert len(read(DataFiles(path))["a"]) == 150_000


def test_a_csv_file_may_have_a_mark_carriage_returns_and_breaks_in_texts(tmp_path: Path) -> None:
    path = write_text(tmp_path / "d.csv", "\ufeffa,b", '1,"x\ny"', "2,z", end="\r\n")
    found = read(DataFiles(path))
    assert same(found["a"], [1.0, 2.0])
    assert found["b"] == {"x\ny": 1, "z": 1}


def test_a_single_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert same(read(DataFiles(write_text(tmp_path / "d.csv", "a", "1", "2")))["a"], [1.0, 2.0])


def test_a_parquet_file_with_a_dot_in_a_name_and_many_row_groups(tmp_path: Path) -> None:
    table = pa.table({"a.b": np.arange(100.0), "a": np.zeros(100)})
    pyarrow.parquet.write_table(table, tmp_path / "d.parquet", row_group_size=7)
    assert same(read(DataFiles(tmp_path / "d.parquet"), ["a.b"])["a.b"], np.arange(100.0).tolist())


def test_a_feather_file_whose_rows_are_damaged_is_an_error(tmp_path: Path) -> None:
    numbers = np.arange(500.0)
    path = write(tmp_path / "d.feather", pa.table({"a": numbers}))
    lz4 = (0x184D2204).to_bytes(4, "little")
    files = DataFiles(damaged(path, lz4, b"\xff" * 4))
    with pytest.raises(DataError, match=r"d.feather: cannot be read: "):
        reference_from_files(files, Roles(), "m")


def test_a_parquet_file_with_fewer_rows_than_it_says_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "d.parquet", pa.table({"a": np.arange(ROWS)}))
    start = int.from_bytes(path.read_bytes()[-8:-4], "little")
    thousand, more = b"\x16\xd0\x0f", b"\x16\xd2\x0f"  # twice as much, seven bits a byte
    damaged(path, thousand, more, path.stat().st_size - 8 - start)
    with pytest.raises(DataError, match="expected the 1001 rows it says it has, got 1000"):
        read(DataFiles(path))


def test_checksums_of_a_parquet_file_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    no = dict.fromkeys(("use_dictionary", "write_statistics"), False)
    table = pa.table({"a": [1.0, 1234.5, 2.0]})
    pyarrow.parquet.write_table(table, path, compression="none", write_page_checksum=True, **no)
    files = DataFiles(damaged(path, np.float64(1234.5).tobytes(), np.float64(1.5).tobytes()))
    with pytest.raises(DataError, match=r"cannot be read: .*[Cc][Rr][Cc]"):
        read(files)
