"""TorchServe with the linear model, which the proxy watches: `... PORT`. Needs Java."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
OPTIONS = ["disable_token_authorization=true", "default_workers_per_model=1"]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp())
    (folder / "weights.txt").write_text("in the handler")
    programs = Path(sys.executable).parent
    archive = [str(programs / "torch-model-archiver"), "--model-name", "linear", "--version", "1.0"]
    archive += ["--handler", str(HERE / "torchserve_handler.py")]
    archive += ["--extra-files", str(HERE / "linear.py")]
    archive += ["--serialized-file", str(folder / "weights.txt"), "--export-path", str(folder)]
    subprocess.run(archive, check=True)
    ports = {"inference": sys.argv[1], "management": free_port(), "metrics": free_port()}
    lines = [f"{name}_address=http://127.0.0.1:{port}" for name, port in ports.items()]
    lines += [f"grpc_{name}_port={free_port()}" for name in ("inference", "management")]
    (folder / "config.properties").write_text("\n".join([*lines, *OPTIONS]))
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    os.chdir(folder)  # it writes logs
    command = ["torchserve", "--start", "--foreground", "--ncs", "--model-store", str(folder)]
    command += ["--models", "linear=linear.mar", "--ts-config", str(folder / "config.properties")]
    os.execvp(command[0], command)
