"""Commands run in this process: what they print, and how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from mlmon_exporter.cli.program import program


def run(*arguments: str | Path) -> Any:
    """The outcome of a command: `exit_code`, `stdout`, `stderr`."""
    return CliRunner().invoke(program(), [str(argument) for argument in arguments])


def succeeded(*arguments: str | Path) -> str:
    """What a command printed, spaces and line breaks as single spaces."""
    result = run(*arguments)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return " ".join(result.stdout.split())


def error(*arguments: str | Path) -> str:
    """The line by which a command failed."""
    result = run(*arguments)
    assert result.exit_code == 2, (result.stdout, result.exception)
    assert isinstance(result.exception, SystemExit)  # a user's mistake is no traceback
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("mlmon-exporter: ")
    return str(result.stderr).removeprefix("mlmon-exporter: ").strip()
