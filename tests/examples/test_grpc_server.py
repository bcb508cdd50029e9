"""The example of a gRPC server in two processes counts exactly in each scrape."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import httpx

from mlmon_exporter import Reference
from tests.e2e.servers import free_port, program, wait_until
from tests.e2e.test_proxy import is_open
from tests.formats import oip_messages as oip

EXAMPLES = Path(__file__).parents[2] / "examples"
STUBS = Path(__file__).parent / "stubs"
METHOD = "/inference.GRPCInferenceService/ModelInfer"
LABELS = f'model="churn",version="",route="{METHOD}"'
WANTED = (
    f'mlmon_requests_total{{{LABELS},method="POST",status="200"',
    f'mlmon_requests_total{{{LABELS},method="POST",status="500"',
    f"mlmon_request_duration_seconds_count{{{LABELS}",
    'mlmon_prediction_rows_total{model="churn"',
    'mlmon_feature_value_sum{model="churn",version="",feature="calls"',
)
REQUESTS = 300


def ask(port: int, request: bytes) -> bytes:
    """Ask over a connection of its own, so that either process may have it."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        answer: bytes = channel.unary_unary(METHOD)(request, timeout=60)
        return answer


def test_each_scrape_of_two_processes_shows_all(tmp_path: Path) -> None:
    calls = [float(n % 10) for n in range(500)]
    rows = {"calls": calls, "p": [0.1 + 0.02 * each for each in calls]}
    reference, state = tmp_path / "churn.reference.json", tmp_path / "state"
    Reference.build(rows, predictions="p").save(reference)
    config = tmp_path / "mlmon.toml"
    config.write_text(f'[[models]]\nname = "churn"\nreference = "{reference}"\n')
    port, metrics_port = free_port(), free_port()
    environment = [f"MLMON_STATE_DIR={state}", "MLMON_FLUSH_SECONDS=0.5", f"PYTHONPATH={STUBS}"]
    server = ["env", *environment, sys.executable, str(EXAMPLES / "grpc_server.py")]
    server += [f"127.0.0.1:{port}", str(reference)]
    exporter = ["env", *environment, sys.executable, "-m", "mlmon_exporter.cli", "serve"]
    exporter += ["--config", str(config), "--port", str(metrics_port)]

    def scraped() -> list[float]:
        text = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=60).text
        found = ([line for line in text.splitlines() if line.startswith(each)] for each in WANTED)
        return [sum(float(line.rpartition(" ")[2]) for line in each) for each in found]

    def send(number: int) -> int:
        values = [float(n) for n in range(1 + number % 3)]
        tensor = oip.tensor("calls", "FP64", [len(values)], values)
        ask(port, oip.request([tensor], model="churn", id=str(number)))
        return len(values)

    with ExitStack() as stack:
        running = program(server, lambda: is_open(port), tmp_path / "server.log")
        process = stack.enter_context(running)
        is_ready = lambda: is_open(metrics_port)  # noqa: E731
        stack.enter_context(program(exporter, is_ready, tmp_path / "serve.log"))
        with ThreadPoolExecutor(8) as pool:
            sent = sum(pool.map(send, range(REQUESTS)))
        expected = [REQUESTS, 0, REQUESTS, sent, sum(n * (n + 1) / 2 for n in (0, 1, 2)) * 100]
        wait_until(lambda: scraped() == expected, what="the last flush")
        assert [scraped() for _ in range(10)] == [expected] * 10
        assert send(2) == 3  # counted, though the server stops before the next flush
        process.terminate()
        process.wait(60)
        wait_until(lambda: scraped()[0] == REQUESTS + 1)
