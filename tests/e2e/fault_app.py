"""A model server for tests of faults: watched or bare, by a clock that can be set back."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from fastapi import Body, FastAPI

_clock, _set_back = time.time, Path(os.environ["CLOCK_SET_BACK"])
# Before we are imported, so that this is the only clock that we ever see.
time.time = lambda: _clock() - 3600.0 * _set_back.exists()

from mlmon_exporter import instrument  # noqa: E402 - see above

app = FastAPI()


@app.post("/predict")
def predict(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    return {"predictions": [0.5] * len(body["instances"])}


@app.get("/process")
def process() -> int:
    return os.getpid()


if "BARE" not in os.environ:
    instrument(app, model="m", reference=os.environ["REFERENCE"])
