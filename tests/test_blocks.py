"""Every block of code in README and docs runs as it stands there, or its table says why not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import numpy as np
import pytest
import tdigest
import yaml
from fastapi import FastAPI
from flask import Flask

from mlmon_exporter import Monitor, MonitorMiddleware, instrument
from mlmon_exporter.config.keys import load_config
from tests.command_line import run
from tests.e2e.servers import serving

from .blocks import PREDICTION_ID, ROOT, Block, bikes, blocks, people, prepare, serve_rows

BLOCKS = [*blocks()]
LANGUAGES = {"sh", "python", "toml", "yaml", "json", "promql", "text"}
NOT_PYTHON = {
    ("distributed.md", "Spark"): "needs Spark: tests/examples/test_spark.py runs the same lines",
    ("servers.md", "KServe"): "`make servers` runs it: tests/servers/kserve_app.py",
    ("servers.md", "MLServer"): "`make servers` runs it: tests/servers/grpc_mlserver_app.py",
    ("servers.md", "MLflow"): "`make servers` runs it: tests/servers/mlflow_app.py",
    ("servers.md", "BentoML"): "`make servers` runs it: tests/servers/bentoml_app.py",
    ("servers.md", "LitServe"): "`make servers` runs it: tests/servers/litserve_app.py",
    ("servers.md", "Ray Serve"): "`make servers` runs it: tests/servers/beside.py",
}
"""Page and heading of code that is only compiled -> why."""
NOT_TYPED = {
    "curl": "",  # sent by httpx
    "kubectl": "needs a cluster: tests/assets/rules/test_kubernetes.py checks what it is given",
    "make": "has its own tests, or takes long: Makefile",
    "pip": "installed where the tests run: pyproject.toml",
    "promtool": "tests/cli/commands/test_backtest.py types it",
    "python": "tests/examples/test_spark.py and tests/grafana/test_boards.py run these",
    "python3": "the tests have an environment: .ci/run",
    "tensorflow_model_server": "bodies of its documentation: tests/formats/test_kserve_v1.py",
    "torchserve": "bodies of its documentation: tests/bodies",
    "tritonserver": "tests/examples/test_triton_sidecar.py has a server in its place",
    "vllm": "bodies of its documentation: tests/formats/test_openai.py",
    ".venv/bin/pip": "installed where the tests run: pyproject.toml",
    ".venv/bin/mlmon-exporter": "tests/cli/demo/test_run.py",
}
"""Program -> why it is not typed."""
NOT_CALLED = {
    "proxy": "relays until it is stopped: tests/e2e/test_proxy.py",
    "serve": "serves until it is stopped: tests/cli/test_server.py",
    "test-alert": "needs an Alertmanager: tests/cli/commands/test_send_alert.py",
}
"""Command of ours -> why it is not called."""


def of(language: str) -> pytest.MarkDecorator:
    chosen = [block for block in BLOCKS if block.language == language]
    return pytest.mark.parametrize("block", chosen, ids=lambda block: block.name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_block_says_what_it_is_and_each_reason_names_what_is_there() -> None:
    assert [block.name for block in BLOCKS if block.language not in LANGUAGES] == []
    assert {b.language for b in BLOCKS} == LANGUAGES
    headings = {(block.page, block.heading) for block in BLOCKS}
    assert NOT_PYTHON.keys() <= headings
    for reason in [*NOT_PYTHON.values(), *NOT_TYPED.values(), *NOT_CALLED.values()]:
        for path in re.findall(r"[\w.]+/[\w./]+\w|Makefile|pyproject.toml", reason):
            assert (ROOT / path).exists(), reason


# --- Commands ---


def test_the_commands_of_each_page_do_what_they_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [block for block in BLOCKS if block.language == "sh"]
    called = 0
    for page in dict.fromkeys(block.page for block in shown):
        place = folder / page
        place.mkdir()
        monkeypatch.chdir(place)
        prepare(place, page)
        text = "".join(block.text for block in shown if block.page == page)
        with watched(place, monkeypatch) if "localhost:8000" in text else nothing() as url:
            for line in text.replace("\\\n", " ").splitlines():
                called += typed(line.replace("http://localhost:8000", url), url)
    assert called > 15


def typed(line: str, url: str) -> int:
    """Call a command of ours, send what curl would; return whether it was a command of ours."""
    words = shlex.split(re.sub(r"^\w+=\S+ ", "", line), comments=True)
    if words[0] == "curl":
        send(line, words, url)
    if words[0] != "mlmon-exporter":
        assert words[0] in NOT_TYPED, line
        return 0
    if words[1] in NOT_CALLED:
        return 0
    if "--from-state" in words:
        serve_rows(Path())
    done = run(*words[1:])
    assert done.exit_code == 0, (line, done.stderr, done.exception)
    return 1


def send(line: str, words: list[str], url: str) -> None:
    """Send what curl would; the answer is the one that the page shows, if it shows one."""
    address = next(word for word in words if word.startswith("localhost:8000"))
    body = words[words.index("-d") + 1]
    headers = {"Authorization": "Bearer s3cret"}
    answer = httpx.post(address.replace("localhost:8000", url), content=body, headers=headers)
    assert answer.status_code == 200, (line, answer.text)
    if "ground-truth" in address:
        (shown,) = (block.text for block in BLOCKS if block.language == "json")
        assert answer.json() == json.loads(shown)


@contextmanager
def nothing() -> Iterator[str]:
    yield ""


@contextmanager
def watched(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve a model that has predicted what the page's outcomes are of."""
    monkeypatch.setenv("MLMON_TOKEN", "s3cret")
    app = FastAPI()
    monitor = instrument(app, model="income", reference=place / "income.reference.json")
    rows = people(np.random.default_rng(9))
    features = {name: rows[name][:3] for name in ("season", "temp", "sex", "age")}
    outputs = {name: rows[name][:3] for name in ("p", "class")}
    monitor.observe(features, outputs, prediction_ids=[PREDICTION_ID, "a", "b"])
    with serving(app) as url:
        yield url


