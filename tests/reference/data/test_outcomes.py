"""Facts about files of ground truths, and the command that sends them."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from mlmon_exporter.endpoints.records import ground_truths_in
from mlmon_exporter.reference.data.outcomes import MOST_LINE, OutcomeColumns, outcomes_in
from mlmon_exporter.reference.data.readers import DataError
from tests.reference.data.outcome_files import LINE, ROWS, write

HEADER = b"prediction_id,ground_truth\n"


@pytest.mark.parametrize(
    "name", ["a.csv", "a.csv.gz", "a.parquet", "a.feather", "a.jsonl", "a.ndjson.gz"]
)
def test_every_kind_of_file_gives_its_rows_as_they_are_written(name: str, tmp_path: Path) -> None:
    rows = [*outcomes_in(write(tmp_path / name))]
    assert [record for record, _ in rows] == [{**row, "timestamp": None} for row in ROWS]
    assert rows[-1][1] == pytest.approx(1.0)


def test_columns_may_have_other_names_and_times_of_their_own_type(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    path = write(tmp_path / "a.parquet", [{"id": 7, "y": 1.5, "when": moment, "x": 1}])
    ((record, _),) = outcomes_in(path, OutcomeColumns("id", "y", "when"))
    assert record == {
        "prediction_id": "7",
        "ground_truth": 1.5,
        "timestamp": moment.timestamp(),
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([Decimal("1.25"), None]), [1.25, None]),
        (pa.array([Decimal(7), Decimal(10**30)]), [7, 1e30]),
        (pa.array([np.float16(1.5)]), [1.5]),
        (pa.array([timedelta(hours=1), None]), [3600.0, None]),
        (pa.array([1_500_000_001], pa.timestamp("ns")), [1.500000001]),
        (pa.array([2**62], pa.timestamp("us")), [2**62 / 1e6]),  # after the year 9999
        (pa.array([date(1970, 1, 2)]).dictionary_encode(), [86400.0]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
    ],
)
@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_values_of_each_type_can_be_sent(
    values: Any, expected: list[Any], name: str, tmp_path: Path
) -> None:
    table = pa.table({"prediction_id": range(len(values)), "ground_truth": values})
    if name == "a.parquet":
        parquet.write_table(table, tmp_path / name)
    else:
        feather.write_feather(table, str(tmp_path / name))
    records = orjson.loads(orjson.dumps([record for record, _ in outcomes_in(tmp_path / name)]))
    assert [record["ground_truth"] for record in records] == expected


@pytest.mark.parametrize(
    "id_", [pa.array([7]), pa.array([Decimal(7)]), pa.array([7.0]).cast(pa.decimal128(5, 0))]
)
def test_ids_that_are_whole_numbers_are_sent_as_texts(id_: Any, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"prediction_id": id_, "ground_truth": [1]}), tmp_path / "a.pq")
    ((record, _),) = outcomes_in(tmp_path / "a.pq")
    assert record["prediction_id"] == "7"


def test_ids_of_the_type_for_them_are_sent_as_texts(tmp_path: Path) -> None:
    given = UUID(int=7)
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([given.bytes], pa.binary(16)))
    table = pa.table({"prediction_id": ids, "ground_truth": [1]})
    feather.write_feather(table, str(tmp_path / "a.feather"))
    ((record, _),) = outcomes_in(tmp_path / "a.feather")
    assert record["prediction_id"] == str(given)


def test_a_csv_file_may_be_as_spreadsheets_write_it(tmp_path: Path) -> None:
    text = '\ufeff"prediction_id";ground_truth;timestamp\r\n'
    text += '007;"a\nb";2026-01-02 03:04:05\r\n8;NA;\r\n'
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert [record for record, _ in outcomes_in(tmp_path / "a.csv")] == [
        {"prediction_id": "007", "ground_truth": "a\nb", "timestamp": "2026-01-02 03:04:05"},
        {"prediction_id": "8", "ground_truth": "NA", "timestamp": None},
    ]


def test_what_is_deep_in_a_line_is_left_to_the_server_to_refuse(tmp_path: Path) -> None:
    line = b'{"prediction_id": "a", "ground_truth": ' + b"[" * 500 + b"]" * 500 + b"}"
    (tmp_path / "a.jsonl").write_bytes(line)
    ((record, _),) = outcomes_in(tmp_path / "a.jsonl")
    [(_, reason)] = ground_truths_in([orjson.loads(orjson.dumps(record))]).errors
    assert reason.startswith("ground_truth: expected a finite number")
    assert reason.endswith("got a list")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "expected a file that ends in .csv"),
        ("a.csv", b"id,y\n1,2\n", "expected a column 'prediction_id', got id, y"),
        ("a.parquet", b"nonsense", "a.parquet: "),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "line 2: expected a JSON object"),
        ("a.jsonl.gz", b"nonsense", "a.jsonl.gz: "),
        (
            "a.jsonl.gz",
            gzip.compress(LINE, mtime=0)[:-9],
            "a.jsonl.gz: cannot be read: Compressed file",
        ),
        (
            "a.jsonl.gz",
            gzip.compress(LINE, mtime=0)[:10] + b"\xff" * 30,
            "a.jsonl.gz: cannot be read: ",
        ),
        (
            "a.jsonl.gz",
            gzip.compress(b" " * (MOST_LINE + 1), mtime=0),
            "line 1: expected 8388608 bytes",
        ),
        ("a.csv", b"prediction_id,\xe9\xff\n1,2\n", "a.csv: expected UTF-8"),
        ("a.csv", HEADER + b"1,\xe9\xff\n", "a.csv: ground_truth: expected UTF-8"),
        ("a.csv", HEADER[:-1] + b",ground_truth\n1,2,3\n", "'ground_truth' 2 times"),
        ("a.parquet", b"PAR1" + b"\xff" * 20 + b"\x14\0\0\0PAR1", "a.parquet: cannot be read: "),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        list(outcomes_in(path))
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "values", [pa.array([b"a"]), pa.array([[1.0]]), pa.array([{"a": 1}]), pa.array([[b"a"]])]
)
def test_columns_that_cannot_be_sent_are_an_error(values: Any, tmp_path: Path) -> None:
    table = pa.table({"prediction_id": ["a"], "ground_truth": values})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="ground_truth: expected numbers or texts, got "):
        list(outcomes_in(tmp_path / "a.parquet"))
