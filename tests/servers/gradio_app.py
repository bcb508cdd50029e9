"""A Gradio page mounted beside a model: `python -m tests.servers.gradio_app PORT [REFERENCE]`."""

from __future__ import annotations

import sys
from typing import Any

import gradio
import uvicorn
from fastapi import FastAPI

from .linear import FEATURES, outputs

app = FastAPI()


@app.post("/predict")
def predict(records: list[dict[str, float]]) -> list[dict[str, float]]:
    """Answer a record a record."""
    rows = [[record[name] for name in FEATURES] for record in records]
    return [{"y": value} for value in outputs(rows).tolist()]


def greet(text: str) -> str:
    """Answer what somebody typed."""
    return f"{text}, welcome"


if __name__ == "__main__":
    port, *reference = sys.argv[1:]
    if reference:
        from mlmon_exporter import instrument

        instrument(app, model="linear", reference=reference[0])
    page: Any = gradio.Interface(greet, "text", "text", api_name="greet")
    served = gradio.mount_gradio_app(app, page, path="/ui")
    uvicorn.run(served, port=int(port), log_level="warning")
