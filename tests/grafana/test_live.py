"""Every query of every board, asked of a real Prometheus that scrapes real servers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from mlmon_exporter.assets.rules import Settings, kpi
from mlmon_exporter.assets.rules.fleet import fleet_file
from mlmon_exporter.assets.rules.rule_files import rule_file
from mlmon_exporter.core.derived.joint import JointColumns
from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.core.outcomes.task import CLASSIFICATION, REGRESSION
from tests.e2e.servers import Prometheus, free_port, program, prometheus, wait_until
from tests.newest_prometheus import victoria_metrics

from .boards import BOARDS, families, panels, variables
from .nothing import CATEGORY, UNCHANGED, may_be_empty
from .replicas import (
    CATEGORICAL,
    CHALLENGER,
    FEATURES,
    OUTPUTS,
    VERSIONS,
    replica,
    traffic,
    write_references,
)
from .viewer import Viewer

OFTEN = fleet_file().replace("interval: 1m", "interval: 1s").replace("interval: 5m", "interval: 2s")
"""The rules as they ship, evaluated more often."""
QUICK = Settings(hour_seconds=60)
"""An hour of the rules on business numbers in a minute."""
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: {rules}
scrape_configs:
  - job_name: models
    static_configs: [{{targets: {targets}}}]
"""
ALERT = {
    "alert": "MlmonTest",
    "expr": 'max by (job, model, feature) (mlmon_feature_drifted{window="1h"}) == 1',
    "labels": {"severity": "critical"},
}
TASKS = {"bike": REGRESSION, "churn": CLASSIFICATION}
SCRAPES = 12
SECONDS = 8
"""How far is looked back."""
LEAST_RATE_SECONDS = 5
COMPARED = 'mlmon_quality_rmse_difference{window="1h"}'
CARRIED = 'mlmon_derived_risen_ratio{model="bike", window="1h"}'
"""Rows of bike are far from its reference; those of churn may be, or not, at that moment."""
CONVERSION = "kpi:mlmon_kpi_events_per_row:ratio1h"
OF_NUMBERS = {"ks_statistic", "ks_threshold", "tail_ratio", "tail_threshold"}
OF_NUMBERS |= {"value", "quantile", "wasserstein_ratio", "out_of_range_total"}
OF_CATEGORIES = {"unseen_ratio", "unseen_threshold", "l_infinity"}
"""What only one of both kinds of columns has: Grafana shows a word for nothing there."""


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, require_binary: Callable[[str], str]
) -> Iterator[Prometheus]:
    binary = require_binary("prometheus")
    folder = tmp_path_factory.mktemp("boards")
    write_references(folder)
    rules = [folder / "fleet.yml", folder / "alerts.yml", folder / "kpi.yml"]
    rules[0].write_text(OFTEN)
    rules[1].write_text(json.dumps({"groups": [{"name": "test", "rules": [ALERT]}]}))
    rules[2].write_text(rule_file(kpi.recordings(QUICK), "Business numbers."))
    with ExitStack() as stack:
        urls = [stack.enter_context(replica(folder, name)) for name in VERSIONS]
        targets = [url.removeprefix("http://") for url in urls]
        config = CONFIG.format(rules=[str(path) for path in rules], targets=targets)
        stack.enter_context(traffic(urls))
        found = stack.enter_context(prometheus(binary, folder / "prometheus", config))
        scraped = f"count(count_over_time(mlmon_feature_psi[5m]) >= {SCRAPES})"
        wait_until(lambda: found.query(scraped), what="scores over some scrapes")
        wait_until(lambda: found.query("feature:mlmon_feature_psi:1h"), what="recorded scores")
        compared = f"count(count_over_time({COMPARED}[5m]) >= {SCRAPES}) == {len(VERSIONS)}"
        wait_until(lambda: found.query(compared), what="quality of two versions")
        wait_until(lambda: found.query(CONVERSION), what="recorded business numbers")
        wait_until(lambda: found.query(CARRIED), what="joint drift")
        yield found


class Moment(NamedTuple):
    """When there was something of everything in as many seconds as rates are about."""

    at: float
    rate_seconds: int


