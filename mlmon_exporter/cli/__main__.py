"""`python -m mlmon_exporter.cli`: the program, where it is not on the PATH."""

from __future__ import annotations

from . import app

if __name__ == "__main__":
    app()
