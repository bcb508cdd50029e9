"""A model server to be run with several workers; the environment says where its files are."""

from __future__ import annotations

import os
from typing import Any

from fastapi import Body, FastAPI

from mlmon_exporter import instrument

app = FastAPI()


@app.post("/predict")
def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    return {"predictions": [0.5] * len(body["instances"])}


@app.get("/process")
def process() -> int:
    return os.getpid()


instrument(app, model="m", reference=os.environ["REFERENCE"])
