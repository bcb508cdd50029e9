"""A served app, its rows and its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fastapi import Body, FastAPI
from starlette.types import Receive, Scope, Send

from mlmon_exporter import Monitor, Reference, instrument


def reference_file(folder: Path) -> str:
    """Write a reference; return its path."""
    rng = np.random.default_rng(0)
    rows = {
        "age": rng.normal(40, 10, 5000).round(),
        "income": rng.lognormal(10, 1, 5000),
        "city": rng.choice(["Bern", "Genf", "Uri"], 5000),
        "score": rng.random(5000),
    }
    path = folder / "m.reference.json"
    Reference.build(rows, predictions="score", model="m").save(path)
    return str(path)


def served(**options: Any) -> tuple[FastAPI, Monitor]:
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
        return {"predictions": [0.5] * len(body["instances"])}

    return app, instrument(app, **options)


def value(monitor: Monitor, name: str, **labels: str) -> float | None:
    found = [
        reading.value
        for reading in monitor.readings()
        if reading.name == name and labels.items() <= reading.labels.items()
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


def row(i: int) -> dict[str, Any]:
    return {"age": 30 + i % 20, "income": 20000.0 + i, "city": "Uri"}


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as an app of no framework does, which leaves nothing in the scope."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"predictions": [0.5]}'})