# --- Python ---


class Classifier:
    """Stands for a model of scikit-learn."""

    def predict_proba(self, rows: list[list[float]]) -> np.ndarray[Any, Any]:
        return np.array([[0.4, 0.6]] * len(rows))


def given(page: str, heading: str, after: ExitStack) -> dict[str, Any]:
    """Return the names that the code under a heading takes from the reader's."""
    rng = np.random.default_rng(10)
    numbers = rng.normal(40, 10, 500)
    digest = tdigest.TDigest()
    digest.batch_update(numbers[:100])
    frame = {"score": numbers, "season": ["1", "2"] * 250}
    if page == "compare.md":
        frame = {k: v for k, v in bikes(rng, "2026-11-01").items() if k != "ts"}
    return {
        "Monitor": Monitor,
        "MonitorMiddleware": MonitorMiddleware,
        "app": FastAPI() if heading.startswith("FastAPI") else Flask("app"),
        "get_wsgi_application": lambda: Flask("django").wsgi_app,
        "model": Classifier(),
        "frame": in_dask(frame) if heading == "Dask" else frame,
        "dataset": in_ray(frame, after) if heading == "Ray Data" else None,
        "ages": numbers,
        "cities": ["a", "b"] * 250,
        "scores": numbers,
        "digest": digest,
    }


def in_dask(frame: dict[str, Any]) -> Any:
    """Return a Dask DataFrame of four partitions."""
    require("dask")
    import dask.dataframe
    import pandas as pd

    return dask.dataframe.from_pandas(pd.DataFrame(frame), npartitions=4)


def in_ray(frame: dict[str, Any], after: ExitStack) -> Any:
    """Return a dataset of four blocks in a Ray that ends after the test."""
    require("ray")
    import pyarrow as pa
    import ray

    after.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # it sets one
    after.callback(ray.shutdown)
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000)
    return ray.data.from_arrow(pa.table(frame)).repartition(4)


def require(package: str) -> None:
    """Skip the test if an extra is not installed; let it fail in CI."""
    if find_spec(package) is None and os.environ.get("CI") != "true":
        pytest.skip(f"{package}: expected it to be installed; `make .venv/.{package}` does that")


PYTHON = dict.fromkeys((b.page, b.heading) for b in BLOCKS if b.language == "python")


@pytest.mark.parametrize(("page", "heading"), PYTHON)
def test_the_code_under_a_heading_runs(
    page: str, heading: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [b.text for b in BLOCKS if b.language == "python" and b[:2] == (page, heading)]
    places = {"/var/lib/mlmon": folder, "/tmp/mlmon": folder, "/opt/ml/model": folder}
    for place, ours in places.items():
        texts = [text.replace(place, str(ours)) for text in texts]
    codes = [compile(text.replace("9464", "0"), page, "exec") for text in texts]
    if (page, heading) in NOT_PYTHON:
        return
    prepare(folder, page)
    monkeypatch.setattr(grpc.aio, "server", grpc.aio.server)  # the page replaces it

    async def execute() -> None:  # in a loop, as a gRPC server wants
        for code in codes:
            exec(code, names)

    with ExitStack() as after:
        names = given(page, heading, after)
        asyncio.run(execute())
    if "score" in names and page == "servers.md":
        assert names["score"]({"age": 30.0, "fare": 7.0}) == 0.6


# --- Configuration and data ---


@of("toml")
def test_a_server_starts_with_the_configuration(block: Block, folder: Path) -> None:
    prepare(folder, block.page)
    (folder / "mlmon.toml").write_text(block.text)
    config = load_config(folder / "mlmon.toml")
    Monitor(config.model_copy(update={"state_dir": None, "ground_truth_store": None})).close()


@of("yaml")
def test_the_yaml_is_whole_and_prometheus_reads_what_is_its_own(
    block: Block, folder: Path, require_binary: Callable[[str], str]
) -> None:
    parsed = yaml.safe_load(block.text)
    assert isinstance(parsed, dict)
    if not block.text.startswith("# prometheus.yml"):
        return
    assert run("assets", "--out", folder / "monitoring").exit_code == 0
    fleet = folder / "monitoring" / "alerts" / "recording" / "mlmon-fleet.yml"
    (folder / fleet.name).write_bytes(fleet.read_bytes())
    (folder / "prometheus.yml").write_text(block.text)
    checked([require_binary("promtool"), "check", "config", "prometheus.yml"])


@of("promql")
def test_prometheus_reads_the_queries(
    block: Block, folder: Path, require_binary: Callable[[str], str]
) -> None:
    rules = {"groups": [{"name": "page", "rules": [{"record": "r", "expr": block.text}]}]}
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    checked([require_binary("promtool"), "check", "rules", "rules.yml"])


def checked(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
