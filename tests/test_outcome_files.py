"""Facts about files of ground truths, and the command that sends them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from typer.testing import CliRunner

from mlmon_exporter.commands import ground_truth as command
from mlmon_exporter.commands import program
from mlmon_exporter.commands.terminal import counted, thousands
from mlmon_exporter.feedback_api import MOST_RECORDS, FeedbackApp, ground_truths_in
from mlmon_exporter.file_readers import DataError
from mlmon_exporter.outcome_files import OutcomeColumns, outcomes_in
from mlmon_exporter.store import StoreError

from .e2e.servers import free_port, serving

ROWS = [{"prediction_id": f"00{i}", "ground_truth": f"0{i}"} for i in range(3)]
TOKEN = "secret"


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
        "timestamp": "2026-01-02T03:04:05+00:00",
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "expected a file that ends in .csv"),
        ("a.csv", b"id,y\n1,2\n", "expected a column 'prediction_id', got id, y"),
        ("a.parquet", b"nonsense", "a.parquet: "),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "line 2: expected a JSON object"),
        ("a.jsonl.gz", b"nonsense", "a.jsonl.gz: "),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(outcomes_in(path))


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
    with serving(FeedbackApp(received.handle, TOKEN)) as address:
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
    assert "row 3: ground_truth: expected a number" in output
    assert "3 matched, 1 invalid" in output


def test_a_wrong_token_is_told_at_once(url: str, tmp_path: Path) -> None:
    code, output = run(str(write(tmp_path / "a.csv")), "--url", url, token="wrong")
    assert code == 2
    assert "answered 401: a bearer token is needed; mend that and go on with --start 0" in output


def test_a_server_that_is_away_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "WAITS", (0.01,))
    address = f"http://127.0.0.1:{free_port()}/ground-truth"
    code, output = run(str(write(tmp_path / "a.csv")), "--url", address)
    assert code == 2
    assert "Connection refused; mend that and go on with --start 0" in output


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
