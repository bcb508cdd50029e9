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
from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from mlmon_exporter.assets.rules import Settings, files
from mlmon_exporter.core.outcomes.task import CLASSIFICATION, REGRESSION
from tests.e2e.servers import free_port, program, prometheus
from tests.grafana.boards import BOARDS, FOLDER, panels
from tests.grafana.census import census
from tests.grafana.nothing import (
    CATEGORY,
    NO_SEGMENTS,
    NO_STREAMS,
    ONE_VERSION,
    PLAIN,
    may_be_empty,
)
from tests.grafana.viewer import Viewer

HERE = Path(__file__).parent
BUILD = HERE.parent.parent.parent / "build" / "board-pictures"
RATE_INTERVAL = "20s"
START_SECONDS = 300.0
"""Training takes a while on a busy machine."""
LEAST_SCRAPED = 0.9
"""Boards with gaps everywhere say nothing of the boards."""
PACE = Settings(hour_seconds=120)
"""An hour of the rules in two minutes, so that alerts fire within three."""
CONFIG = """
global: {{scrape_interval: 2s, evaluation_interval: 2s}}
rule_files: ["{rules}/recording/*.yml", "{rules}/alerting/*.yml"]
scrape_configs:
  - job_name: models
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class View(NamedTuple):
    """A board, and what is chosen on it."""

    uid: str
    chosen: dict[str, str]
    traits: Set[str] = frozenset()
    """Why panels of it may be empty, see `nothing`."""

    @property
    def file(self) -> str:
        return "-".join([self.uid, *self.chosen.values()]) + ".png"


DEMO = {PLAIN}
BIKE = DEMO | {ONE_VERSION, REGRESSION, NO_SEGMENTS}
INCOME = DEMO | {NO_STREAMS, CLASSIFICATION}
VIEWS = (
    View("mlmon-overview", {}),
    View("mlmon-operations", {}, DEMO),
    View("mlmon-drift", {"model": "bike-demand", "feature": "temp"}, BIKE),
    View("mlmon-drift", {"model": "income", "feature": "workclass"}, INCOME | {CATEGORY}),
    View("mlmon-quality", {"model": "bike-demand", "output": "rentals"}, BIKE),
    View("mlmon-quality", {"model": "income", "output": "label"}, INCOME | {CATEGORY}),
)


def main(arguments: Sequence[str]) -> int:
    """Draw all views, and count what is on them; return 1 if a panel is empty that may not be."""
    parser = argparse.ArgumentParser(prog="make boards", description=__doc__)
    parser.add_argument("--seconds", type=int, default=180, help="how long the demo runs before")
    parser.add_argument("--theme", choices=["dark", "light"], default="dark")
    options = parser.parse_args(arguments)
    build()
    with ExitStack() as stack:
        url = stack.enter_context(live(options.seconds))
        viewer = stack.enter_context(closing(Viewer(url, options.seconds, RATE_INTERVAL)))
        # All are counted before the first is drawn, which takes a while.
        problems = [text for view in VIEWS for text in count(view, viewer)]
        problems += [text for view in VIEWS for text in draw(view, viewer, url, options)]
    print("", *(problems or [f"Nothing to complain of; the pictures are in {BUILD}"]), sep="\n")
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
    """Run the demo and a Prometheus with the rules that ship for a while; gives its URL."""
    port = free_port()
    demo = [str(Path(sys.executable).parent / "mlmon-exporter"), "demo", "--once", f"--port={port}"]
    rules = BUILD / "rules"
    shutil.rmtree(BUILD / "prometheus", ignore_errors=True)
    for name, text in files(PACE).items():
        (rules / name).parent.mkdir(parents=True, exist_ok=True)
        (rules / name).write_text(text)

    def is_serving() -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200

    config = CONFIG.format(rules=rules, port=port)
    with (
        program([*demo, "--seconds=86400"], is_serving, BUILD / "demo.log", START_SECONDS),
        prometheus("prometheus", BUILD / "prometheus", config) as server,
    ):
        print(f"The demo runs for {seconds} s before boards are drawn", flush=True)
        threading.Event().wait(seconds)
        ((_, share),) = server.query(f"avg_over_time(up[{seconds}s])")
        if share < LEAST_SCRAPED:
            raise RuntimeError(f"only {share:.0%} of scrapes came in time: is the machine busy?")
        yield server.url


def count(view: View, viewer: Viewer) -> Iterator[str]:
    """Print what each panel of a view shows; gives those that are wrong."""
    board = BOARDS[view.uid]
    print(f"\n{view.file}", flush=True)
    for found in census(board, viewer, viewer.choices(board, **view.chosen), view.traits):
        print(f"  {found.text()}", flush=True)
        if found.is_wrong:
            yield f"{view.file}: {found.text()}"


def draw(view: View, viewer: Viewer, url: str, options: argparse.Namespace) -> Iterator[str]:
    """Draw a view; gives what is wrong with it."""
    board = BOARDS[view.uid]
    chosen = viewer.choices(board, **view.chosen)
    values = [f"var-{name}={value}" for name, value in chosen.items()]
    sizes = [f"range={options.seconds}", f"rate={RATE_INTERVAL}", f"theme={options.theme}"]
    file = FOLDER / f"{view.uid}.json"
    found = json.loads(run("node", "shoot.mjs", str(file), view.file, url, *sizes, *values))
    allowed = {panel["title"] for panel in panels(board) if may_be_empty(panel, view.traits)}
    for text in [*found["errors"], *found["unknown"], *({*found["nothing"]} - allowed)]:
        yield f"{view.file}: drawn without: {text}"


def run(*command: str) -> str:
    """Run a program in the build folder; return what it prints."""
    done = subprocess.run(command, cwd=BUILD, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
