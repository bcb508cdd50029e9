"""A server of the Open Inference Protocol over gRPC, in two processes, watched.

    python -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. grpc_predict_v2.proto
    export MLMON_STATE_DIR=/var/lib/mlmon
    python grpc_server.py 0.0.0.0:9000 churn.reference.json

`grpc_predict_v2.proto` is the protocol's. Both processes listen at one port and add their counts in
the state directory; Prometheus scrapes `mlmon-exporter serve --config mlmon.toml`, which reads it.
"""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Process
from typing import Any

import grpc
import grpc_predict_v2_pb2 as messages
import grpc_predict_v2_pb2_grpc as services

from mlmon_exporter import Monitor, MonitorInterceptor


class Churn(services.GRPCInferenceServiceServicer):  # type: ignore[misc] # has no types
    """Answers a column of calls by the chance that the customer leaves."""

    def ModelInfer(self, request: Any, _: Any) -> Any:  # noqa: N802 - the protocol's name
        """Stand in for a model: `model.predict_proba(...)`."""
        calls = request.inputs[0].contents.fp64_contents
        response = messages.ModelInferResponse(model_name=request.model_name, id=request.id)
        tensor = response.outputs.add(name="p", datatype="FP64", shape=[len(calls)])
        tensor.contents.fp64_contents.extend(min(1.0, 0.1 + 0.02 * each) for each in calls)
        return response


def serve(address: str, reference: str) -> None:
    """Serve until SIGTERM. The `with` statement writes what was counted last."""
    with Monitor(model="churn", reference=reference) as monitor:
        watch, options = [MonitorInterceptor(monitor)], [("grpc.so_reuseport", 1)]
        server = grpc.server(ThreadPoolExecutor(8), interceptors=watch, options=options)
        services.add_GRPCInferenceServiceServicer_to_server(Churn(), server)
        server.add_insecure_port(address)
        server.start()
        signal.signal(signal.SIGTERM, lambda *_: server.stop(10))
        server.wait_for_termination()


if __name__ == "__main__":
    workers = [Process(target=serve, args=sys.argv[1:]) for _ in range(2)]
    for worker in workers:
        worker.start()
    signal.signal(signal.SIGTERM, lambda *_: [*map(Process.terminate, workers)])
    for worker in workers:
        worker.join()
