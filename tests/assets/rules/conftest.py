"""promtool, old and new."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.newest_prometheus import newest_binary

Promtool = Callable[..., str]


@pytest.fixture(params=["installed", "newest"])
def promtool(request: pytest.FixtureRequest, require_binary: Callable[[str], str]) -> Promtool:
    """`promtool(*arguments)` returns its complaints, nothing if it has none."""
    find = require_binary if request.param == "installed" else newest_binary
    return running(find("promtool"))


@pytest.fixture
def installed_promtool(require_binary: Callable[[str], str]) -> Promtool:
    return running(require_binary("promtool"))


def running(binary: str) -> Promtool:
    # It collects garbage a fifth of its time, unless it may let more gather.
    environment = {**os.environ, "GOGC": "400"}

    def run(*arguments: str | Path) -> str:
        command = [binary, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return run
