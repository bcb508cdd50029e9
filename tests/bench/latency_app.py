"""The model server that `latency` and `overload` drive, with the EXPORTER that the caller names."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.ensemble import HistGradientBoostingRegressor
from starlette.requests import Request
from starlette.responses import Response

from mlmon_exporter import instrument

from .peers import INSTRUMENTATOR, OURS

NAMES = [f"feature_{i}" for i in range(int(os.environ.get("FEATURES", "1")))]


class Instances(BaseModel):
    """The body of a request: the rows to predict."""

    instances: list[dict[str, float]]


def trained() -> HistGradientBoostingRegressor:
    """Return gradient-boosted trees over all features."""
    values = np.random.default_rng(0).standard_normal((1000, len(NAMES)))
    return HistGradientBoostingRegressor(max_iter=50).fit(values, values.sum(axis=1))


async def echo(request: Request) -> Response:
    """Answer each row at once: a server without a model."""
    rows = orjson.loads(await request.body())["instances"]
    return Response(orjson.dumps({"predictions": [row["feature_0"] for row in rows]}))


async def fixed(request: Request) -> Response:
    """Answer without a look at the body: the cheapest server that there can be."""
    await request.body()
    return Response(ANSWER)


ANSWER = orjson.dumps({"predictions": [0.5] * int(os.environ.get("ROWS", "1"))})
TREES = trained()
app = FastAPI()
for path, answer in (("/echo", echo), ("/fixed", fixed)):
    app.add_route(path, answer, methods=["POST"])
app.add_route("/ready", lambda _: Response())


@app.post("/model")
def predict(body: Instances) -> dict[str, Any]:
    """Predict each row, as the authors of most FastAPI servers do."""
    rows = np.array([[row[name] for name in NAMES] for row in body.instances])
    return {"predictions": TREES.predict(rows).tolist()}


EXPORTER = os.environ.get("EXPORTER")
if EXPORTER == OURS:
    instrument(app, model="bench", reference=os.environ["REFERENCE"])
elif EXPORTER == INSTRUMENTATOR:
    from prometheus_fastapi_instrumentator import Instrumentator

    Instrumentator().instrument(app).expose(app)
