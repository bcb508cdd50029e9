"""Facts about the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mlmon_exporter
from mlmon_exporter import cli
from mlmon_exporter.cli.program import COMMANDS, program
from tests.command_line import run, succeeded


def test_the_version_is_printed() -> None:
    assert succeeded("--version") == f"mlmon-exporter {mlmon_exporter.__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(command: str) -> None:
    text = succeeded(command, "--help")
    assert f"Example: mlmon-exporter {command}" in text
    assert succeeded(command, "-h") == text


def test_without_arguments_the_commands_are_listed() -> None:
    result = run()
    assert result.exit_code == 2
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "No such command 'nope'; see 'mlmon-exporter --help'"),
        (
            ["check", "--confg", "x"],
            r"No such option:? '?--confg'?.*see 'mlmon-exporter check --help'",
        ),
        (
            ["build-reference"],
            "Missing argument 'DATA'; see 'mlmon-exporter build-reference --help'",
        ),
        (
            ["demo", "--port", "many"],
            "Invalid value for '--port'.*see 'mlmon-exporter demo --help'",
        ),
        (["assets"], "Missing option '--out'"),
    ],
)
def test_wrong_arguments_are_named_in_a_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(program(), arguments, prog_name="mlmon-exporter")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr


def test_without_the_extra_one_line_says_what_to_install(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(
        "import importlib.util as u, sys\n"
        "known = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('typer', 'rich') else known(name, *a)\n"
        "sys.modules['typer'] = sys.modules['rich'] = None\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "mlmon_exporter.cli", "--help"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "mlmon-exporter: the commands need typer, rich: pip install 'mlmon-exporter[cli]'\n"
    )


def test_the_extra_is_what_the_program_asks_for() -> None:
    path = Path(mlmon_exporter.__file__).parents[1] / "pyproject.toml"
    extra = tomllib.loads(path.read_text())["project"]["optional-dependencies"]["cli"]
    assert sorted(re.match("[a-z]+", line)[0] for line in extra) == sorted(cli.NEEDED.values())  # type: ignore[index]
