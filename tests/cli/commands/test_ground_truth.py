"""Facts about `mlmon-exporter ground-truth`."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlmon_exporter.cli.commands import ground_truth as command
from mlmon_exporter.cli.commands.terminal import counted, thousands
from mlmon_exporter.cli.program import program
from mlmon_exporter.endpoints.feedback import FeedbackApp
from mlmon_exporter.endpoints.records import MOST_RECORDS, ground_truths_in
from mlmon_exporter.state.errors import StoreError
from tests.e2e.servers import free_port, serving
from tests.reference.data.outcome_files import LINE, ROWS, write

TOKEN = "secret"


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
