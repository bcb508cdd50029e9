"""Cost of the fleet's rules: a real Prometheus evaluates them over an hour of many services.

The hour is written into its storage by promtool; then the rules run as they ship, but more often.
Times grow in proportion to the services, of which a small machine bears some ten.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import httpx

from mlmon_exporter.assets.rules.fleet import fleet_file
from tests.e2e.servers import Prometheus, prometheus, wait_until

FLEET, MODELS, FEATURES = 300, 3, 50
SERVICES = 10
BINS = [*(f"{number:02d}" for number in range(10)), "missing"]
SCRAPE_SECONDS = 15
HOUR_SECONDS = 3600
OFTEN = fleet_file().replace("interval: 1m", "interval: 4s")
EVALUATIONS = 3
"""The least time of so many is taken: others use the machine, too."""


class Cost(NamedTuple):
    """Of one evaluation of the rules on features."""

    seconds: dict[str, float]
    """By group: the least time of an evaluation."""
    scored: int
    """Features that have a PSI over the fleet."""


def table(services: int = SERVICES) -> None:
    """Print the times, and what they come to in a fleet of 300."""
    print(f"\nRules on {services} services x {MODELS} models x {FEATURES} features\n")
    print(f"| suspected features | scored | group | s | s at {FLEET} services |")
    print("|---|---|---|---|---|")
    for name, share in (("one in fifty", 1 / FEATURES), ("all", 1.0)):
        with tempfile.TemporaryDirectory() as folder:
            found = measured(Path(folder), services, share)
        for group, seconds in found.seconds.items():
            whole = seconds * FLEET / services
            print(f"| {name} | {found.scored} | {group} | {seconds:.2f} | {whole:.1f} |")


def measured(folder: Path, services: int, suspected: float, binary: str = "") -> Cost:
    """Return the cost where a share of each model's features may have drifted."""
    program = binary or shutil.which("prometheus") or "prometheus"
    tool = Path(program).with_name("promtool")
    data, end = folder / "hour.om", int(time.time()) // 60 * 60
    with data.open("w") as file:
        _write(file, services, suspected, end)
    command = [str(tool), "tsdb", "create-blocks-from", "openmetrics", str(data)]
    # Where Prometheus is to find its blocks.
    subprocess.run([*command, str(folder / "data")], check=True, capture_output=True)
    (folder / "fleet.yml").write_text(OFTEN)
    config = f'rule_files: ["{folder}/fleet.yml"]'
    seconds: dict[str, list[float]] = {}
    with prometheus(program, folder, config) as server:
        began = set[str]()

        def is_done() -> bool:
            for group in _groups(server):
                once = group["name"] + group["lastEvaluation"]
                if once not in began and group["evaluationTime"]:
                    began.add(once)
                    seconds.setdefault(group["name"], []).append(group["evaluationTime"])
            return bool(seconds) and min(map(len, seconds.values())) > EVALUATIONS

        wait_until(is_done, 300, "evaluations")
        ((_, scored),) = server.query("count(feature:mlmon_feature_psi:1h)")
    features = {name: times for name, times in seconds.items() if "feature" in name}
    # The first evaluation of the scores may have been before that of what they read.
    return Cost({name: min(times[1:]) for name, times in features.items()}, int(scored))


def _groups(server: Prometheus) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.url}/api/v1/rules", timeout=60).json()
    return list(answer["data"]["groups"])


def _write(file: TextIO, services: int, suspected: float, end: int) -> None:
    """Write counters of an hour before `end`, and gauges of its last scrapes."""
    times = range(end - HOUR_SECONDS - 300, end, SCRAPE_SECONDS)

    def family(name: str, of: Iterable[tuple[str, float]]) -> None:
        """Write gauges, or counters that grow by a value with each scrape."""
        is_counter = name.endswith("_total")
        kind = "counter" if is_counter else "gauge"
        file.write(f"# TYPE {name.removesuffix('_total')} {kind}\n")
        for labels, value in of:
            samples = [*enumerate(times)] if is_counter else [(1, at) for at in times[-3:]]
            file.write("".join(f"{name}{{{labels}}} {value * n} {at}\n" for n, at in samples))

    bins = [*_bins(services)]
    rows = random.Random(1).choices(range(1, 20), k=len(bins))
    counted = ((labels, rows[i] * share) for i, (labels, share) in enumerate(bins))
    family("mlmon_feature_bin_rows_total", counted)
    family("mlmon_feature_reference_ratio", bins)
    models = [(_model(number), 10000.0) for number in range(services * MODELS)]
    family("mlmon_reference_rows", models)
    windows = [
        (f'{labels},window="{window}"', 0.4 if number < suspected * FEATURES else 0.01)
        for number, labels in _columns(services)
        for window in ("1h", "24h")
    ]
    family("mlmon_feature_psi", windows)
    family("mlmon_feature_psi_threshold", ((labels, 0.1) for labels, _ in windows))
    family("mlmon_feature_window_rows", ((labels, 5000.0) for labels, _ in windows))
    file.write("# EOF\n")


def _columns(services: int) -> Iterator[tuple[int, str]]:
    """Give the number and the labels of each feature of each model."""
    for model in range(services * MODELS):
        for number in range(FEATURES):
            yield number, f'{_model(model)},feature="f{number:02d}"'


def _bins(services: int) -> Iterator[tuple[str, float]]:
    """Give the labels of each bin, and its share of the reference's rows."""
    for _, column in _columns(services):
        for name in BINS:
            yield f'{column},kind="numeric",bin="{name}"', 0.0 if name == "missing" else 0.1


def _model(number: int) -> str:
    return f'job="models",instance="s{number // MODELS}:80",model="m{number}",version="1"'
