"""A server driven over HTTP, without us and with us around it."""

from __future__ import annotations

import gzip
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from mlmon_exporter import Reference
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap, Parsed, parse
from tests.e2e.servers import free_port, program
from tests.e2e.test_proxy import is_open

from .beside import Call
from .cases import Case
from .linear import FEATURES, outputs

BODY_MAP = BodyMap(feature_names=FEATURES, output_names=("y",))
NEW_HEADERS = {
    *("date", "x-prediction-id", "ce-id", "ce-time", "x-bentoml-request-id", "x-request-id"),
}
"""What is another in each answer, and what we add."""
BEHIND_PROXY = frozenset(("torchserve",))
"""Servers that take no middleware."""


class Answer(NamedTuple):
    """What the client got."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Served(NamedTuple):
    """Where a server answers, and where it says what was counted."""

    url: str
    metrics: str


class Watched(NamedTuple):
    """What `/metrics` says after a request, less what it said before."""

    rows: float
    sums: dict[str, float]
    """Sum of the values of each feature and output."""
    text: str = ""


@contextmanager
def serving(python: Path, server: str, reference: Path | None) -> Iterator[Served]:
    """Run a server until the block ends, watched by us where there is a reference."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    is_behind = server in BEHIND_PROXY and reference is not None
    options = [] if reference is None or is_behind else [str(reference)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = [str(python), "-m", f"tests.servers.{server}_app", str(port), *options]
        ready = lambda: httpx.get(f"{url}/ping").status_code < 500  # noqa: E731
        stack.enter_context(program(command, ready, folder / "log", seconds=120.0))
        if is_behind and reference is not None:
            clients, metrics = stack.enter_context(proxied(port, reference, folder))
            yield Served(f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{metrics}/metrics")
        else:
            yield Served(url, f"{url}/metrics")


@contextmanager
def proxied(upstream: int, reference: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """Put the proxy before a server; gives the ports of its clients and of its metrics."""
    port, metrics_port = free_port(), free_port()
    config = folder / "mlmon.toml"
    config.write_text(f'[[models]]\nname = "linear"\nreference = "{reference}"\n')
    command = [sys.executable, "-m", "mlmon_exporter.cli", "proxy", "--config", str(config)]
    command += ["--port", str(port), "--metrics-port", str(metrics_port)]
    command += ["--upstream", f"127.0.0.1:{upstream}"]
    with program(command, lambda: is_open(port), folder / "proxy.log", seconds=120):
        yield port, metrics_port


def write_reference(path: Path) -> None:
    """Write a reference of the linear model."""
    rng = np.random.default_rng(0)
    rows = rng.normal(5.0, 3.0, (2000, len(FEATURES)))
    data = {name: rows[:, i] for i, name in enumerate(FEATURES)} | {"y": outputs(rows)}
    Reference.build(data, predictions="y").save(path)


def send(server: Served, case: Case | Call) -> Answer:
    """Send a request."""
    sent: dict[str, Any] = {"content": case.body, "headers": dict(case.headers), "timeout": 60}
    with httpx.stream("POST", server.url + case.path, **sent) as answer:
        body = b"".join(answer.iter_raw())
    return Answer(answer.status_code, list(answer.headers.raw), body)


def is_same(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same to the byte, but for `NEW_HEADERS`.

    Of gzip, what it holds: Django puts a random name into each.
    """
    return (one.status, _kept(one), _plain(one)) == (other.status, _kept(other), _plain(other))


def _kept(answer: Answer) -> list[tuple[bytes, bytes]]:
    dropped = NEW_HEADERS | ({"content-length"} if _is_gzip(answer) else set())
    return [item for item in answer.headers if item[0].decode().lower() not in dropped]


def _is_gzip(answer: Answer) -> bool:
    return any(item == (b"content-encoding", b"gzip") for item in _lower(answer))


def _lower(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in answer.headers]


def _plain(answer: Answer) -> bytes:
    return gzip.decompress(answer.body) if _is_gzip(answer) else answer.body


def read(case: Case, answer: Answer) -> Parsed:
    """Return what our formats read of an exchange."""
    headers = {name.lower().encode(): value.encode() for name, value in case.headers.items()}
    exchange = Exchange(
        0.0, "linear", case.path, case.path, answer.status, "", headers, [case.body],
        dict(answer.headers), [answer.body],
    )  # fmt: skip
    return parse(exchange, BODY_MAP)


def watched(server: Served) -> Watched:
    """Return what `/metrics` says now."""
    text = httpx.get(server.metrics, timeout=30).text
    rows, sums = 0.0, {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "mlmon_prediction_rows_total":
                rows += sample.value
            elif sample.name in ("mlmon_feature_value_sum", "mlmon_prediction_value_sum"):
                sums[sample.labels.get("feature") or sample.labels["output"]] = sample.value
    return Watched(rows, sums, text)


def settled(server: Served, rows: float) -> Watched:
    """Return what `/metrics` says once it has so many rows, or after some seconds."""
    end = time.monotonic() + 10.0
    while True:
        found = watched(server)
        if found.rows >= rows or time.monotonic() > end:
            return found
        time.sleep(0.1)
