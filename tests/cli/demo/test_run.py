from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import processes_of

DEMO = [sys.executable, "-m", "mlmon_exporter.cli", "demo", "--port", "0"]


# --- Data and models ---


# --- The story is honest: no HTTP, no clock ---


# --- Server and traffic ---


# --- What is shown ---


# --- The whole ---


def test_the_demo_sees_the_drift_that_is_there(tmp_path: Path) -> None:
    result = subprocess.run(
        [*DEMO, "--once", "--seconds", "20"],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={"TMPDIR": str(tmp_path), "PATH": str(tmp_path), "LOKY_MAX_CPU_COUNT": "1"},
    )
    assert result.stderr == ""
    assert result.returncode == 0, result.stdout
    assert "temp of bike-demand drifted after" in result.stdout
    for quality in ("income: accuracy", "income: F1", "income: parity by sex"):
        assert re.search(rf"{quality} +0\.\d", result.stdout), quality
    assert re.search(r"bike-demand: MAE +\d", result.stdout)
    assert "No alertmanager and no prometheus on the PATH: with both" in result.stdout
    assert "Paged" not in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_stops_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        DEMO,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                if text.startswith("Serving on"):
                    process.send_signal(number)
                    break
            output = process.stdout.read()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
    assert output.endswith("Stopped.\n")
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []
