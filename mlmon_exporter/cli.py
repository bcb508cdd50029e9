"""The program `mlmon-exporter`; all but this page needs the extra `cli`."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = ("typer", "rich", "pyarrow", "uvicorn")


def app() -> None:
    """Run the command that the arguments name."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        sys.stderr.write(
            f"mlmon-exporter: the commands need {', '.join(absent)}: "
            "pip install 'mlmon-exporter[cli]'\n"
        )
        sys.exit(2)
    try:
        from .commands import program

        program()(prog_name="mlmon-exporter")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    app()
