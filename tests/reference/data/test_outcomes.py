"""Facts about files of ground truths, and the command that sends them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping, Sequence
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
from typer.testing import CliRunner

from mlmon_exporter.cli.commands import ground_truth as command
from mlmon_exporter.cli.commands.terminal import counted, thousands
from mlmon_exporter.cli.program import program
from mlmon_exporter.endpoints.feedback import FeedbackApp
from mlmon_exporter.endpoints.records import MOST_RECORDS, ground_truths_in
from mlmon_exporter.reference.data.outcomes import MOST_LINE, OutcomeColumns, outcomes_in
from mlmon_exporter.reference.data.readers import DataError
from mlmon_exporter.state.errors import StoreError
from tests.e2e.servers import free_port, serving

ROWS = [{"prediction_id": f"00{i}", "ground_truth": f"0{i}"} for i in range(3)]
TOKEN = "secret"
HEADER = b"prediction_id,ground_truth\n"
LINE = b'{"prediction_id": "a", "ground_truth": 1}\n'


def write(path: Path, rows: Sequence[Mapping[str, Any]] = ROWS) -> Path:
    """Write rows as the file's ending says."""
    table = pa.Table.from_pylist(list(rows))
    if path.name.endswith(".parquet"):
        parquet.write_table(table, path)
    elif path.name.endswith(".feather"):
        feather.write_feather(table, str(path))
    else:
        lines = [orjson.dumps(row) for row in rows]
        if ".csv" in path.name:
            lines = [",".join(rows[0]).encode()]
            lines += [",".join(map(str, row.values())).encode() for row in rows]
        data = b"\n".join(lines) + b"\n"
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


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


class Received:
    """What a server was sent; away for the first few requests if wanted."""

    def __init__(self, away: int = 0) -> None:
        self.batches: list[int] = []
        self.ids: list[str] = []
        self._away = away
        self._lock = threading.Lock()

    def handle(self, records: Sequence[Any]) -> Mapping[str, Any]:
        with self._lock:
            if self._away:
                self._away -= 1
                raise StoreError("busy")
            read = ground_truths_in(records)
            fresh = [t.prediction_id for t in read.usable if t.prediction_id not in self.ids]
            self.ids += fresh
            self.batches.append(len(records))
            duplicate = len(read.usable) - len(fresh)
            return read.answer({"matched": len(fresh), "duplicate": duplicate})


@pytest.fixture
def received() -> Received:
    return Received(away=1)


@pytest.fixture
def url(received: Received, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(command, "WAITS", (0.01, 0.01))
    with serving(FeedbackApp(received.handle, [TOKEN])) as address:
        yield address


def run(*arguments: str, token: str | None = TOKEN) -> tuple[int, str]:
    environment = {"MLMON_TOKEN": token} if token else {}
    result = CliRunner().invoke(program(), ["ground-truth", *arguments], env=environment)
    return result.exit_code, result.output


def test_all_rows_are_sent_in_batches_and_a_busy_server_is_asked_again(
    url: str, received: Received, tmp_path: Path
) -> None:
    rows = [{"prediction_id": f"p{i}", "ground_truth": i} for i in range(MOST_RECORDS + 5)]
    path = write(tmp_path / "a.csv", rows)
    code, output = run(str(path), "--url", url)
    assert (code, received.batches) == (0, [MOST_RECORDS, 5])
    assert received.ids == [row["prediction_id"] for row in rows]
    assert f"{counted(10_005, 'row')}: {thousands(10_005)} matched" in output


def test_sending_again_from_where_it_stopped_does_no_harm(
    url: str, received: Received, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.csv")
    run(str(path), "--url", url)
    code, output = run(str(path), "--url", url, "--start", "1")
    assert (code, received.ids) == (0, ["000", "001", "002"])
    assert "2 rows: 2 duplicate" in output


def test_rows_that_are_invalid_are_told_by_number(url: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [*ROWS, {"prediction_id": "x"}])
    code, output = run(str(path), "--url", url)
    assert code == 0
    assert "row 3: ground_truth: expected a finite number" in output
    assert "3 matched, 1 invalid" in output


def test_a_wrong_token_is_told_at_once(url: str, tmp_path: Path) -> None:
    code, output = run(str(write(tmp_path / "a.csv")), "--url", url, token="wrong")
    assert code == 2
    assert "answered 401: a bearer token is needed; fix it and resume with --start 0" in output


def test_a_server_that_is_away_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "WAITS", (0.01,))
    address = f"http://127.0.0.1:{free_port()}/ground-truth"
    code, output = run(str(write(tmp_path / "a.csv")), "--url", address)
    assert code == 2
    assert "Connection refused; fix it and resume with --start 0" in output


@pytest.mark.parametrize(
    ("arguments", "token", "message"),
    [
        (["a.csv", "--url", "file:///etc/passwd"], TOKEN, "--url: expected http://"),
        (["a.csv"], None, "--token: expected the token"),
        (["nowhere.csv"], TOKEN, "nowhere.csv: No such file"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    arguments: list[str], token: str | None, message: str
) -> None:
    code, output = run(*arguments, token=token)
    assert (code, output.count("\n")) == (2, 1)
    assert message in output


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b'prediction_id,"ground\n\x1btruth"\n1,2\n'),
        ("a.parquet", b"PAR1" + b"\xff" * 20 + b"\x14\0\0\0PAR1"),
        ("a.arrow", b"ARROW1\0\0" + b"\xff" * 20),
        ("a.jsonl.gz", gzip.compress(LINE, mtime=0)[:10] + b"\xff" * 30),
    ],
)
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    code, output = run(str(tmp_path / name))
    assert (code, output.count("\n"), "\x1b" in output) == (2, 1, False)
    assert output.startswith(f"mlmon-exporter: {tmp_path / name}: ")
