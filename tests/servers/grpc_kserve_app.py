"""KServe's gRPC server with the linear model: `... PORT METRICS_PORT [REFERENCE]`."""

from __future__ import annotations

import asyncio
import sys

from kserve.model_repository import ModelRepository
from kserve.model_server import DataPlane, ModelRepositoryExtension
from kserve.protocol.grpc.server import GRPCServer

from .grpc_watched import watch_servers
from .kserve_app import Linear

if __name__ == "__main__":
    port, metrics_port, *reference = sys.argv[1:]
    if reference:
        watch_servers(int(metrics_port), reference[0])
    model = Linear("linear")
    model.load()
    repository = ModelRepository()
    repository.update(model)
    data_plane = DataPlane(model_registry=repository)
    extension = ModelRepositoryExtension(model_registry=repository)
    sizes = {"grpc_max_send_message_length": -1, "grpc_max_receive_message_length": -1}
    asyncio.run(GRPCServer(int(port), data_plane, extension, sizes).start(4))
