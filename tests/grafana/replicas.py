"""Replicas of a server with two models, and traffic that leaves nothing out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import Body, FastAPI, HTTPException
from numpy.typing import NDArray
from opentelemetry.sdk.trace import TracerProvider
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmon_exporter import Reference, instrument
from tests.e2e.servers import serving

CONFIG = """\
state_dir = "{folder}/state-{name}"

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
FEATURES = {"bike": ["season", "temp"], "churn": ["plan", "spent (EUR/day)"]}
VERSIONS = {"a": "2026-11", "b": "2026-12"}
"""A rollout: each replica serves another version of the regression."""
CATEGORICAL = {"season", "plan", "label"}
Rows = Mapping[str, NDArray[Any]]


def bike_rows(count: int, shift: float) -> Rows:
    """Return rows of the regression; a shift makes it warmer."""
    rng = np.random.default_rng(11)
    temp = rng.normal(shift, 1.0, count)
    temp[::50] = np.nan
    seasons = rng.choice(["winter", "spring", "autumn"], count)
    return {"season": seasons, "temp": temp, "rentals": rng.random(count)}


def churn_rows(count: int) -> Rows:
    """Return rows of the classification."""
    rng = np.random.default_rng(12)
    share = rng.random(count)
    return {
        "plan": rng.choice(["free", "paid"], count),
        "spent (EUR/day)": rng.lognormal(size=count),
        "label": np.where(share > 0.5, "stays", "leaves"),
        "probability": share,
    }


def write_references(folder: Path) -> None:
    """Write the references: both versions of the regression have their own bins."""
    found = {
        f"bike-{version}": bike_rows(4000, shift) for shift, version in enumerate(VERSIONS.values())
    }
    for name, rows in (found | {"churn": churn_rows(4000)}).items():
        outputs = OUTPUTS[name.split("-")[0]]
        Reference.build(dict(rows), predictions=outputs).save(folder / f"{name}.json")


def create_app(folder: Path, name: str) -> ASGIApp:
    """Return a replica, whose requests belong to traces."""
    app = FastAPI()

    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        if body["instances"] == "boom":
            raise HTTPException(500)
        return {"predictions": [row.pop("answer") for row in body["instances"]]}

    app.post("/bike")(predict)
    app.post("/churn")(predict)
    config = folder / f"{name}.toml"
    config.write_text(CONFIG.format(folder=folder, name=name, version=VERSIONS[name]))
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


@contextmanager
def traffic(urls: Sequence[str]) -> Iterator[None]:
    """Post to all replicas in turns until the block ends: rows, failures, bodies that are none."""
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/bike", {"json": body_of("bike", bike_rows(60, 1.5))}),
        ("/churn", {"json": body_of("churn", churn_rows(40))}),
        ("/bike", {"json": {"instances": "boom"}}),
        ("/churn", {"content": b"{"}),
    ]
    is_over = threading.Event()

    def post() -> None:
        with httpx.Client(timeout=30) as client:
            while not is_over.wait(0.05):
                for url in urls:
                    for path, body in bodies:
                        client.post(url + path, **body)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(10)
