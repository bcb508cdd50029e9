"""The model server that `endurance` drives: it predicts, fails when told to, and says who it is."""

from __future__ import annotations

import os
from typing import Any

from fastapi import Body, FastAPI

from mlmon_exporter import instrument

app = FastAPI()


@app.post("/predict")
def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    if "fail" in body:
        raise RuntimeError("as asked for")
    return {"predictions": [row["x"] for row in body["instances"]]}


@app.get("/process")
def process() -> int:
    return os.getpid()


instrument(app, model="m", reference=os.environ["REFERENCE"], segments=["c"])
