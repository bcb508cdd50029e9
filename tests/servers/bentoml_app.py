"""BentoML, a prediction a row: `python -m tests.servers.bentoml_app PORT [REFERENCE]`."""

import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

import bentoml
import uvicorn

from .linear import FEATURES, outputs


@bentoml.service(metrics={"enabled": False})
class Linear:
    """Answers at once, or row by row."""

    @bentoml.api
    def predict(self, rows: list[dict[str, float]]) -> list[float]:
        return _outputs(rows)

    @bentoml.api
    async def stream(self, rows: list[dict[str, float]]) -> AsyncGenerator[str, None]:
        for value in _outputs(rows):
            yield f"data: {json.dumps({'y': value})}\n\n"


def _outputs(rows: Any) -> list[float]:
    return [float(y) for y in outputs([[row[name] for name in FEATURES] for row in rows])]


if __name__ == "__main__":
    port, *reference = sys.argv[1:]
    if reference:
        from mlmon_exporter import Monitor, MonitorMiddleware

        monitor = Monitor(model="linear", reference=reference[0], routes=["/predict", "/stream"])
        Linear.add_asgi_middleware(MonitorMiddleware, monitor=monitor)
    uvicorn.run(Linear.to_asgi(), port=int(port), log_level="warning")
