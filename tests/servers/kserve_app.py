"""KServe's server with the linear model: `python -m tests.servers.kserve_app PORT [REFERENCE]`."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from kserve import InferRequest, Model, ModelServer
from kserve.model_server import app
from kserve.utils.utils import get_predict_response

from .linear import FEATURES, outputs


class Linear(Model):  # type: ignore[misc]
    """Takes what either protocol hands over."""

    def load(self) -> bool:
        self.ready = True
        return True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        if isinstance(payload, InferRequest):
            return get_predict_response(payload, outputs(_columns(payload)), self.name)
        return {"predictions": _of_json(payload).tolist()}


def _columns(payload: Any) -> Any:
    arrays = [tensor.as_numpy() for tensor in payload.inputs]
    if len(arrays) == 1:
        return arrays[0]
    return {tensor.name: array for tensor, array in zip(payload.inputs, arrays, strict=True)}


def _of_json(payload: Any) -> Any:
    rows = payload.get("instances", payload.get("inputs"))
    if isinstance(rows, list) and isinstance(rows[0], dict):
        rows = [[row[name] for name in FEATURES] for row in rows]
    return np.asarray(outputs(rows))


if __name__ == "__main__":
    port, *reference = sys.argv[1:]
    if reference:
        from mlmon_exporter import instrument

        instrument(app, model="linear", reference=reference[0])
    models = [Linear("linear"), Linear("other")]
    for model in models:
        model.load()
    ModelServer(http_port=int(port), enable_grpc=False, enable_docs_url=False).start(models)
