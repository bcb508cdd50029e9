"""Predictions that wait and outcomes that come, at a fixed rate, beside a real server.

`make bench ARGS=pending`: 5 000 predictions and 1 000 outcomes a second for a minute.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from mlmon_exporter import Reference
from tests.e2e.servers import free_port, program

SECONDS = 60
PREDICTED, ROWS_A_REQUEST = 5000, 50
RETURNED, OUTCOMES_A_REQUEST = 1000, 100
TOKEN = "bench"
WRITER = {"Authorization": f"Bearer {TOKEN}"}


def run(seconds: int = SECONDS) -> dict[str, float]:
    """Drive the server; return what was sent and what it cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        x = rng.normal(size=5000)
        data = {"x": x, "sex": rng.choice(["f", "m"], 5000), "prediction": x, "y": x + 0.1}
        reference = folder / "reference.json"
        Reference.build(data, predictions="prediction", ground_truth="y").save(reference)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        settings = {
            "REFERENCE": str(reference),
            "MLMON_STATE_DIR": str(folder / "state"),
            "MLMON_TOKEN": TOKEN,
            "MLMON_PENDING_ROWS": "1000000",
        }
        command = ["env", *(f"{key}={value}" for key, value in settings.items())]
        command += [sys.executable, "-m", "uvicorn", "tests.bench.pending_app:app"]
        command += ["--log-level", "error", "--port", str(port)]
        with program(command, lambda: httpx.get(f"{url}/metrics"), folder / "log"):
            return _drive(url, seconds)


def _drive(url: str, seconds: int) -> dict[str, float]:
    before = _numbers(url)
    latencies: list[float] = []
    began = time.monotonic()
    sent = [0, 0]

    def predict(client: httpx.Client, i: int) -> None:
        rows = [{"x": 0.1, "sex": "f"}] * ROWS_A_REQUEST
        headers = {"X-Prediction-Id": f"r{i}"}
        client.post(f"{url}/predict", json={"instances": rows}, headers=headers).raise_for_status()
        sent[0] += ROWS_A_REQUEST

    def give_back(client: httpx.Client, i: int) -> None:
        # Of predictions that were answered a second ago: one in five has its outcome.
        ids = [f"r{max(0, 10 * i - 100) + j // 10}:{j % 10}" for j in range(OUTCOMES_A_REQUEST)]
        truths = [{"prediction_id": name, "ground_truth": 0.2} for name in ids]
        start = time.perf_counter()
        client.post(f"{url}/ground-truth", json=truths, headers=WRITER).raise_for_status()
        latencies.append(time.perf_counter() - start)
        sent[1] += OUTCOMES_A_REQUEST

    threads = [
        threading.Thread(target=_at_rate, args=(predict, PREDICTED / ROWS_A_REQUEST, seconds)),
        threading.Thread(target=_at_rate, args=(give_back, RETURNED / OUTCOMES_A_REQUEST, seconds)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    after = _numbers(url)
    return {
        "predictions a second": sent[0] / took,
        "outcomes a second": sent[1] / took,
        "outcomes matched, share of those of predictions there": after["matched"] / sent[1],
        "predictions that wait": after["pending"],
        "CPU of the server, cores": (after["cpu"] - before["cpu"]) / took,
        "resident memory, MiB more": (after["rss"] - before["rss"]) / 2**20,
        "state file, MiB": after["state"] / 2**20,
        "answer to 100 outcomes, ms, median": 1000 * float(np.median(latencies)),
        "answer to 100 outcomes, ms, 99 %": 1000 * float(np.quantile(latencies, 0.99)),
    }


def _at_rate(call: Callable[[httpx.Client, int], None], rate: float, seconds: int) -> None:
    """Call so many times a second, whether or not the last answer was slow."""
    began, pause = time.monotonic(), threading.Event()
    with httpx.Client(timeout=30) as client:
        for i in range(int(rate * seconds)):
            pause.wait(max(0.0, began + i / rate - time.monotonic()))
            call(client, i)


def _numbers(url: str) -> dict[str, float]:
    names = {
        "mlmon_pending_predictions": "pending",
        "process_cpu_seconds_total": "cpu",
        "process_resident_memory_bytes": "rss",
        "mlmon_state_size_bytes": "state",
    }
    found = dict.fromkeys((*names.values(), "matched"), 0.0)
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=30).text):
        for sample in family.samples:
            if sample.name in names:
                found[names[sample.name]] += sample.value
            if sample.labels.get("outcome") == "matched":
                found["matched"] += sample.value
    return found


def table() -> None:
    """Print what was measured as Markdown."""
    print("| beside a server | measured |\n|---|---|")
    for what, measured in run().items():
        print(f"| {what} | {measured:,.2f} |")
