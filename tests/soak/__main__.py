"""Print the tables of false alarms, delays, peers, fuzzed formats and endurance.

`make soak ARGS=peers` prints one; `make soak ARGS="fuzz 120"` fuzzes each format for two minutes,
and `make soak ARGS="endurance 600"` loads a server for ten.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from . import changed, compare, concept, endurance, fuzz, unchanged

PEERS = Path(".venv-peers")
RUNS = 3
FUZZ_SECONDS = 600


def main(parts: list[str]) -> None:
    """Print the named tables, or all."""
    seconds = next((int(part) for part in parts if part.isdigit()), 0)
    if not parts or "unchanged" in parts:
        unchanged.table(RUNS)
    if not parts or "changed" in parts:
        changed.table(RUNS)
    if not parts or "peers" in parts:
        compare.table(_peers())
    if not parts or "concept" in parts:
        concept.table(_peers(), RUNS)
    if not parts or "fuzz" in parts:
        fuzz.table(seconds or FUZZ_SECONDS)
    if not parts or "endurance" in parts:
        endurance.table(seconds or endurance.SECONDS)


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
