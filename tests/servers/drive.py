"""A server driven over HTTP, without us and with us around it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from mlmon_exporter import Reference
from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap, Parsed, parse
from tests.e2e.servers import free_port, program

from .cases import Case
from .linear import FEATURES, outputs

BODY_MAP = BodyMap(feature_names=FEATURES, output_names=("y",))
NEW_HEADERS = {"date", "x-prediction-id", "ce-id", "ce-time"}
"""What is another in each answer, and what we add."""


class Answer(NamedTuple):
    """What the client got."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Watched(NamedTuple):
    """What `/metrics` says after a request, less what it said before."""

    rows: float
    sums: dict[str, float]
    """Sum of the values of each feature and output."""


@contextmanager
def serving(python: Path, server: str, reference: Path | None) -> Iterator[str]:
    """Run a server until the block ends; gives its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = [] if reference is None else [str(reference)]
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), "-m", f"tests.servers.{server}_app", str(port), *options]
        ready = lambda: httpx.get(f"{url}/ping").status_code < 500  # noqa: E731
        with program(command, ready, Path(folder) / "log", seconds=120.0):
            yield url


def write_reference(path: Path) -> None:
    """Write a reference of the linear model."""
    rng = np.random.default_rng(0)
    rows = rng.normal(5.0, 3.0, (2000, len(FEATURES)))
    data = {name: rows[:, i] for i, name in enumerate(FEATURES)} | {"y": outputs(rows)}
    Reference.build(data, predictions="y").save(path)


def send(url: str, case: Case) -> Answer:
    """Send a case's request."""
    answer = httpx.post(url + case.path, content=case.body, headers=dict(case.headers), timeout=60)
    return Answer(answer.status_code, list(answer.headers.raw), answer.content)


def is_same(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same to the byte, but for `NEW_HEADERS`."""
    return (one.status, _kept(one), one.body) == (other.status, _kept(other), other.body)


def _kept(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [item for item in answer.headers if item[0].decode().lower() not in NEW_HEADERS]


def read(case: Case, answer: Answer) -> Parsed:
    """Return what our formats read of an exchange."""
    headers = {name.lower().encode(): value.encode() for name, value in case.headers.items()}
    exchange = Exchange(
        0.0, "linear", case.path, case.path, answer.status, "", headers, [case.body],
        dict(answer.headers), [answer.body],
    )  # fmt: skip
    return parse(exchange, BODY_MAP)


def watched(url: str) -> Watched:
    """Return what `/metrics` says now."""
    text = httpx.get(f"{url}/metrics", timeout=30).text
    rows, sums = 0.0, {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "mlmon_prediction_rows_total":
                rows += sample.value
            elif sample.name in ("mlmon_feature_value_sum", "mlmon_prediction_value_sum"):
                sums[sample.labels.get("feature") or sample.labels["output"]] = sample.value
    return Watched(rows, sums)
