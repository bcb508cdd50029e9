"""Facts about Arrow's types: numbers, times and categories."""

from __future__ import annotations

from collections.abc import Mapping
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
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.coerce import is_missing
from mlmon_exporter.core.profile.categories import MOST_NAMED
from mlmon_exporter.core.profile.names import category_name
from mlmon_exporter.reference.data.arrow import categories_of, kind_of, numbers_of
from mlmon_exporter.reference.data.files import DataError, DataFiles
from mlmon_exporter.reference.from_files import reference_from_files
from mlmon_exporter.reference.roles import Roles
from tests.reference.data.written import (
    HOUR,
    NAN,
    damaged,
    joined,
    read,
    same,
    write,
)

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


TEXTS = st.text(st.sampled_from("aA1.-~ \t\x1c\u00a0\u2003é"), max_size=4)


@given(st.lists(TEXTS | st.sampled_from(["true", "FALSE", "False", "NA", "a~", "nan"])))
def test_texts_are_named_together_as_one_by_one(texts: list[str]) -> None:
    absent = ("NA", "a~")
    named = [None if is_missing(t) or t in absent else category_name(t) for t in texts]
    counted = categories_of(pa.array(texts, pa.string()), absent)
    assert joined([counted]) == {name: named.count(name) for name in named}


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
