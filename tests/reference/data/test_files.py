"""Facts about data files: every format gives the same columns, whatever the sizes of blocks."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.reference.data import files as data_files
from mlmon_exporter.reference.data import readers as file_readers
from mlmon_exporter.reference.data.arrow import times_of
from mlmon_exporter.reference.data.files import DataError, DataFiles, TypeConflictError
from mlmon_exporter.reference.from_files import reference_from_files
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.roles import Roles
from tests.reference.data.written import (
    FORMATS,
    HOUR,
    NAN,
    ROWS,
    read,
    same,
    write,
    write_text,
)


def column(reference: Reference, name: str) -> ColumnReference:
    return next(c for c in (*reference.features, *reference.outputs) if c.name == name)


def categories(reference: Reference, name: str) -> dict[str, int]:
    found = column(reference, name)
    assert isinstance(found.bins, CategoryBins)
    return dict(zip(found.bins.categories, found.counts.tolist(), strict=False))


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_same_columns(tmp_path: Path, table: Any, ending: str) -> None:
    files = DataFiles(write(tmp_path / f"data.{ending}", table))
    found = read(files)
    assert {name: c.kind for name, c in files.columns.items()} == {
        "temp": "numeric",
        "riders": "numeric",
        "town": "categorical",
        "open": "numeric",
    }
    assert same(found["temp"], table["temp"].to_numpy())
    assert same(found["riders"], table["riders"].to_numpy())
    assert same(found["open"], table["open"].to_numpy())
    towns = table["town"].to_pylist()
    assert found["town"] == {town: towns.count(town) for town in towns}


@pytest.mark.parametrize("block", [64, 100, 1000, 2**20])
@pytest.mark.parametrize("chunk", [1024, 65_536])
def test_the_size_of_blocks_changes_nothing(
    tmp_path: Path, table: Any, monkeypatch: pytest.MonkeyPatch, block: int, chunk: int
) -> None:
    path = write(tmp_path / "data.csv", table)
    monkeypatch.setattr(file_readers, "CSV_BLOCK", block)
    monkeypatch.setattr(data_files, "CHUNK_ROWS", chunk)
    found = read(DataFiles(path))
    assert same(found["temp"], table["temp"].to_numpy())
    assert sum(found["town"].values()) == ROWS


def test_only_the_columns_that_are_asked_for_are_given(tmp_path: Path, table: Any) -> None:
    files = DataFiles(write(tmp_path / "data.parquet", table))
    ((columns, rows),) = files.chunks(["open", "temp"])
    assert (list(columns), rows) == (["open", "temp"], ROWS)


def test_a_file_may_be_read_again_and_progress_counts_the_times(tmp_path: Path, table: Any) -> None:
    files = DataFiles(write(tmp_path / "data.csv.gz", table))
    first = read(files)
    assert files.progress == 1.0
    second = read(files)
    assert files.progress == 2.0
    assert same(second["temp"], first["temp"])


# What CSV says of types, and takes back.


def test_integers_may_become_fractions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_readers, "CSV_BLOCK", 64)
    path = write_text(tmp_path / "d.csv", "a,b", *["1,x"] * 100, "1.5,y", "99999999999999999999,y")
    found = read(DataFiles(path))["a"]
    assert same(found, [1.0] * 100 + [1.5, 1e20])


def test_a_column_may_begin_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_readers, "CSV_BLOCK", 64)
    path = write_text(tmp_path / "d.csv", "a,b", *[",1"] * 100, "7,1")
    files = DataFiles(path)
    assert files.columns["a"].kind == "empty"
    assert same(read(files)["a"], [NAN] * 100 + [7.0])


@pytest.mark.parametrize("start", ["1", "1.5", "", "true"])
def test_texts_among_numbers_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    monkeypatch.setattr(file_readers, "CSV_BLOCK", 64)
    path = write_text(tmp_path / "d.csv", "a,b", *[f"{start},1"] * 100, *["?,1"] * 12)
    files = DataFiles(path)
    with pytest.raises(TypeConflictError, match=r"d.csv: a: expected a number, got '\?'"):
        read(files)
    reference = reference_from_files(files, Roles(), "m")
    if start:
        assert (column(reference, "a").kind, column(reference, "a").missing) == ("numeric", 12)
        assert files.stray_texts == {"a": "?"}
    else:
        assert categories(reference, "a") == {"?": 12}
        assert column(reference, "a").missing == 100
    assert column(reference, "b").kind == "numeric"


def shuffled(cells: list[str]) -> st.SearchStrategy[tuple[list[str], list[str]]]:
    return st.tuples(st.just(cells), st.permutations(cells))


CELLS = ["1.10", "2", "-3e0", "True", "unknown", "?", "", "NA", " 5 "]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(CELLS), min_size=1, max_size=60).flatmap(shuffled))
def test_the_majority_of_rows_is_the_kind_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, orders: tuple[list[str], list[str]]
) -> None:
    cells, found = orders[0], []
    for rows in orders:
        path = tmp_path_factory.mktemp("d") / "d.csv"
        write_text(path, "a,b", *[f"{cell},1" for cell in rows])
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(file_readers, "CSV_BLOCK", 64)
            found.append(column(reference_from_files(DataFiles(path), Roles(), "m"), "a"))
    assert found[0].kind == found[1].kind
    assert found[0].counts.tolist() == found[1].counts.tolist()
    texts = sum(cell in ("unknown", "?") for cell in cells)
    numbers = sum(cell in ("1.10", "2", "-3e0", "True", " 5 ") for cell in cells)
    if numbers > texts + cells.count("NA"):
        assert (found[0].kind, found[0].values) == ("numeric", numbers)
    if texts > numbers:
        assert found[0].kind == "categorical"


def test_many_columns_may_turn_out_to_be_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_readers, "CSV_BLOCK", 64)
    lines = ["1,1,1,1"] * 50 + ["1,x,1,1"] + ["1,1,1,1"] * 50 + ["y,1,1,1"] * 10 + ["1,1,1,z"]
    reference = reference_from_files(
        DataFiles(write_text(tmp_path / "d.csv", "a,b,c,d", *lines)), Roles(), "m"
    )
    assert [(c.kind, c.missing) for c in reference.features] == [
        ("numeric", 10),
        ("numeric", 1),
        ("numeric", 0),
        ("numeric", 1),
    ]


def test_texts_for_missing_values_are_missing_in_numbers_and_in_texts(tmp_path: Path) -> None:
    path = write_text(tmp_path / "d.csv", "a,b,c", "1,x,1", "?,?,", "-,-,NA", ",,2", "NA,NA,null")
    files = DataFiles(path, missing=["?", "-"])
    found = read(files)
    assert same(found["a"], [1.0, NAN, NAN, NAN, NAN])
    assert found["b"] == {"x": 1, None: 3, "NA": 1}  # Namibia
    assert same(found["c"], [1.0, NAN, NAN, 2.0, NAN])


def test_categories_of_numbers_are_named_as_requests_name_them(tmp_path: Path) -> None:
    lines = ["1,007,1.0,true", "1.0,7,2.50,false", "2,10,NA,true", ",,3,"]
    path = write_text(tmp_path / "d.csv", "a,zip,c,flag", *lines)
    found = read(DataFiles(path, categorical=["a", "zip", "c", "flag"]))
    assert found["a"] == {"1": 2, "2": 1, None: 1}
    assert found["zip"] == {"007": 1, "7": 1, "10": 1, None: 1}
    assert found["c"] == {"1": 1, "2.5": 1, None: 1, "3": 1}
    assert found["flag"] == {"true": 2, "false": 1, None: 1}


def test_times_in_csv_stay_as_they_are_written(tmp_path: Path) -> None:
    path = write_text(tmp_path / "d.csv", "day,at", "2026-11-23,08:00", "2026-11-24,09:30")
    assert read(DataFiles(path)) == {
        "day": {"2026-11-23": 1, "2026-11-24": 1},
        "at": {"08:00": 1, "09:30": 1},
    }


# What Arrow's types become.


# Folders.


# Times.


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            pa.array(["1970-01-01", "1970-01-01T01:00:00", "", None, "?"]),
            [0.0, HOUR, NAN, NAN, NAN],
        ),
        (pa.array(["1970-01-01 01:00:00Z", "1970-01-01T01:00:00+01:00"]), [HOUR, 0.0]),
        (pa.array(["1970-01-02"]).dictionary_encode(), [24 * HOUR]),
        (pa.array([1.5, None]), [1.5, NAN]),
        (pa.array(["1970-01-01 01:00:00Z", "1970-01-01T01:00:00", "1.7e12"]), [HOUR, HOUR, 1.7e9]),
        (pa.array([1_700_000_000_000, None]), [1.7e9, NAN]),
        (pa.array([1_700_000_000_000_000_000]), [1.7e9]),
        (pa.array([1_700_000_000_000], pa.timestamp("ms", "Europe/Berlin")), [1.7e9]),
        (pa.array([date(1970, 1, 2), date(9999, 12, 31)]), [24 * HOUR, NAN]),
        (pa.array([datetime(1970, 1, 1, 1)]), [HOUR]),  # noqa: DTZ001
    ],
)
def test_times_are_read_however_they_are_written(values: Any, expected: list[float]) -> None:
    assert same(times_of(values, ["?"]), expected)


def test_a_time_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    files = DataFiles(write_text(tmp_path / "d.csv", "when,a", "23/11/2026,1"))
    with pytest.raises(DataError, match=r"d.csv: when: expected times such as 2026.*23/11/2026"):
        reference_from_files(files, Roles(time_column=("when",)), "m")


def test_times_that_turn_out_to_be_texts_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_readers, "CSV_BLOCK", 64)
    path = write_text(tmp_path / "d.csv", "at,a", *["1767225600,1"] * 20, "2026-01-01,1")
    with pytest.raises(DataError, match="at: expected a number, got '2026-01-01'"):
        reference_from_files(DataFiles(path), Roles(time_column=("at",)), "m")


@pytest.mark.parametrize("wrong", [float("inf"), -1e308, 2e15, -6.2e10])
def test_a_wrong_time_among_others_takes_no_memory_and_counts_its_row(
    tmp_path: Path, wrong: float
) -> None:
    table = pa.table({"at": [0.0, 86400.0, wrong, NAN], "a": [1.0, 2.0, 3.0, 4.0]})
    files = DataFiles(write(tmp_path / "d.parquet", table))
    reference = reference_from_files(files, Roles(time_column=("at",)), "m")
    assert [(c.name, c.rows) for c in reference.features] == [("a", 4)]


# Wide data.


@pytest.mark.slow
def test_a_chunk_of_wide_data_has_fewer_rows(tmp_path: Path) -> None:
    columns = {f"c{i}": np.zeros(3000) for i in range(5000)}
    files = DataFiles(write(tmp_path / "d.parquet", pa.table(columns)))
    assert [rows for _, rows in files.chunks(list(columns))] == [2048, 952]
    assert [rows for _, rows in files.chunks(["c0"])] == [3000]


# Which part columns play.


# What cannot be read.


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.csv", b"", "Empty CSV"),
        ("d.csv", b"a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("d.csv", b"a,b\n1,\xe9\xff\n", "b: expected UTF-8"),
        ("d.csv", b"a,\xe9\xff\n1,2\n", "expected UTF-8"),
        ("d.csv", b'a,"b\nc\x1b"\n1,\xe9\xff\n', r"b\\nc\\x1b: expected UTF-8"),
        ("d.csv", "a,b\n1,2\n".encode("utf-16"), "expected UTF-8, got UTF-16; save"),
        ("d.csv", b"a,b,a\n1,2,3\n", "expected each column once, got 'a' 2 times"),
        ("d.csv", b"a,b\n", "expected rows, got none"),
        ("d.csv.gz", b"not gzip", "cannot be read"),
        ("d.parquet", b"not parquet", "cannot be read"),
        ("d.arrow", b"not arrow", "cannot be read"),
        ("d.xlsx", b"PK", "expected a file that ends in .csv, .tsv, .parquet"),
    ],
)
def test_files_that_cannot_be_read_are_errors_of_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        reference_from_files(DataFiles(path), Roles(), "m")
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()


def test_integers_are_known_exactly_after_one_pass(tmp_path: Path) -> None:
    table = pa.table({"a": np.arange(5000) % 7, "b": ["x"] * 5000})
    files = DataFiles(write(tmp_path / "d.parquet", table))
    reference = reference_from_files(files, Roles(), "m")
    assert files.progress == 1.0
    found = column(reference, "a")
    assert isinstance(found.bins, NumericBins)
    assert found.counts[found.counts > 0].tolist() == np.bincount(np.arange(5000) % 7).tolist()
