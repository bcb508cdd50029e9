"""A Flask server to be run with several workers, as SageMaker's containers are."""

from __future__ import annotations

import os
from typing import Any

import flask

from mlmon_exporter import instrument

app = flask.Flask(__name__)


@app.get("/process")
def process() -> Any:
    return flask.jsonify(os.getpid())


@app.get("/ping")
def ping() -> str:
    return ""


@app.post("/predict")
def predict() -> Any:
    body = flask.request.get_json()
    return {"predictions": [0.5] * len(body["instances"])}


@app.post("/invocations")
def invocations() -> Any:
    lines = flask.request.get_data(as_text=True).splitlines()
    return flask.Response("\n".join("0.5" for _ in lines), mimetype="text/csv")


instrument(app, model="m", reference=os.environ["REFERENCE"], routes=["/predict", "/invocations"])
