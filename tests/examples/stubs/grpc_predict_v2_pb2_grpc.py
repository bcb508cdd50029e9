"""The service of the Open Inference Protocol, as `grpc_tools.protoc` makes it: one method of it."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse


class GRPCInferenceServiceServicer:
    """Base of a server's class."""


def add_GRPCInferenceServiceServicer_to_server(servicer: Any, server: Any) -> None:  # noqa: N802
    """Have a server answer by a servicer."""
    handler = grpc.unary_unary_rpc_method_handler(
        servicer.ModelInfer,
        request_deserializer=ModelInferRequest.FromString,
        response_serializer=ModelInferResponse.SerializeToString,
    )
    generic = grpc.method_handlers_generic_handler(
        "inference.GRPCInferenceService", {"ModelInfer": handler}
    )
    server.add_generic_rpc_handlers((generic,))
