"""An environment of its own for each server, made once: `build/servers/NAME`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "servers"
PACKAGES = {
    "kserve": ["kserve>=0.15"],
    "mlflow": ["mlflow>=3"],
    "fastapi": ["fastapi", "python-multipart", "strawberry-graphql[fastapi]>=0.240", "uvicorn"],
    "django": ["django>=5", "uvicorn"],
    "gradio": ["gradio>=5"],
    "litserve": ["litserve>=0.2"],
    "bentoml": ["bentoml>=1.4"],
    "mlserver": ["mlserver>=1.7"],
    "triton": ["tritonclient[grpc]>=2.50"],
    "torchserve": ["setuptools<81", "torch", "torch-model-archiver", "torchserve>=0.12", "pyyaml"],
}
SHARED = {"generate": "fastapi"}
"""Server -> the one whose environment it runs in."""


def python(server: str) -> Path:
    """Return the Python of the server's environment, with us in it."""
    server = SHARED.get(server, server)
    folder = FOLDER / server
    found = folder / "bin" / "python"
    if not (folder / ".made").exists():
        print(f"Installing {server} into {folder}: a few minutes", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(found), "-m", "pip", "install", "-q", *PACKAGES[server], "-e", str(ROOT)]
        subprocess.run(install, check=True)
        (folder / ".made").touch()
    return found