@pytest.fixture(scope="module")
def moment(server: Prometheus) -> Moment:
    """A moment before which neither traffic nor scrapes failed, as they may on a busy machine."""
    began, found = time.monotonic(), list[Moment]()

    def is_found() -> bool:
        tried = Moment(time.time() - 1, LEAST_RATE_SECONDS + int(time.monotonic() - began) // 3)
        # A round leaves nothing out, and has two of these requests for each replica.
        sent = (
            f'increase(mlmon_requests_total{{route="/bike", outcome="ok"}}[{tried.rate_seconds}s])'
        )
        flowing = f"min_over_time({sent}[{SECONDS}s:1s])"
        # After a scrape that failed, gauges and what is recorded of them are gone for a while.
        counts = server.query(f"{flowing} and on (instance) min_over_time(up[5s]) == 1", tried.at)
        if len(counts) == len(VERSIONS) and all(count >= 6 for _, count in counts):
            found.append(tried)
        return bool(found)

    wait_until(is_found, what="rounds of traffic, scraped")
    return found[0]


@pytest.fixture
def viewer(server: Prometheus, moment: Moment) -> Iterator[Viewer]:
    rates = f"{moment.rate_seconds}s"
    with closing(Viewer(server.url, SECONDS, rate_interval=rates, at=moment.at)) as found:
        yield found


def views() -> Iterator[tuple[str, dict[str, str]]]:
    """Every board, of each model and each of its columns where it shows one."""
    for uid, board in BOARDS.items():
        columns = {"feature": FEATURES, "output": OUTPUTS}
        shown = [name for name in columns if name in variables(board)]
        for name in shown:
            for model, choices in columns[name].items():
                for choice in choices:
                    yield uid, {"model": model, name: choice}
        if not shown:
            yield uid, {}


def is_for_another_task(expr: str, model: str | None) -> bool:
    """Return whether an expression is about numbers that the model's task does not have."""
    task = TASKS.get(model or "")
    tasks = {_task(family) for family in families(expr)}
    return task is not None and None not in tasks and task not in tasks


def _task(family: str) -> str | None:
    """Return the task that alone has a metric, None where others have it, too."""
    if re.match(r"mlmon_(segment|demographic|equal|ground_truth_(coverage|parity))", family):
        return CLASSIFICATION
    found = re.match(
        r"mlmon_(?:reference_|estimated_)?quality_(\w+?)(_difference)?(_threshold)?$", family
    )
    quality = QUALITY.get(found[1]) if found else None
    return quality.task if quality else None


def bare(expr: str) -> str:
    """Return an expression without the limit of its lines."""
    limit = "topk(20, "
    return expr.removeprefix(limit).removesuffix(")") if expr.startswith(limit) else expr


def is_for_others(expr: str, column: str | None) -> bool:
    """Return whether an expression is about scores that the column's kind does not have."""
    if column is None:
        return False
    if 'bin="unseen"' in expr:
        return column not in CATEGORICAL
    # The derived column that a board shows first is a number.
    derived = {f.removeprefix("mlmon_derived_") for f in families(expr) if "_derived_" in f}
    if derived:
        return derived <= OF_CATEGORIES
    names = {re.sub("^mlmon_(feature|prediction)_", "", f) for f in families(expr)}
    return names <= (OF_NUMBERS if column in CATEGORICAL else OF_CATEGORIES)


@pytest.mark.parametrize(("uid", "chosen"), [*views()], ids=str)
def test_every_panel_has_something_to_show(
    viewer: Viewer, uid: str, chosen: dict[str, str]
) -> None:
    values = viewer.choices(BOARDS[uid], **chosen)
    column = chosen.get("feature") or chosen.get("output")
    is_of_other = partial(is_for_another_task, model=chosen.get("model"))
    traits = {TASKS[model] for model in [chosen.get("model")] if model}
    traits |= {CATEGORY} if column in CATEGORICAL else set()
    traits |= {UNCHANGED} if chosen.get("model") == "churn" else set()
    problems = []
    for panel in panels(BOARDS[uid]):
        found = [(query["expr"], viewer.problem(query, values)) for query in panel["targets"]]
        for expr, problem in found:
            # Of faults, the kinds that there are any of are shown beside their sum: often none.
            # What stands in for quantiles from digests is not there beside them.
            is_optional = (
                bare(expr).endswith("> 0")
                or "unless on (cluster, namespace, job, version) max" in expr
                or " offset 1" in expr  # nothing is there from days ago
                or (UNCHANGED in traits and "_risen_" in expr)
                or all("_hour_" in family for family in families(expr))  # hours do not differ here
            )
            is_optional |= is_for_others(expr, column) or is_of_other(expr)
            if problem and not (is_optional and problem == "no data"):
                problems.append(f"{panel['title']}: {problem}: {expr}")
        if all(problem for _, problem in found) and not may_be_empty(panel, traits):
            problems.append(f"{panel['title']}: empty")
    assert problems == []


@pytest.mark.parametrize("uid", BOARDS)
def test_every_variable_offers_what_there_is(viewer: Viewer, uid: str) -> None:
    board = BOARDS[uid]
    values = viewer.choices(board, model="churn")
    wanted: dict[str, Any] = {
        "cluster": [],
        "namespace": [],
        "job": ["models"],
        "model": ["bike", "churn"],
        "version": [] if values["model"] == "churn" else [*VERSIONS.values()],
        "window": ["1h", "24h"],
        "feature": FEATURES["churn"],
        "output": OUTPUTS["churn"],
        "derived": sorted(JointColumns.names),
    }
    for name, variable in variables(board).items():
        found = viewer.options(variable, values)
        assert len(found) == 2 if name == "instance" else found == wanted[name], name


@pytest.mark.parametrize("uid", BOARDS)
def test_annotations_mark_the_alerts_that_fire_and_the_models_that_came(
    viewer: Viewer, uid: str
) -> None:
    values = viewer.choices(BOARDS[uid], model="bike")
    for annotation in BOARDS[uid]["annotations"]["list"]:
        assert viewer.course(annotation["expr"], values), annotation["name"]


def test_latencies_carry_traces(server: Prometheus) -> None:
    query: dict[str, str | float] = {
        "query": "mlmon_request_duration_seconds_bucket",
        "start": 0,
        "end": 9e9,
    }
    answer = httpx.get(f"{server.url}/api/v1/query_exemplars", params=query, timeout=30).json()
    labels = [set(e["labels"]) for series in answer["data"] for e in series["exemplars"]]
    assert labels
    assert all("trace_id" in names for names in labels)


def test_without_the_recording_rules_the_gauges_are_shown(
    server: Prometheus, viewer: Viewer
) -> None:
    for uid in ("mlmon-overview", "mlmon-drift", "mlmon-quality"):
        values = viewer.choices(BOARDS[uid], model="bike")
        for panel in panels(BOARDS[uid]):
            for query in panel["targets"]:
                recorded, either, gauge = bare(query["expr"]).partition("\nor\n")
                if ":1h" in recorded:
                    assert either
                    # Drift over all replicas is recorded for the configured versions alone.
                    keys = [
                        {*labels}
                        for labels, _ in viewer.newest(gauge, values)
                        if labels.get("version") != CHALLENGER
                    ]
                    assert keys
                    # The fleet is scored where a replica is suspected of drift.
                    found = [
                        {*labels} - {"__name__"} for labels, _ in viewer.newest(recorded, values)
                    ]
                    assert all(labels in keys for labels in found)


OF_A_SPAN = re.compile(r"\b(rate|increase|changes)\(")
"""Functions of a span of time: VictoriaMetrics also reads the sample before it, so that of seconds
with a few requests values differ. An hour's errors and counts are compared in `alerts/tests`."""


def copied(server: Prometheus, at: float, url: str) -> None:
    """Have VictoriaMetrics hold the samples of some minutes before a moment, and no others."""
    parameters = {"query": '{__name__!=""}[5m]', "time": f"{at:.3f}"}
    found = httpx.get(f"{server.url}/api/v1/query", params=parameters, timeout=120).json()
    lines = []
    for series in found["data"]["result"]:
        times, values = zip(*series["values"], strict=True)
        numbers = [float(value) for value in values]
        whole = {"timestamps": [round(1000 * t) for t in times], "values": numbers}
        lines.append(json.dumps({"metric": series["metric"], **whole}).replace("NaN", "null"))
    httpx.post(f"{url}/api/v1/import", content="\n".join(lines), timeout=120).raise_for_status()
    httpx.get(f"{url}/internal/force_flush", timeout=60).raise_for_status()


def test_victoria_metrics_answers_all_queries_alike(
    server: Prometheus, moment: Moment, viewer: Viewer, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [victoria_metrics("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{port}"]
    command += [f"-storageDataPath={tmp_path}/data", "-search.latencyOffset=0s"]

    def is_ready() -> bool:
        return httpx.get(f"{url}/health").status_code == 200

    with program(command, is_ready, tmp_path / "log"):
        copied(server, moment.at, url)
        rates = f"{moment.rate_seconds}s"
        with closing(Viewer(url, SECONDS, rate_interval=rates, at=moment.at)) as other:
            differing = []
            for uid, chosen in views():
                values = viewer.choices(BOARDS[uid], **chosen)
                for panel in panels(BOARDS[uid]):
                    for query in panel["targets"]:
                        # Among equals a limit takes any, and 0 is just not over 0.
                        expr = bare(query["expr"]).removesuffix(" > 0")
                        ours = numbered(viewer.newest(expr, values))
                        theirs = numbered(other.newest(expr, values))
                        is_alike = theirs.keys() == ours.keys()
                        if not OF_A_SPAN.search(expr):
                            is_alike = theirs == pytest.approx(ours, nan_ok=True)
                        if not is_alike:
                            differing.append((panel["title"], expr, ours, theirs))
    assert differing == []


def numbered(found: Iterator[tuple[dict[str, str], float]]) -> dict[str, float]:
    """Return the values by all labels but one, of which boards take any where versions differ."""
    return {str({**dict(sorted(labels.items())), "interval": ""}): value for labels, value in found}
