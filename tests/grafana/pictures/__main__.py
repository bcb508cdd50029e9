"""Runs the demo for three minutes, and draws every board: `python -m tests.grafana.pictures`.

Needs prometheus, chromium, node and npm; the first time, npm fetches Grafana's components.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from mlmon_exporter.alerts.fleet import Plan, Window, fleet_file
from tests.e2e.servers import free_port, program, prometheus
from tests.grafana.boards import BOARDS, FOLDER, NOTHING_FOR_CATEGORIES
from tests.grafana.viewer import Viewer

HERE = Path(__file__).parent
BUILD = HERE.parent.parent.parent / "build" / "board-pictures"
RATE_INTERVAL = "20s"
PLAN = Plan((Window("1h", "5s"), Window("1d", "10s", is_from_rate=True)), "5m", every="5s")
CONFIG = """
global: {{scrape_interval: 2s, evaluation_interval: 2s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: models
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class View(NamedTuple):
    """A board, and what is chosen on it."""

    uid: str
    chosen: dict[str, str]
    is_of_category: bool = False

    @property
    def file(self) -> str:
        return "-".join([self.uid, *self.chosen.values()]) + ".png"


VIEWS = (
    View("mlmon-overview", {}),
    View("mlmon-operations", {}),
    View("mlmon-drift", {"model": "bike-demand", "feature": "temp"}),
    View("mlmon-drift", {"model": "income", "feature": "workclass"}, is_of_category=True),
    View("mlmon-quality", {"model": "bike-demand", "output": "rentals"}),
    View("mlmon-quality", {"model": "income", "output": "label"}, is_of_category=True),
)


def main(arguments: Sequence[str]) -> int:
    """Draw all views; return 1 if a panel had nothing to show."""
    parser = argparse.ArgumentParser(prog="make boards", description=__doc__)
    parser.add_argument("--seconds", type=int, default=180, help="how long the demo runs before")
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    options = parser.parse_args(arguments)
    build()
    with ExitStack() as stack:
        url = stack.enter_context(live(options.seconds))
        viewer = stack.enter_context(closing(Viewer(url, options.seconds, RATE_INTERVAL)))
        problems = [text for view in VIEWS for text in draw(view, viewer, url, options)]
    print("\n".join(problems) or f"Nothing to complain of; the pictures are in {BUILD}")
    return int(bool(problems))


def build() -> None:
    """Bundle the page that draws."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for path in HERE.glob("*.*"):
        if path.suffix != ".py":
            shutil.copy(path, BUILD)
    if not (BUILD / "node_modules").is_dir():
        run("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent")
    run("node", "build.mjs")


@contextmanager
def live(seconds: int) -> Iterator[str]:
    """Run the demo and Prometheus for a while; gives Prometheus's URL."""
    port = free_port()
    demo = [str(Path(sys.executable).parent / "mlmon-exporter"), "demo", "--once", f"--port={port}"]
    rules = BUILD / "fleet.yml"
    rules.write_text(fleet_file(PLAN))
    shutil.rmtree(BUILD / "prometheus", ignore_errors=True)

    def is_serving() -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200

    config = CONFIG.format(rules=rules, port=port)
    with (
        program([*demo, "--seconds=86400"], is_serving, BUILD / "demo.log"),
        prometheus("prometheus", BUILD / "prometheus", config) as server,
    ):
        print(f"The demo runs for {seconds} s before boards are drawn", flush=True)
        threading.Event().wait(seconds)
        yield server.url


def draw(view: View, viewer: Viewer, url: str, options: argparse.Namespace) -> Iterator[str]:
    """Draw a view; gives what is wrong with it."""
    chosen = viewer.choices(BOARDS[view.uid], **view.chosen)
    values = [f"var-{name}={value}" for name, value in chosen.items()]
    sizes = [f"range={options.seconds}", f"rate={RATE_INTERVAL}", f"theme={options.theme}"]
    board = FOLDER / f"{view.uid}.json"
    found = json.loads(run("node", "shoot.mjs", str(board), view.file, url, *sizes, *values))
    expected = NOTHING_FOR_CATEGORIES if view.is_of_category else set()
    print(f"{view.file}: {found}", flush=True)
    for text in [*found["errors"], *found["unknown"], *({*found["nothing"]} - expected)]:
        yield f"{view.file}: {text}"


def run(*command: str) -> str:
    """Run a program in the build folder; return what it prints."""
    done = subprocess.run(command, cwd=BUILD, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
