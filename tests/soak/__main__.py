"""Print the tables of false alarms, delays, peers, and of what was fuzzed, attacked and endured.

`make soak ARGS=peers` prints one, `make soak ARGS="attack 100000"` one of so many requests.
`make soak ARGS="fuzz 120"` fuzzes all that is read for two minutes each,
`make soak ARGS="fuzz 120 config state"` just these, and `make soak ARGS="endurance 600"` loads a
server for ten minutes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from . import attack, changed, compare, concept, endurance, fuzz, schema, unchanged

PEERS = Path(".venv-peers")
RUNS = 3
FUZZ_SECONDS = 600
ATTACKS = 1_000_000


def main(parts: list[str]) -> None:
    """Print the named tables, or all."""
    number = next((int(part) for part in parts if part.isdigit()), 0)
    if not parts or "unchanged" in parts:
        unchanged.table(RUNS)
    if not parts or "changed" in parts:
        changed.table(RUNS)
    if not parts or "peers" in parts:
        compare.table(_peers())
    if not parts or "concept" in parts:
        concept.table(_peers(), RUNS)
    if not parts or "schema" in parts:
        schema.check()
    if not parts or "attack" in parts:
        attack.table(number or ATTACKS)
    if not parts or "fuzz" in parts:
        fuzz.table(number or FUZZ_SECONDS, [part for part in parts if part in fuzz.NAMES])
    if not parts or "endurance" in parts:
        endurance.table(number or endurance.SECONDS)


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
