"""Print the tables of false alarms, delays, peers, rules, and of what was fuzzed and endured.

`make soak ARGS=peers` prints one, `make soak ARGS="attack 100000"` one of so many requests.
`make soak ARGS="rules 10"` has Prometheus evaluate the rules over ten services.
`make soak ARGS="fuzz 120"` fuzzes all that is read for two minutes each,
`make soak ARGS="fuzz 120 config state"` just these, and `make soak ARGS="endurance 600"` loads a
server for ten minutes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import (
    attack,
    changed,
    compare,
    concept,
    dependent,
    endurance,
    estimates,
    fuzz,
    joint,
    luck,
    multivariate,
    public,
    rule_cost,
    schema,
    unchanged,
)

PEERS = Path(".venv-peers")
NANNYML = Path("build/nannyml")
RUNS = 3
FUZZ_SECONDS = 600
ATTACKS = 1_000_000


def main(words: list[str]) -> None:
    """Print the named tables, or all."""
    number = next((int(word) for word in words if word.isdigit()), 0)
    inputs = [word for word in words if word in fuzz.NAMES]
    parts: dict[str, Callable[[], object]] = {
        "unchanged": lambda: unchanged.table(RUNS),
        "dependent": lambda: dependent.table(RUNS),
        "changed": lambda: changed.table(RUNS),
        "joint": lambda: joint.table(RUNS),
        "multivariate": lambda: multivariate.table(_nannyml()),
        "estimates": lambda: estimates.table(_nannyml(), RUNS),
        "public": lambda: public.table(_statsmodels(_nannyml()), RUNS),
        "peers": lambda: compare.tables({"peers.py": _peers(), "nannyml_rule.py": _nannyml()}),
        "concept": lambda: concept.table(_peers(), RUNS),
        "luck": lambda: luck.table(RUNS),
        "rules": lambda: rule_cost.table(number or rule_cost.SERVICES),
        "schema": schema.check,
        "attack": lambda: attack.table(number or ATTACKS),
        "fuzz": lambda: fuzz.table(number or FUZZ_SECONDS, inputs),
        "endurance": lambda: endurance.table(number or endurance.SECONDS),
    }
    for word in words:
        if not word.isdigit() and word not in (*parts, *fuzz.NAMES):
            sys.exit(f"soak: expected {', '.join(parts)} and a number, got {word!r}")
    for name, print_table in parts.items():
        if not words or name in words:
            print_table()


def _peers() -> Path:
    """Return the Python of an environment that has the peers; made once."""
    return _environment(PEERS, "peers.txt")


def _nannyml() -> Path:
    """Return the Python of an environment that has NannyML; made once."""
    return _environment(NANNYML, "nannyml.txt")


def _statsmodels(python: Path) -> Path:
    """Return the folder of the data that statsmodels ships, in an environment."""
    libraries = (python.parents[1] / "lib").glob("python3*/site-packages/statsmodels/datasets")
    return next(libraries)


def _environment(folder: Path, requirements: str) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        wanted = str(Path(__file__).with_name(requirements))
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", wanted], check=True)
    return python


if __name__ == "__main__":
    main(sys.argv[1:])
