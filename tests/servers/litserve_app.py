"""LitServe, a prediction a row: `python -m tests.servers.litserve_app PORT [REFERENCE]`."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import litserve as ls

from .linear import FEATURES, outputs


class Linear(ls.LitAPI):
    """Answers the rows of a request one by one."""

    def setup(self, device: str) -> None:
        pass

    def decode_request(self, request):  # FastAPI would read what it takes
        return [[row[name] for name in FEATURES] for row in request["instances"]]

    def predict(self, rows: Any) -> Iterator[float]:
        yield from outputs(rows).tolist()

    def encode_response(self, values: Iterator[float]):  # FastAPI would read what it returns
        for value in values:
            yield f"data: {json.dumps({'y': value})}\n\n"


if __name__ == "__main__":
    port, *reference = sys.argv[1:]
    server = ls.LitServer(Linear(stream=True), accelerator="cpu", workers_per_device=1)
    if reference:
        from mlmon_exporter import instrument

        instrument(server.app, model="linear", reference=reference[0])
    server.run(port=int(port), num_api_servers=1, generate_client_file=False, log_level="warning")
