"""A client of somebody else's: `python -m tests.servers.grpc_client CLIENT PORT`.

Prints a line a request, in JSON: its name and the answer's bytes, or its status code.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from .grpc_rows import CASES, FAULTY, Sent

Answers = Iterator[tuple[str, str]]


def triton(port: int) -> Answers:
    """Send by `tritonclient.grpc`, in raw contents."""
    import tritonclient.grpc as client
    from tritonclient.utils import InferenceServerException

    def tensor(name: str, values: Any, datatype: str) -> Any:
        made = client.InferInput(name, values.shape, datatype)
        made.set_data_from_numpy(values)
        return made

    with client.InferenceServerClient(f"127.0.0.1:{port}") as server:
        for case in (*CASES, *FAULTY):
            tensors = [tensor(*each) for each in case.tensors()]
            try:
                answer = server.infer(case.model, tensors, request_id=case.id)
                yield case.id, answer.get_response().SerializeToString(deterministic=True).hex()
            except InferenceServerException as error:
                yield case.id, f"{error.status()}: {error.message()}"


def mlserver(port: int) -> Answers:
    """Send by MLServer's stub, in typed contents; then all again as one stream."""
    from mlserver.grpc.converters import ModelInferRequestConverter
    from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
    from mlserver.types import InferenceRequest, RequestInput

    def message(case: Sent) -> Any:
        inputs = [
            RequestInput(name=n, shape=v.shape, datatype=d, data=v.ravel().tolist())
            for n, v, d in case.tensors()
        ]
        return ModelInferRequestConverter.from_types(
            InferenceRequest(id=case.id, inputs=inputs), model_name=case.model
        )

    typed = [case for case in CASES if case.datatype not in ("FP16", "BF16")]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = GRPCInferenceServiceStub(channel)
        for case in (*typed, *FAULTY):
            yield case.id, _answer(stub.ModelInfer, message(case))
        for case, answer in zip(typed, stub.ModelStreamInfer(map(message, typed)), strict=True):
            yield f"streamed {case.id}", answer.SerializeToString(deterministic=True).hex()


def kserve(port: int) -> Answers:
    """Send by KServe's client, in typed contents and in raw ones."""
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    async def ask(case: Sent, is_raw: bool) -> str:
        tensors = []
        for name, values, datatype in case.tensors():
            made = InferInput(name, list(values.shape), datatype)
            made.set_data_from_numpy(values, binary_data=is_raw)
            tensors.append(made)
        request = InferRequest(case.model, tensors, request_id=case.id)
        async with InferenceGRPCClient(f"127.0.0.1:{port}", retries=2) as client:
            try:
                answer = await client.infer(request)
            except grpc.RpcError as error:
                return f"{error.code()}: {error.details()}"
            return str(answer.to_grpc().SerializeToString(deterministic=True).hex())

    for case in (*CASES, *FAULTY):
        for is_raw in (False, True):
            if case.datatype == "BF16" or (case.datatype == "FP16" and not is_raw):
                continue
            yield f"{case.id} {is_raw}", asyncio.run(ask(case, is_raw))


def _answer(ask: Callable[[Any], Any], message: Any) -> str:
    try:
        return str(ask(message).SerializeToString(deterministic=True).hex())
    except grpc.RpcError as error:
        return f"{error.code()}: {error.details()}"


CLIENTS = {"triton": triton, "mlserver": mlserver, "kserve": kserve}

if __name__ == "__main__":
    for line in CLIENTS[sys.argv[1]](int(sys.argv[2])):
        print(json.dumps(line), flush=True)
