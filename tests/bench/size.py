"""What it costs to have packages: `make bench ARGS=size`.

Each is installed alone into a fresh environment and imported in fresh interpreters, as a server
does it. CPU time, since a cold start mostly waits for the disk; memory is what the import added.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEERS = {
    "mlmon-exporter": ([str(ROOT)], "from mlmon_exporter import instrument"),
    "prometheus-fastapi-instrumentator": (
        ["prometheus-fastapi-instrumentator"],
        "from prometheus_fastapi_instrumentator import Instrumentator",
    ),
    "starlette_exporter": (
        ["starlette_exporter"],
        "from starlette_exporter import PrometheusMiddleware, handle_metrics",
    ),
    "aioprometheus": (
        ["aioprometheus"],
        "from aioprometheus.asgi.middleware import MetricsMiddleware",
    ),
    "opentelemetry-instrumentation-asgi": (
        ["opentelemetry-instrumentation-asgi", "opentelemetry-sdk"],
        (
            "from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware\n"
            "from opentelemetry.sdk import metrics, trace"
        ),
    ),
}
"""Name -> what pip installs, and what a server imports."""
STARTS = 9
IMPORT = """
import os, time

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before, started = resident(), time.process_time()
{code}
print(time.process_time() - started, resident() - before)
"""


def table() -> None:
    """Print the median CPU time and memory of an import, and the size, of each."""
    print("| package | import, ms of CPU | import, MB of memory | installed, MB |")
    print("|---|---|---|---|")
    for name, (requirements, code) in PEERS.items():
        with tempfile.TemporaryDirectory() as folder:
            python = _installed(Path(folder), requirements)
            starts = [_import_costs(python, code) for _ in range(STARTS)]
            seconds, size = map(statistics.median, zip(*starts, strict=True))
            installed = _megabytes(Path(folder))
            row = f"| {name} | {1e3 * seconds:.0f} | {size / 1e6:.0f} | {installed:.0f} |"
            print(row, flush=True)


def _installed(folder: Path, requirements: list[str]) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run([str(python), *install, *requirements], check=True)
    return python


def _import_costs(python: Path, code: str) -> tuple[float, float]:
    """Return seconds of CPU and bytes of memory that an import takes in a process of its own."""
    command = [str(python), "-I", "-c", IMPORT.format(code=code)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, size = map(float, told.split())
    return seconds, size


def _megabytes(folder: Path) -> float:
    """Return the size of what is installed besides pip and setuptools."""
    (packages,) = folder.glob("lib/python*/site-packages")
    own = [
        p for p in packages.iterdir() if not p.name.startswith(("pip", "setuptools", "_distutils"))
    ]
    files = (f for p in own for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file())
    return sum(f.stat().st_size for f in files) / 1e6
