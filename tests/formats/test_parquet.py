"""Facts about Parquet in bodies, with pyarrow's own writer as the source."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlmon_exporter.formats import BodyMap, FormatError
from mlmon_exporter.formats.parquet import table

ANY = BodyMap()


def written(columns: dict[str, Any], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, **options)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def reason(content: bytes, body_map: BodyMap = ANY) -> str:
    with pytest.raises(FormatError) as raised:
        table(content, body_map)
    return raised.value.reason


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_columns_are_those_that_were_written(compression: str) -> None:
    columns: dict[str, Any] = {
        "a": [1, 2, None],
        "b": [1.5, None, 2.5],
        "c": ["x", None, "x"],
        "d": [True, False, None],
    }
    assert table(written(columns, compression=compression), ANY) == (columns, 3)


def test_one_row_is_scalars() -> None:
    assert table(written({"a": [1], "b": ["x"]}), ANY) == ({"a": 1, "b": "x"}, 1)


def test_row_groups_are_one_table() -> None:
    columns = {"a": [1, 2, 3], "c": ["x", "y", "z"]}
    assert table(written(columns, row_group_size=1), ANY) == (columns, 3)


def test_what_is_no_number_text_or_boolean_is_its_text() -> None:
    columns = {"d": [Decimal("1.50")], "b": [b"Bern"], "l": [[1, 2]], "__index_level_0__": [7]}
    assert table(written(columns), ANY) == ({"d": "1.50", "b": "Bern"}, 1)


def test_a_long_text_in_many_rows_is_kept_once() -> None:
    text = "x" * 20_000
    (column,) = table(written({"a": [text] * 500}), ANY)[0].values()
    assert len({id(value) for value in column}) == 1


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (BodyMap(max_rows=2), "too_many_rows"),
        (BodyMap(max_features=1), "too_many_features"),
        (BodyMap(max_values=5), "too_many_values"),
        (BodyMap(max_inflated_bytes=50), "compressed_too_large"),
    ],
)
def test_more_than_the_limits_is_not_read(limits: BodyMap, expected: str) -> None:
    assert reason(written({"a": [1, 2, 3], "b": [1, 2, 3]}), limits) == expected


def test_an_empty_file_has_no_rows_and_one_of_lists_no_columns() -> None:
    assert reason(written({"a": pa.array([], pa.int64())})) == "no_rows"
    assert reason(written({"a": [[1], [2]]})) == "no_columns"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 40 + b"\x04\0\0\0PAR1"])
def test_what_is_no_file_is_malformed(content: bytes) -> None:
    assert reason(content) == "malformed"


def test_it_is_unsupported_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert reason(b"") == "unsupported_media"
