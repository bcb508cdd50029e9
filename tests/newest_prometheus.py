"""The newest Prometheus, which the tests run beside the installed one, and VictoriaMetrics."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UNPACKED = ROOT / "build" / "newest-prometheus" / "usr" / "bin"
FOLDER = Path(os.environ.get("MLMON_NEWEST_PROMETHEUS") or UNPACKED)
"""Read on import: tests run without the variables that configure a monitor."""


def newest_binary(name: str) -> str:
    """Return a program's path; a missing one skips the test, and fails it in CI."""
    path = shutil.which(name, path=str(FOLDER))
    if path is None:
        message = f"{name}: expected in {FOLDER}, got nothing; run .ci/newest-prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


def victoria_metrics(name: str) -> str:
    """Return the path of one of its programs; a missing one skips the test."""
    path = shutil.which(name, path=str(FOLDER))
    if path is None:
        pytest.skip(f"{name}: expected in {FOLDER}, got nothing; run .ci/newest-prometheus")
    return path
