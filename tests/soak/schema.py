"""The server against its own OpenAPI description: `make soak ARGS=schema`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import uvicorn

from mlmon_exporter import Config, Reference
from mlmon_exporter.cli.server import server_app

TOKEN = "t"
EXAMPLES = 100
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def check(examples: int = EXAMPLES) -> int:
    """Run schemathesis against a server; return its exit status, 0 where it finds nothing."""
    with tempfile.TemporaryDirectory() as folder:
        config = _config(Path(folder))
        server = uvicorn.Server(uvicorn.Config(server_app(config), port=0, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        command = [
            *(str(SCHEMATHESIS), "run", f"http://127.0.0.1:{port}/openapi.json"),
            # A record that does not fit is no error of the request: the answer counts and names it.
            *("--checks", "all", "--exclude-checks", "negative_data_rejection"),
            *("--max-examples", str(examples), "--seed", "1"),
            *("--header", f"Authorization: Bearer {TOKEN}", "--no-color"),
        ]
        # It is sent no proxy's way, and keeps what it learns where this ends.
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        try:
            return subprocess.run(command, cwd=folder, env=environment, check=False).returncode
        finally:
            server.should_exit = True
            thread.join(10.0)


def _config(folder: Path) -> Config:
    rows = {"x": [1.0, 2.0] * 9, "y": ["a", "b"] * 9, "truth": ["a", "b"] * 9}
    reference = folder / "m.json"
    Reference.build(rows, predictions="y", ground_truth="truth").save(reference)
    options = {"reference": str(reference), "state_dir": str(folder / "state")}
    options["events_path"] = "/events"
    return Config.from_options(None, model="m", token=TOKEN, metrics_token=TOKEN, **options)


if __name__ == "__main__":
    sys.exit(check())
