"""Facts about data files: every format gives the same columns, whatever the sizes of blocks."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
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
from numpy.typing import NDArray
from typer.testing import CliRunner

from mlmon_exporter.cli.program import program
from mlmon_exporter.config.keys import Duration
from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.profile.categories import MOST_NAMED, CategoryCounts
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.form import column_to_dict
from mlmon_exporter.reference.data import files as data_files
from mlmon_exporter.reference.data import readers as file_readers
from mlmon_exporter.reference.data.arrow import categories_of, kind_of, numbers_of, times_of
from mlmon_exporter.reference.data.files import DataError, DataFiles, TypeConflictError
from mlmon_exporter.reference.from_files import Roles, reference_from_files
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.warnings import file_warnings

NAN = float("nan")
HOUR = 3600.0


def write_text(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def write(path: Path, table: Any) -> Path:
    """Write a table in the format of the path."""
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, path)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    else:
        with (
            pa.CompressedOutputStream(path, "gzip")
            if path.suffix == ".gz"
            else pa.OSFile(str(path), "wb") as file
        ):
            pyarrow.csv.write_csv(table, file)
    return path


def read(files: DataFiles, names: Sequence[str] | None = None) -> dict[str, Any]:
    """All rows of some columns: arrays of numbers, or a dictionary of rows by category."""
    wanted = list(files.columns) if names is None else names
    parts: dict[str, list[Any]] = {name: [] for name in wanted}
    for columns, rows in files.chunks(wanted):
        for name in wanted:
            values = columns[name]
            assert _rows(values) == rows
            parts[name].append(values)
    return {name: joined(values) for name, values in parts.items()}


def _rows(values: Any) -> int:
    if isinstance(values, CategoryCounts):
        return sum(values.rows) + values.missing + values.other
    return len(values)


def joined(parts: Iterable[Any]) -> Any:
    found = list(parts)
    if not isinstance(found[0], CategoryCounts):
        return np.concatenate(found)
    rows: dict[str | None, int] = {}
    for part in found:
        for name, count in [*zip(part.names, part.rows, strict=True), (None, part.missing)]:
            rows[name] = rows.get(name, 0) + count
    return {name: count for name, count in rows.items() if count}


def same(values: NDArray[np.float64], expected: Sequence[float]) -> bool:
    assert values.dtype == np.float64
    return bool(np.array_equal(values, np.array(expected, dtype=np.float64), equal_nan=True))


def column(reference: Reference, name: str) -> ColumnReference:
    return next(c for c in (*reference.features, *reference.outputs) if c.name == name)


def categories(reference: Reference, name: str) -> dict[str, int]:
    found = column(reference, name)
    assert isinstance(found.bins, CategoryBins)
    return dict(zip(found.bins.categories, found.counts.tolist(), strict=False))


ROWS = 1000
FORMATS = ("csv", "csv.gz", "parquet", "feather", "arrow")


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


# What Arrow's types become.

TYPES: Mapping[str, tuple[Any, str, list[float]]] = {
    "int8": (pa.array([1, None], pa.int8()), "numeric", [1.0, NAN]),
    "uint64": (pa.array([2**63, None], pa.uint64()), "numeric", [2.0**63, NAN]),
    "half": (pa.array([np.float16(1.5), None], pa.float16()), "numeric", [1.5, NAN]),
    "float": (pa.array([0.5, None], pa.float32()), "numeric", [0.5, NAN]),
    "double": (pa.array([0.1, NAN, None]), "numeric", [0.1, NAN, NAN]),
    "bool": (pa.array([True, False, None]), "numeric", [1.0, 0.0, NAN]),
    "decimal": (pa.array([Decimal("1.25"), None]), "numeric", [1.25, NAN]),
    "wide decimal": (pa.array([Decimal("1.25")], pa.decimal256(60, 2)), "numeric", [1.25]),
    "codes": (pa.array([5, None, 5]).dictionary_encode(), "numeric", [5.0, NAN, 5.0]),
    "null": (pa.array([None, None]), "empty", [NAN, NAN]),
    "date": (pa.array([date(1970, 1, 2), None]), "time", [24 * HOUR, NAN]),
    "date64": (pa.array([date(1970, 1, 2)], pa.date64()), "time", [24 * HOUR]),
    "timestamp": (pa.array([datetime(1970, 1, 1, 1), None]), "time", [HOUR, NAN]),  # noqa: DTZ001
    "with zone": (pa.array([datetime(1970, 1, 1, 1, tzinfo=UTC)]), "time", [HOUR]),
    "ns": (pa.array([1_500_000_000], pa.timestamp("ns")), "time", [1.5]),
    "time": (pa.array([time(1), None], pa.time32("s")), "time", [HOUR, NAN]),
    "time64": (pa.array([time(1), None]), "time", [HOUR, NAN]),
    "duration": (pa.array([timedelta(hours=1), None]), "time", [HOUR, NAN]),
    "coded dates": (pa.array([date(1970, 1, 2), None]).dictionary_encode(), "time", [86400.0, NAN]),
    "coded decimals": (pa.array([Decimal("1.25")]).dictionary_encode(), "numeric", [1.25]),
    "coded booleans": (pa.array([True, None]).dictionary_encode(), "numeric", [1.0, NAN]),
}


@pytest.mark.parametrize("name", TYPES)
def test_numbers_and_times_become_floats(tmp_path: Path, name: str) -> None:
    array, kind, expected = TYPES[name]
    assert kind_of(array.type) == kind
    assert same(numbers_of(pa.chunked_array([array])), expected)
    path = tmp_path / "d.arrow"
    with pa.ipc.new_file(path, pa.schema([("a", array.type)])) as file:
        file.write_table(pa.table({"a": array}))
    assert same(read(DataFiles(path))["a"], expected)


CATEGORIES: Mapping[str, tuple[Any, dict[str | None, int]]] = {
    "texts": (pa.array(["a", "b", "a", "", None]), {"a": 2, "b": 1, None: 2}),
    "large texts": (pa.array(["a", None], pa.large_string()), {"a": 1, None: 1}),
    "views": (pa.array(["a", None], pa.string_view()), {"a": 1, None: 1}),
    "dictionary": (pa.array(["a", "b", "a", None]).dictionary_encode(), {"a": 2, "b": 1, None: 1}),
    "integers": (pa.array([1, 2, None, 1]), {"1": 2, "2": 1, None: 1}),
    "floats": (pa.array([1.0, 2.5, NAN, None]), {"1": 1, "2.5": 1, None: 2}),
    "booleans": (pa.array([True, False, None]), {"true": 1, "false": 1, None: 1}),
    "decimals": (pa.array([Decimal("1.50")]), {"1.5": 1}),
    "dates": (pa.array([date(2026, 11, 23)]), {"2026-11-23": 1}),
    "coded dates": (pa.array([date(2026, 11, 23)]).dictionary_encode(), {"2026-11-23": 1}),
    "coded decimals": (pa.array([Decimal("1.50"), None]).dictionary_encode(), {"1.5": 1, None: 1}),
    "nulls": (pa.array([None, None]), {None: 2}),
    "nothing": (pa.array([], pa.string()), {}),
}


@pytest.mark.parametrize("name", CATEGORIES)
@pytest.mark.parametrize("with_codes", [False, True])
def test_values_become_categories_by_name(name: str, with_codes: bool) -> None:
    array, expected = CATEGORIES[name]
    counted = categories_of(pa.chunked_array([array]), with_codes=with_codes)
    assert joined([counted]) == expected
    if with_codes:
        assert counted.codes is not None
        named = [*counted.names, None]
        by_row = [named[code] for code in counted.codes.tolist()]
        assert {name: by_row.count(name) for name in by_row} == expected
    else:
        assert counted.codes is None


def test_dictionaries_may_differ_between_chunks() -> None:
    parts = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "b"]).dictionary_encode()]
    counted = categories_of(pa.chunked_array(parts), with_codes=True)
    assert joined([counted]) == {"a": 1, "b": 2, "c": 1}
    assert counted.codes is not None
    assert [counted.names[code] for code in counted.codes] == ["a", "b", "c", "b"]


def test_only_the_most_frequent_of_very_many_categories_are_named() -> None:
    names = [f"rare {i}" for i in range(2 * MOST_NAMED)]
    counted = categories_of(pa.array([*names, *["common"] * 5, None]))
    assert len(counted.names) == MOST_NAMED
    assert dict(zip(counted.names, counted.rows, strict=True))["common"] == 5
    assert (counted.other, counted.missing) == (MOST_NAMED + 1, 1)


def test_columns_that_cannot_be_watched_are_known_and_left_out(tmp_path: Path) -> None:
    table = pa.table({"a": [1.0, 2.0], "vector": [[1.0], [2.0]], "raw": [b"x", b"y"]})
    files = DataFiles(write(tmp_path / "d.parquet", table))
    assert {n: c.kind for n, c in files.columns.items()} == {
        "a": "numeric",
        "vector": "other",
        "raw": "other",
    }
    assert [c.name for c in reference_from_files(files, Roles(), "m").features] == ["a"]
    for roles in (
        Roles(features=("vector",)),
        Roles(time_column=("vector",)),
        Roles(prediction=("a",), ground_truth=("vector",)),
    ):
        with pytest.raises(DataError, match="vector: expected numbers or texts, got list"):
            reference_from_files(files, roles, "m")


def test_a_parquet_file_with_a_dot_in_a_name_and_many_row_groups(tmp_path: Path) -> None:
    table = pa.table({"a.b": np.arange(100.0), "a": np.zeros(100)})
    pyarrow.parquet.write_table(table, tmp_path / "d.parquet", row_group_size=7)
    assert same(read(DataFiles(tmp_path / "d.parquet"), ["a.b"])["a.b"], np.arange(100.0).tolist())


# Folders.


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


@pytest.mark.slow
def test_a_chunk_of_wide_data_has_fewer_rows(tmp_path: Path) -> None:
    columns = {f"c{i}": np.zeros(3000) for i in range(5000)}
    files = DataFiles(write(tmp_path / "d.parquet", pa.table(columns)))
    assert [rows for _, rows in files.chunks(list(columns))] == [2048, 952]
    assert [rows for _, rows in files.chunks(["c0"])] == [3000]


# Which part columns play.


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


def damaged(file: Path, old: bytes, new: bytes, start: int = 0) -> Path:
    """Put other bytes in the place of the first such after a start."""
    content = file.read_bytes()
    place = content.index(old, start)
    file.write_bytes(content[:place] + new + content[place + len(old) :])
    return file


def test_a_feather_file_whose_rows_are_damaged_is_an_error(tmp_path: Path) -> None:
    numbers = np.arange(500.0)
    path = write(tmp_path / "d.feather", pa.table({"a": numbers}))
    lz4 = (0x184D2204).to_bytes(4, "little")
    files = DataFiles(damaged(path, lz4, b"\xff" * 4))
    with pytest.raises(DataError, match=r"d.feather: cannot be read: "):
        reference_from_files(files, Roles(), "m")


@pytest.mark.parametrize("values", [["x"], [1.5]])
def test_a_code_without_a_value_is_an_error(tmp_path: Path, values: list[Any]) -> None:
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1_000_000]), pa.array(values), safe=False)
    path = tmp_path / "d.arrow"
    with pa.ipc.new_file(path, pa.schema([("a", codes.type)])) as file:
        file.write_table(pa.table({"a": codes}))
    with pytest.raises(DataError, match=r"d.arrow: a: cannot be read: .* out of bounds"):
        read(DataFiles(path))


def test_a_batch_that_says_it_has_more_rows_than_can_be_is_an_error(tmp_path: Path) -> None:
    nulls = pa.Array.from_buffers(pa.null(), 2**50, [None])
    path, batch = tmp_path / "d.arrow", pa.record_batch({"a": nulls})
    options = pa.ipc.IpcWriteOptions(allow_64bit=True)
    with pa.ipc.new_file(path, batch.schema, options=options) as file:
        file.write_batch(batch)
    with pytest.raises(DataError, match="expected 2147483647 rows at most in a batch, got 1125"):
        reference_from_files(DataFiles(path), Roles(), "m")


@pytest.mark.parametrize("hidden", [b"\0\0\0\x80", b"\xff\0\0\0aaaa\x07"])
def test_what_is_in_the_place_of_a_null_is_not_followed(tmp_path: Path, hidden: bytes) -> None:
    path, first = tmp_path / "d.arrow", b"\1\0\0\0a".ljust(16, b"\0")
    views = pa.array(["a", None, "b" * 20, "a"], pa.string_view())
    with pa.ipc.new_file(path, pa.schema([("a", views.type)])) as file:
        file.write_table(pa.table({"a": views}))
    damaged(path, first + b"\0" * 16, first + hidden.ljust(16, b"\0"))
    assert read(DataFiles(path))["a"] == {"a": 2, "b" * 20: 1, None: 1}


def test_texts_of_a_parquet_file_that_are_no_utf_8_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "d.parquet", pa.table({"a": ["Ulm", "Worms"]}))
    files = DataFiles(damaged(path, b"Worms", b"Wor\xffs"))
    with pytest.raises(DataError, match=r"d.parquet: a: cannot be read: Invalid UTF8"):
        read(files)


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


def test_there_must_be_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got nothing of that name"):
        DataFiles(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="got none in the folder"):
        DataFiles(tmp_path)


def test_integers_are_known_exactly_after_one_pass(tmp_path: Path) -> None:
    table = pa.table({"a": np.arange(5000) % 7, "b": ["x"] * 5000})
    files = DataFiles(write(tmp_path / "d.parquet", table))
    reference = reference_from_files(files, Roles(), "m")
    assert files.progress == 1.0
    found = column(reference, "a")
    assert isinstance(found.bins, NumericBins)
    assert found.counts[found.counts > 0].tolist() == np.bincount(np.arange(5000) % 7).tolist()
