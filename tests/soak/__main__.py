"""Print the tables of false alarms, delays and peers; `make soak ARGS=peers` prints one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from . import changed, compare, concept, unchanged

PEERS = Path(".venv-peers")
RUNS = 3


def main(parts: list[str]) -> None:
    """Print the named tables, or all."""
    if not parts or "unchanged" in parts:
        unchanged.table(RUNS)
    if not parts or "changed" in parts:
        changed.table(RUNS)
    if not parts or "peers" in parts:
        compare.table(_peers())
    if not parts or "concept" in parts:
        concept.table(_peers(), RUNS)


def _peers() -> Path:
    """Return the Python of an environment that has the peers; made once."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        wanted = str(Path(__file__).with_name("peers.txt"))
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", wanted], check=True)
    return python


if __name__ == "__main__":
    main(sys.argv[1:])
