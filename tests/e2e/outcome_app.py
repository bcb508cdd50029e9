"""The demo's models as a server whose clock runs fast, so that a day passes in seconds.

What they predict was computed before: to import scikit-learn takes each worker longer than all
that is tested.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from fastapi import Body, FastAPI

_BEGAN = float(os.environ["CLOCK_BEGAN"])
_SPEED = float(os.environ["CLOCK_SPEED"])
_clock = time.time
# Before anything of ours is imported, which may keep the function by its name.
time.time = lambda: _BEGAN + (_clock() - _BEGAN) * _SPEED

from mlmon_exporter import instrument  # noqa: E402

app = FastAPI()
answers: dict[str, dict[str, Any]] = json.loads(Path(os.environ["ANSWERS"]).read_text())


def predict(model: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the model says of each row."""
    return {"predictions": [answers[model][json.dumps(row)] for row in rows]}


@app.post("/income/predict")
def predict_income(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    return predict("income", body["instances"])


@app.post("/bike/predict")
def predict_bike(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's way
    return predict("bike", body["instances"])


@app.get("/process")
def process() -> int:
    return os.getpid()


instrument(app, config=os.environ["CONFIG"])
