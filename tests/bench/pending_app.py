"""The server that `pending` drives."""

from __future__ import annotations

import os
from typing import Any

from fastapi import Body, FastAPI

from mlmon_exporter import instrument

app = FastAPI()


@app.post("/predict")
def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    return {"predictions": [row["x"] for row in body["instances"]]}


instrument(app, model="m", reference=os.environ["REFERENCE"], segments=["sex"])
