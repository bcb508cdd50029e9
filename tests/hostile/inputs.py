"""All that the exporter reads besides bodies, each with inputs to start from and a rule.

A rule takes any bytes, and raises where they break what is promised. `test_inputs.py` tries it
on bytes that hypothesis changes, `make soak ARGS=fuzz` under a fuzzer that watches branches.
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
import numpy as np
import orjson

from mlmon_exporter import Config, ConfigError, Monitor, Reference
from mlmon_exporter.config.keys import load_config
from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.processes import CpuTime, Process, process_readings
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.counts.tokens import TokenTimes
from mlmon_exporter.core.keys import FEATURES, RESIDUALS, SEGMENTS, TallyKey
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.outcomes.tally_bytes import from_bytes, to_bytes
from mlmon_exporter.core.records import Batch, Exemplar, Histograms, Readings
from mlmon_exporter.core.settings import ModelSettings, window_names
from mlmon_exporter.endpoints.post import MOST_BYTES
from mlmon_exporter.formats import REASONS, FormatError
from mlmon_exporter.formats.codings import CODINGS, decode
from mlmon_exporter.metrics.text import Exposition
from mlmon_exporter.state.errors import UnreadableError
from mlmon_exporter.state.store import Merge, Value
from mlmon_exporter.state.values import (
    Mergeable,
    merge_tally,
    merging,
    read,
    read_worker,
    reading,
    worker_value,
)

from . import data_files, events, rpc, state_files

M = TypeVar("M", bound=Mergeable)

ROOT = Path(__file__).parents[2]
NOW = 1_750_000_000.0
TOKEN = "t"
TAKEN = (200, 400, 413)
"""What a writer with the token may be answered."""

JUNK: list[Any] = [
    *(None, True, "", "x", "\x00", [], [[]], {}),
    *(-1, 0.5, 2**53, 2**63 - 1, 2**64 - 1, 1e308, -1e308),
]


class Input(NamedTuple):
    """Something that is read."""

    seeds: Callable[[], list[bytes]]
    """Gives valid ones."""
    rule: Callable[[bytes], None]


def render(blocks: Iterable[Readings | Histograms]) -> bytes:
    """Return the readings as a scrape has them."""
    for is_open_metrics in (False, True):
        text = Exposition(is_open_metrics).render(list(blocks))
    return text


# The configuration.

CONFIG = b"""
windows = ["5m", "1h"]
false_alarm_every = "30d"
digest = "tdigest"
token = "secret"
page_path = "/page"
psi_floor = 0.2
max_routes = 10
feature_histograms = false
[[models]]
name = "churn"
version = "3"
task = "classification"
routes = ["/predict"]
format = "json"
features = "inputs.rows"
segments = ["plan", {feature = "age", edges = [25, 45]}]
outputs = ["label", "score"]
score = "score"
positive = 1
[[models]]
name = "b"
"""


def config_rule(data: bytes) -> None:
    """Any file is a configuration that a monitor can be made of, or a ConfigError."""
    path = _folder() / "mlmon.toml"
    path.write_bytes(data)
    try:
        config = load_config(path)
        models = tuple(model.model_copy(update={"reference": None}) for model in config.models)
        nowhere: dict[str, Any] = {"state_dir": None, "ground_truth_store": None}
        monitor = Monitor(config.model_copy(update={**nowhere, "models": models}))
    except ConfigError as error:
        str(error).encode()
        return
    monitor.observe({"x": [1.0, 2.0]}, model=config.models[0].name, now=NOW)
    render(monitor._readout.blocks(NOW))


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="mlmon-hostile-"))


# The reference.


@cache
def reference(kind: str = "classification") -> Reference:
    """Return a reference with columns of each kind, and outcomes."""
    rng = np.random.default_rng(0)
    is_true = rng.random(60) < 0.5
    rows = {
        "x": rng.normal(size=60).round(1),
        "k": rng.poisson(2, 60),
        "c": rng.choice(["a", "b", ""], 60),
        "score": (is_true * 0.3 + rng.random(60) * 0.7).round(1),
        "truth": is_true.astype(int)
        if kind == "classification"
        else (is_true + rng.random(60)).round(1),
    }
    segments: list[str | tuple[str, list[float]]] = ["c", ("x", [0.0])]
    built = Reference.build(
        rows, predictions="score", ground_truth="truth", task=kind, segments=segments
    )
    built.created = NOW
    return built


def reference_seeds() -> list[bytes]:
    small = Reference.build({"x": [1.0, 2.0, 2.0], "c": ["a", "b", "b"]}, predictions="c")
    small.created = NOW
    return [small.to_bytes(), reference().to_bytes(), reference("regression").to_bytes()]


def reference_rule(data: bytes) -> None:
    """Any bytes are a reference that can be written and scored against, or ValueError."""
    try:
        read = Reference.from_bytes(data)
        model = _model(read.for_model("file"))
    except ValueError as error:
        str(error).encode("utf-8", "replace")
        return
    Reference.from_bytes(read.to_bytes())
    assert all(value == value for value in read.quality.values())
    features = {column.name: [1.0, "a", None] for column in read.features}
    predictions = {column.name: [0.5, 1.0, "b"] for column in read.outputs}
    model.observe(Batch(features, predictions, 3), NOW)
    render(model.readings(NOW))


def _model(known: ModelReference) -> Model:
    windows = window_names([("1h", 3600.0), ("24h", 86400.0)])
    return Model(ModelSettings("m", "1", windows=windows, is_shared=True), known)


# The values of the state file.


class _Kind(NamedTuple):
    """A kind of value: how it is merged into, and how it is read and shown."""

    merge: Callable[[], Merge]
    show: Callable[[bytes], Iterable[Readings | Histograms]]


def _traffic() -> RequestCounts:
    traffic = RequestCounts(max_routes=5)
    exemplar = Exemplar("a" * 32, "b" * 16, 0.1, NOW)
    for status in (200, 500):
        labels = ("m", "1", "/predict", "POST", status, "ok")
        traffic.record(labels, (0.1, 0.05, 10.0, 20.0), exemplar)
        times = TokenTimes(0.0)
        traffic.record_tokens("m", "1", "/predict", times)
    traffic.record_rows("m", "1", 3)
    return traffic


def _health() -> Health:
    health = Health()
    health.drop("queue_full")
    return health


def _feedback() -> Feedback:
    feedback = Feedback(max_kpis=3)
    feedback.declare("m", "1")
    feedback.delayed("m", "1", [5.0])
    feedback.kpi("m", "1", "revenue", -2.0)
    return feedback


def _show_process(data: bytes) -> Iterable[Readings]:
    _, process = read_worker(data)
    return process_readings([process, process], None)


def _kind(new: Callable[[], M], show: Callable[[M], Iterable[Readings | Histograms]]) -> _Kind:
    """Return the kind of counts that are kept as JSON."""
    return _Kind(lambda: merging(new()), lambda data: show(read(new(), "value", data)))


_KINDS: Mapping[str, _Kind] = {
    "traffic": _kind(_traffic, lambda counts: counts.readings(NOW)),
    "health": _kind(_health, lambda counts: counts.readings()),
    "feedback": _kind(_feedback, lambda counts: counts.readings()),
    "cpu": _kind(lambda: CpuTime(1.5), lambda time: process_readings([], time.seconds)),
    "worker": _Kind(lambda: lambda _: worker_value(_process(), NOW), _show_process),
}


def _process() -> Process:
    numbers = {"process_open_fds": 7.0, "process_start_time_seconds": NOW}
    return Process(numbers, [(["m", "1", "/predict"], 2)])


def state_seeds() -> list[bytes]:
    return [bytes([i]) + kind.merge()(None).data for i, kind in enumerate(_KINDS.values())]


def state_rule(data: bytes) -> None:
    """Any value can be shown and added to, or is unreadable: there is no other error."""
    kind = [*_KINDS.values()][data[0] % len(_KINDS)] if data else _KINDS["traffic"]
    try:
        blocks = [*kind.show(data[1:])]
        merged = kind.merge()(Value(data[1:]))
    except UnreadableError:
        return
    render(blocks)
    render(kind.show(merged.data))


# The tallies of the state file.


@cache
def _counted(kind: str) -> tuple[Model, Mapping[TallyKey, bytes]]:
    """Return a model, and a tally of each of its sides as bytes."""
    model = _model(reference(kind).for_model("file"))
    rng = np.random.default_rng(1)
    features = {"x": rng.normal(size=40), "k": rng.poisson(2, 40), "c": ["a", "z"] * 20}
    ids = [f"p{i}" for i in range(40)]
    batch = Batch(features, {"score": rng.random(40)}, 40, None, ids)
    model.observe(batch, NOW)
    outcomes = [(each, i % 2) for i, each in enumerate(model.pending_of(batch, NOW))]
    model.versions.restore(model.outcome_tallies(outcomes, NOW)[0])
    parts = model.versions.take()
    wanted = {
        key.side: (key, to_bytes(tally))
        for key, tally in parts.items()
        if key.window_seconds == 3600.0
    }
    assert {FEATURES, RESIDUALS, SEGMENTS} <= wanted.keys()
    return model, dict(wanted.values())


_TASKS = ("classification", "regression")


def tally_seeds() -> list[bytes]:
    return [
        bytes([i, j]) + data
        for i, kind in enumerate(_TASKS)
        for j, data in enumerate(_counted(kind)[1].values())
    ]


def tally_rule(data: bytes) -> None:
    """Any value can be shown and added to, or is unreadable: there is no other error."""
    if len(data) < 2:
        return
    model, parts = _counted(_TASKS[data[0] % len(_TASKS)])
    key, good = [*parts.items()][data[1] % len(parts)]
    tally = from_bytes(good)
    try:
        with reading("part"):
            model.versions.load(key, data[2:])
        merged = merge_tally(tally, key)(Value(data[2:]))
    except UnreadableError:
        return
    try:
        render(model.readings(NOW))
        model.versions.load(key, merged.data)
        render(model.readings(NOW))
    finally:
        model.versions.load(key, good)


# Content codings.

BROTLI: Any = import_module("brotli")  # it has no types
BOMB = b" " * (MOST_BYTES + 1)


def encode(coding: str, content: bytes) -> bytes:
    """Return content in a coding."""
    if coding == "br":
        return bytes(BROTLI.compress(content))
    return zlib.compress(content) if coding == "deflate" else gzip.compress(content, mtime=0)


def coding_seeds() -> list[bytes]:
    deflated = zlib.compressobj(wbits=-15)
    raw = deflated.compress(CONFIG) + deflated.flush()
    each = [(i, encode(coding, CONFIG)) for i, coding in enumerate(CODINGS)]
    bombs = [(i, encode(coding, BOMB)) for i, coding in enumerate(CODINGS)]
    return [bytes([i, 12]) + content for i, content in [*each, *bombs, (2, raw)]]


def coding_rule(data: bytes) -> None:
    """Any bytes of any coding become at most so many bytes as are asked for, or a FormatError."""
    coding, most = CODINGS[data[0] % len(CODINGS)] if data else "", 1 << sum(data[1:2]) % 24
    try:
        assert len(decode(data[2:], coding, most)) <= most
    except FormatError as error:
        if error.reason not in REASONS:
            raise


# What is posted.

_PATHS = ("/ground-truth", "/kpi")
_FED_BACK = ("mlmon_ground_truth", "mlmon_kpi", "mlmon_quality", "mlmon_error")
_runner = cache(asyncio.Runner)


@cache
def _writable(kind: str) -> Monitor:
    path = _folder() / f"{kind}.json"
    reference(kind).save(path)
    return Monitor(Config.from_options(None, model="m", reference=str(path), token=TOKEN))


def feedback_seeds() -> list[bytes]:
    truth = {"prediction_id": "p0", "ground_truth": 1, "timestamp": "2026-01-01T00:00:00Z"}
    event = {"kpi": "revenue", "value": -1.5, "prediction_id": "p1", "model": "m"}
    bodies = [orjson.dumps(record) for record in (truth, [truth, truth], event, [event] * 3)]
    bodies.append(orjson.dumps(truth) + b"\n" + orjson.dumps(event))
    plain = [bytes([i]) + body for body in bodies for i in range(4)]
    encoded = [encode(coding, body) for coding in CODINGS for body in (bodies[0], BOMB)]
    return plain + [bytes([4 * (1 + i // 2)]) + body for i, body in enumerate(encoded)]


def feedback_rule(data: bytes) -> None:
    """Any body is answered with a status of the documented ones, and scrapes go on."""
    choice = data[0] if data else 0
    monitor = _writable(_TASKS[choice >> 1 & 1])
    now, ids = monitor._intake.catch_up(), [f"p{i}" for i in range(3)]
    rows = {"x": [0.0, 1.0, 2.0], "k": [1, 2, 3], "c": ["a", "b", "c"]}
    monitor.observe(rows, [0.1, 0.5, 0.9], prediction_ids=ids, now=now)
    headers = {"authorization": f"Bearer {TOKEN}"}
    headers["content-encoding"] = ("", *CODINGS)[(choice >> 2) % (1 + len(CODINGS))]
    path = _PATHS[choice & 1]
    answer = _runner().run(_post(monitor.writing_apps[path], data[1:], headers))
    assert answer.status_code in TAKEN, answer.text
    assert isinstance(orjson.loads(answer.content), dict)
    consumed = [*monitor._readout.blocks(now)]
    render(block for block in consumed if block.name.startswith(_FED_BACK))


async def _post(app: Any, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post("/", content=content, headers=headers)


INPUTS: Mapping[str, Input] = {
    "config": Input(lambda: [CONFIG], config_rule),
    "reference": Input(reference_seeds, reference_rule),
    "state": Input(state_seeds, state_rule),
    "tally": Input(tally_seeds, tally_rule),
    "state-bytes": Input(state_files.bytes_seeds, state_files.bytes_rule),
    "state-cells": Input(state_files.cells_seeds, state_files.cells_rule),
    "coding": Input(coding_seeds, coding_rule),
    "csv-file": Input(data_files.csv_seeds, data_files.csv_rule),
    "parquet-file": Input(data_files.parquet_seeds, data_files.parquet_rule),
    "feather-file": Input(data_files.feather_seeds, data_files.feather_rule),
    "outcome-file": Input(data_files.outcome_seeds, data_files.outcome_rule),
    "feedback": Input(feedback_seeds, feedback_rule),
    "events": Input(events.seeds, events.rule),
    "grpc": Input(rpc.seeds, rpc.rule),
}
