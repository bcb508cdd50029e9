"""Replicas of a server with two models, and traffic that leaves nothing out."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
from fastapi import Body, FastAPI, HTTPException
from numpy.typing import NDArray
from opentelemetry.sdk.trace import TracerProvider
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmon_exporter import Reference, instrument
from tests.e2e.servers import serving

CONFIG = """\
detail = "full"
state_dir = "{folder}/state-{name}"
token = "{token}"

[[models]]
name = "bike"
version = "{version}"
task = "regression"
reference = "{folder}/bike-{version}.json"
routes = ["/bike"]

[[models]]
name = "churn"
task = "classification"
reference = "{folder}/churn.json"
routes = ["/churn"]
"""
OUTPUTS = {"bike": ["rentals"], "churn": ["label", "probability"]}
FEATURES = {"bike": ["season", "temp", "wind"], "churn": ["plan", "spent (EUR/day)", "visits"]}
VERSIONS = {"a": "2026-11", "b": "2026-12"}
"""A rollout: each replica serves another version of the regression."""
CHALLENGER = "next"
"""A version that answers some requests on each replica."""
SEGMENTS = {"bike": "season", "churn": "plan"}
TRUTH = "truth"
CATEGORICAL = {"season", "plan", "label"}
EVENTS = "text/event-stream"
TOKEN = "s3cret"
ID_HEADER = "X-Prediction-Id"
Rows = Mapping[str, NDArray[Any]]


def bike_rows(count: int, shift: float) -> Rows:
    """Return rows of the regression; a shift makes it warmer."""
    rng = np.random.default_rng(11)
    temp = rng.normal(shift, 1.0, count)
    temp[::50] = np.nan
    seasons = rng.choice(["winter", "spring", "autumn"], count)
    rentals = rng.random(count)
    truth = rentals + rng.normal(0, 0.1, count)
    wind = rng.gamma(2.0, 3.0, count)
    return {"season": seasons, "temp": temp, "wind": wind, "rentals": rentals, TRUTH: truth}


def churn_rows(count: int) -> Rows:
    """Return rows of the classification."""
    rng = np.random.default_rng(12)
    share = rng.random(count)
    return {
        "plan": rng.choice(["free", "paid"], count),
        "spent (EUR/day)": rng.lognormal(size=count),
        "visits": rng.poisson(3.0, count).astype(float),
        "label": np.where(share > 0.5, "stays", "leaves"),
        "probability": share,
        TRUTH: np.where(share > rng.random(count), "stays", "leaves"),
    }


def write_references(folder: Path) -> None:
    """Write the references: both versions of the regression have their own bins."""
    found = {
        f"bike-{version}": bike_rows(4000, shift) for shift, version in enumerate(VERSIONS.values())
    }
    for name, rows in (found | {"churn": churn_rows(4000)}).items():
        model = name.split("-")[0]
        Reference.build(
            dict(rows),
            predictions=OUTPUTS[model],
            ground_truth=TRUTH,
            segments=[SEGMENTS[model]],
        ).save(folder / f"{name}.json")


def create_app(folder: Path, name: str) -> ASGIApp:
    """Return a replica, whose requests belong to traces."""
    app = FastAPI()

    def predict(body: dict[str, Any] = Body()) -> Any:  # noqa: B008 - FastAPI's way
        if body["instances"] == "boom":
            raise HTTPException(500)
        if body["instances"] == "stream":
            return StreamingResponse((b"data: 1\n\n", b"data: 2\n\n"), media_type=EVENTS)
        answers = {"predictions": [row.pop("answer") for row in body["instances"]]}
        return answers | {name: body[name] for name in ["model_version"] if name in body}

    app.post("/bike")(predict)
    app.post("/churn")(predict)
    config = folder / f"{name}.toml"
    values = {"folder": folder, "name": name, "version": VERSIONS[name], "token": TOKEN}
    config.write_text(CONFIG.format(**values))
    instrument(app, config=str(config))
    tracer = TracerProvider().get_tracer("test")

    async def traced(scope: Scope, receive: Receive, send: Send) -> None:
        with tracer.start_as_current_span("request"):
            await app(scope, receive, send)

    return traced


@contextmanager
def replica(folder: Path, name: str) -> Iterator[str]:
    """Serve a replica; gives its URL."""
    with serving(create_app(folder, name)) as url:
        yield url


def body_of(model: str, rows: Rows) -> dict[str, Any]:
    """Return the body of a request whose answer is known: the server echoes it."""
    features = [[_json(v) for v in rows[name].tolist()] for name in FEATURES[model]]
    outputs = [rows[name].tolist() for name in OUTPUTS[model]]
    answers: Sequence[Any] = [
        dict(zip(OUTPUTS[model], row, strict=True)) for row in zip(*outputs, strict=True)
    ]
    if len(OUTPUTS[model]) == 1:
        answers = outputs[0]
    instances = [
        dict(zip(FEATURES[model], row, strict=True)) | {"answer": answer}
        for row, answer in zip(zip(*features, strict=True), answers, strict=True)
    ]
    return {"instances": instances}


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


ODD: Sequence[tuple[str, dict[str, Any]]] = (
    ("/bike", {"json": {"instances": "boom"}}),
    ("/churn", {"content": b"{"}),
    ("/churn", {"json": {"instances": "stream"}}),
)
"""Requests that are no rows: path and content."""


class Round(NamedTuple):
    """A request for each model and version, and what comes back about it a round later."""

    name: str
    rows: Mapping[str, Rows]

    def requests(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for model, rows in self.rows.items():
            for version in ({}, {"model_version": CHALLENGER}):
                body = body_of(model, rows) | version
                yield f"/{model}", {"json": body, "headers": {ID_HEADER: self._id(model, version)}}
        yield from ODD

    def feedback(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for model, rows in self.rows.items():
            for version in ({}, {"model_version": CHALLENGER}):
                of = self._id(model, version)
                ids = [f"{of}:{i}" for i in range(len(rows[TRUTH]))]
                truths = [
                    {"prediction_id": name, "ground_truth": value}
                    for name, value in zip(ids, rows[TRUTH].tolist(), strict=True)
                ]
                unknown = {"prediction_id": "nobody's", "ground_truth": truths[0]["ground_truth"]}
                yield "/ground-truth", {"json": [*truths, unknown]}
                values = {"purchase": 19.9, "margin": -1.5}
                events = [
                    {"kpi": kpi, "value": value, "prediction_id": ids[0]}
                    for kpi, value in values.items()
                ]
                yield "/kpi", {"json": events}

    def _id(self, model: str, version: Mapping[str, str]) -> str:
        return "-".join([self.name, model, *version.values()])


@contextmanager
def traffic(urls: Sequence[str]) -> Iterator[None]:
    """Post to all replicas in turns until the block ends: rows, outcomes, failures, odd bodies."""
    rows = {"bike": bike_rows(60, 1.5), "churn": churn_rows(40)}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    is_over = threading.Event()

    def post() -> None:
        last: Round | None = None
        with httpx.Client(timeout=30) as client:
            for number in itertools.count():
                now = Round(f"round-{number}", rows)
                for url in urls:
                    for path, content in now.requests():
                        client.post(url + path, **content)
                    for path, content in last.feedback() if last else ():
                        client.post(url + path, **content, headers=headers).raise_for_status()
                last = now
                if is_over.wait(0.1):
                    return

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(10)
