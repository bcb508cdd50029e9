"""MLflow's server with the linear model: `python -m tests.servers.mlflow_app PORT [REFERENCE]`."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import mlflow
import pandas as pd
import uvicorn
from mlflow.pyfunc import scoring_server

from .linear import outputs


class Linear(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Answers with an array; where the first output is 10 000 or more a frame, 20 000 a dict."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        values = outputs(model_input)
        kind = int(values[0]) // 10_000
        if kind == 1:
            return pd.DataFrame({"y": values, "half": values / 2})
        return {"y": values} if kind == 2 else values


if __name__ == "__main__":
    port, *reference = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        mlflow.pyfunc.save_model(f"{folder}/model", python_model=Linear())
        app = scoring_server.init(mlflow.pyfunc.load_model(f"{folder}/model"))
        if reference:
            from mlmon_exporter import instrument

            instrument(app, model="linear", reference=reference[0])
        uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
