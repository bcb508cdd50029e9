"""MLServer's gRPC server with the linear model: `... PORT METRICS_PORT [REFERENCE]`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from .grpc_watched import watch_servers
from .linear import outputs


class Linear(MLModel):  # type: ignore[misc]
    """Answers a matrix, or a column an input; also as a stream."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        columns = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        data: Any = next(iter(columns.values())) if len(columns) == 1 else columns
        result = NumpyCodec.encode_output("y", np.asarray(outputs(data)))
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=[result])

    async def predict_stream(
        self, payloads: AsyncIterator[InferenceRequest]
    ) -> AsyncIterator[InferenceResponse]:
        async for payload in payloads:
            yield await self.predict(payload)


if __name__ == "__main__":
    port, metrics_port, *reference = sys.argv[1:]
    if reference:
        watch_servers(int(metrics_port), reference[0])

    async def serve() -> None:
        options = {"parallel_workers": 0, "metrics_endpoint": None, "gzip_enabled": False}
        settings = Settings(http_port=int(metrics_port) + 1, grpc_port=int(port), **options)
        await MLServer(settings).start([ModelSettings(name="linear", implementation=Linear)])

    asyncio.run(serve())
