"""`mlmon-exporter serve` takes the events of KServe's logger over HTTP, and counts their calls."""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from mlmon_exporter import Reference
from tests.sources.events.logger import batch, binary, event, structured

from .servers import free_port, program

CALLS = 500


def counts(port: int) -> dict[str, float]:
    """Return the samples of /metrics that are not 0."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    rows = re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in rows if float(value)}


def test_events_that_are_shuffled_repeated_and_lost_are_counted_exactly(tmp_path: Path) -> None:
    rows = {"a": [float(n) for n in range(100)], "p": [0.0, 1.0] * 50}
    Reference.build(rows, predictions="p").save(tmp_path / "fraud.json")
    (tmp_path / "mlmon.toml").write_text("""
        events_path = "/events"
        state_dir = "state"
        token = "secret"
        [[models]]
        name = "fraud"
        reference = "fraud.json"
    """)
    rng, began = random.Random(5), time.time()
    told: list[tuple[str, bool, Any]] = []
    for number in range(CALLS):
        key, at = f"call-{number}", began - rng.uniform(1, 60)
        asked = event("request", key, {"instances": [{"a": number}]}, at)
        answered = event("response", key, {"predictions": [number / 10]}, at + 0.125)
        told += [(key, True, asked), (key, False, answered)]
    told = [each for each in told if rng.random() >= 0.05]
    sides = {(key, is_request) for key, is_request, _ in told}
    joined = {key for key, _ in sides if {(key, True), (key, False)} <= sides}
    alone = Counter(is_request for key, is_request in sides if key not in joined)
    repeated = rng.sample(told, 100)
    coming = rng.sample([*told, *repeated], len(told) + 100)

    port = free_port()
    command = ["serve", "--config", str(tmp_path / "mlmon.toml"), "--port", str(port)]

    def is_ready() -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200

    def send(some: list[tuple[str, bool, Any]]) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            for i, (_, _, each) in enumerate(some):
                headers, body = (binary, structured, batch)[i % 3](each)
                by_header = {b"authorization": b"Bearer secret"} if i % 2 else {}
                path = "/events" if by_header else "/events/secret"
                answer = http.post(path, content=body, headers={**headers, **by_header})
                assert (answer.status_code, answer.content) == (200, b"")

    command = [sys.executable, "-m", "mlmon_exporter.cli", *command]
    with program(command, is_ready, tmp_path / "serve.log") as server:
        with ThreadPoolExecutor(4) as pool:
            [*pool.map(send, [coming[start::4] for start in range(4)])]
        server.terminate()  # the events that wait are given up, and nothing is forgotten
        server.wait(60)
    with program(command, is_ready, tmp_path / "again.log"):
        found = counts(port)
    lost = {
        'mlmon_dropped_total{reason="event_duplicate"}': 100,
        'mlmon_dropped_total{reason="event_unanswered"}': alone[True],
        'mlmon_dropped_total{reason="event_unasked"}': alone[False],
    }
    labels = 'model="fraud",version=""'
    route = f'{labels},route="/bank/fraud/predictor"'
    numbers = [int(key.removeprefix("call-")) for key in joined]
    assert {name: value for name, value in found.items() if "dropped" in name} == lost
    assert found[f'mlmon_requests_total{{{route},method="POST",status="200",outcome="ok"}}'] == len(
        joined
    )
    assert found[f"mlmon_prediction_rows_total{{{labels}}}"] == len(joined)
    assert found[f'mlmon_feature_value_sum{{{labels},feature="a"}}'] == sum(numbers)
    assert found[f'mlmon_request_duration_seconds_bucket{{{route},le="0.25"}}'] == len(joined)
    assert f'mlmon_request_duration_seconds_bucket{{{route},le="0.1"}}' not in found
    assert not (tmp_path / "serve.log").read_text()
