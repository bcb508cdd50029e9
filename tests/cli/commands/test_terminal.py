"""Facts about what all commands print."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from mlmon_exporter.cli.commands import terminal
from mlmon_exporter.cli.commands.terminal import age, percent, progress_bar, size, thousands
from tests.command_line import succeeded


def test_a_progress_bar_is_drawn_on_terminals_only(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Reading x") as told:
        told(0.5)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_terminal_sees_the_progress(train: Path) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mlmon_exporter.cli", "build-reference", train],
        stdout=subprocess.DEVNULL,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(follower)
        seen = io.BytesIO()
        try:
            while part := os.read(leader, 4096):
                seen.write(part)
        except OSError:  # what Linux says of a terminal that nobody holds any more
            pass
    os.close(leader)
    assert process.returncode == 0
    assert b"Reading train.parquet" in seen.getvalue()


def test_numbers_read_well() -> None:
    assert [thousands(n) for n in (0, 999, 1000, 1234567)] == ["0", "999", "1 000", "1 234 567"]
    assert [percent(x) for x in (0.0, 0.0001, 0.004, 0.5, float("nan"))] == [
        "0 %",
        "<0.1 %",
        "0.4 %",
        "50 %",
        "",
    ]
    assert [age(s) for s in (1, 60, 3600, 86_400, 3 * 86_400)] == [
        "less than a minute",
        "1 minute",
        "1 hour",
        "1 day",
        "3 days",
    ]
    assert [size(n) for n in (1, 2048, 5_000_000)] == ["1 KiB", "2 KiB", "4 883 KiB"]


def test_a_table_of_very_many_columns_is_cut(folder: Path) -> None:
    header = ",".join(f"c{i}" for i in range(terminal.SHOWN + 5))
    row = ",".join("1" for _ in range(terminal.SHOWN + 5))
    (folder / "d.csv").write_text(f"{header}\n" + f"{row}\n" * 1000)
    text = succeeded("build-reference", "d.csv")
    assert "... and 5 more" in text
    assert f"c{terminal.SHOWN} " not in text
