"""How quickly packages import and how much room they take: `make bench ARGS=size`.

Each is installed alone into a fresh environment; import time is the best of five cold starts.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEERS = {
    "mlmon-exporter": (str(ROOT), "mlmon_exporter"),
    "prometheus-fastapi-instrumentator": (
        "prometheus-fastapi-instrumentator",
        "prometheus_fastapi_instrumentator",
    ),
    "starlette_exporter": ("starlette_exporter", "starlette_exporter"),
    "evidently": ("evidently", "evidently"),
}
"""Name -> what pip installs, and what is imported."""
STARTS = 5


def table() -> None:
    """Print import time and size of each."""
    print("| package | import, ms | installed, MB |")
    print("|---|---|---|")
    for name, (requirement, module) in PEERS.items():
        with tempfile.TemporaryDirectory() as folder:
            python = _installed(Path(folder), requirement)
            times = [_import_ms(python, module) for _ in range(STARTS)]
            print(f"| {name} | {min(times):.0f} | {_megabytes(Path(folder)):.0f} |", flush=True)


def _installed(folder: Path, requirement: str) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement)
    subprocess.run([str(python), *install], check=True)
    return python


def _import_ms(python: Path, module: str) -> float:
    """Return how long an import takes in a process of its own, without Python's own start."""
    return _all_imports_ms(python, f"from {module} import *") - _all_imports_ms(python, "pass")


def _all_imports_ms(python: Path, code: str) -> float:
    command = [str(python), "-I", "-X", "importtime", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    # Each line has a module's own time in microseconds first. Names may be imported when asked for.
    return sum(map(int, re.findall(r"^import time: +(\d+) \|", told, re.MULTILINE))) / 1000


def _megabytes(folder: Path) -> float:
    """Return the size of what is installed besides pip and setuptools."""
    (packages,) = folder.glob("lib/python*/site-packages")
    own = [
        p for p in packages.iterdir() if not p.name.startswith(("pip", "setuptools", "_distutils"))
    ]
    files = (f for p in own for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file())
    return sum(f.stat().st_size for f in files) / 1e6
