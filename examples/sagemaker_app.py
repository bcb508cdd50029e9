"""A Flask model server in a SageMaker container: /ping and /invocations, watched.

    gunicorn --workers 2 --preload --bind 0.0.0.0:8080 sagemaker_app:app

The image's `serve` runs that, with these variables besides SageMaker's own:

    MLMON_STATE_DIR=/tmp/mlmon                    shared by the workers: each shows all counts
    MODEL_REFERENCE=/opt/ml/model/reference.json  of `mlmon-exporter build-reference`

SageMaker lets nobody but itself reach the container: there, have something in the container push
`/metrics`, such as the OpenTelemetry Collector. Run elsewhere, Prometheus scrapes it.
"""

from __future__ import annotations

import csv
import os

import flask

from mlmon_exporter import instrument

app = flask.Flask(__name__)


def predict(age: float, calls: float) -> float:
    """Stand in for the model in /opt/ml/model."""
    return min(1.0, 0.005 * age + 0.05 * calls)


@app.get("/ping")
def ping() -> str:
    """Say that the container is well."""
    return ""


@app.post("/invocations")
def invocations() -> flask.Response:
    """Answer rows of CSV without a header by a line each, as SageMaker's own containers do."""
    rows = csv.reader(flask.request.get_data(as_text=True).splitlines())
    try:
        lines = [f"{predict(*map(float, row))}" for row in rows]
    except (TypeError, ValueError):
        return flask.Response("expected lines of: age,calls", 400)
    return flask.Response("\n".join(lines), mimetype="text/csv")


instrument(app, model="churn", reference=os.environ["MODEL_REFERENCE"], routes=["/invocations"])
