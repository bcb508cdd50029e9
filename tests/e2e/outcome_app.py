"""The demo's models behind a server whose clock runs fast, so that a day passes in seconds."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

from fastapi import Body, FastAPI
from threadpoolctl import ThreadpoolController

_BEGAN = float(os.environ["CLOCK_BEGAN"])
_SPEED = float(os.environ["CLOCK_SPEED"])
_clock = time.time
# Before anything of ours is imported, which may keep the function by its name.
time.time = lambda: _BEGAN + (_clock() - _BEGAN) * _SPEED

from mlmon_exporter import instrument  # noqa: E402

app = FastAPI()
frozen = pickle.loads(Path(os.environ["MODELS"]).read_bytes())
models: dict[str, Any] = {}
for name, (kind, attributes) in frozen.items():
    models[name] = kind.__new__(kind)
    vars(models[name]).update(attributes, _threads=ThreadpoolController())


@app.post("/income/predict")
def predict_income(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    return {"predictions": models["income"].predict(body["instances"])}


@app.post("/bike/predict")
def predict_bike(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    return {"predictions": models["bike"].predict(body["instances"])}


@app.get("/process")
def process() -> int:
    return os.getpid()


instrument(app, config=os.environ["CONFIG"])
