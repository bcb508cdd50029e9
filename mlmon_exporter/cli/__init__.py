"""The program `mlmon-exporter`; every module but this one needs the extra `cli`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = {
    "typer": "typer",
    "rich": "rich",
    "pyarrow": "pyarrow",
    "uvicorn": "uvicorn",
    "yaml": "pyyaml",
}
"""Module -> its package in the extra `cli`."""


def app() -> None:
    """Run the command that the arguments name."""
    absent = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if absent:
        sys.stderr.write(
            f"mlmon-exporter: the commands need {', '.join(absent)}: "
            "pip install 'mlmon-exporter[cli]'\n"
        )
        sys.exit(2)
    try:
        from .program import program

        program()(prog_name="mlmon-exporter")
    except KeyboardInterrupt:
        sys.exit(130)
