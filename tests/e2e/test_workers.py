from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from mlmon_exporter import Monitor, Reference

from .servers import free_port, program, wait_until

APP = "tests.e2e.worker_app:app"
# However busy the machine, neither is a worker killed for its silence, nor an idle connection
# closed as its next request arrives.
UVICORN = ["uvicorn", APP, "--workers", "4", "--log-level", "error"]
UVICORN += ["--timeout-worker-healthcheck", "30", "--timeout-keep-alive", "60"]
GUNICORN = ["gunicorn", APP, "-w", "4", "-k", "uvicorn.workers.UvicornWorker"]
GUNICORN += ["--timeout", "120", "--keep-alive", "60", "-b"]
SERVERS = {
    "uvicorn": [*UVICORN, "--port"],
    "gunicorn": GUNICORN,
    "gunicorn, preloaded": [GUNICORN[0], "--preload", *GUNICORN[1:]],
}
FLASK = ["gunicorn", "tests.e2e.flask_app:app", "-w", "2", "--timeout", "120", "-b"]
WSGI_SERVERS = {
    "gunicorn, sync": FLASK,
    "gunicorn, threads": [
        *FLASK[:-1],
        "-k",
        "gthread",
        "--threads",
        "4",
        "--keep-alive",
        "60",
        "-b",
    ],
    "gunicorn, sync, preloaded": [FLASK[0], "--preload", *FLASK[1:]],
}
FLUSH_SECONDS = 0.5
JSON = {"content-type": "application/json"}


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = {"x": rng.normal(size=5000), "c": rng.choice(["a", "b"], 5000), "y": rng.random(5000)}
    Reference.build(rows, predictions="y").save(tmp_path / "m.json")
    return tmp_path / "m.json"


@contextmanager
def running(kind: str, reference: Path, *, state: bool = True) -> Iterator[int]:
    """Run a server with four workers; gives its port."""
    port = free_port()
    address = f"127.0.0.1:{port}" if "gunicorn" in kind else str(port)
    environment = {"REFERENCE": str(reference), "MLMON_FLUSH_SECONDS": str(FLUSH_SECONDS)}
    if state:
        environment["MLMON_STATE_DIR"] = str(reference.parent / "state")
    command = ["env", *(f"{name}={value}" for name, value in environment.items())]
    command += [sys.executable, "-m", *(SERVERS | WSGI_SERVERS)[kind], address]

    def is_ready() -> bool:
        return httpx.get(f"http://127.0.0.1:{port}/process").status_code == 200

    with program(command, is_ready, reference.parent / "server.log"):
        yield port


def rows(count: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(1)
    return [{"x": float(x), "c": "a" if x > 0 else "b"} for x in rng.normal(size=count) + 0.5]


def send(port: int, instances: list[dict[str, object]], clients: int = 32) -> int:
    """Send each row as a request, over renewed connections; return how many were answered."""
    answered = [0] * clients

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for i, row in enumerate(instances[number::clients]):
            if i % 100 == 99:  # another connection, maybe another worker
                connection.close()
            try:
                connection.request("POST", "/predict", json.dumps({"instances": [row]}), JSON)
                answer = connection.getresponse()
                answer.read()
                answered[number] += answer.status == 200
            except (OSError, http.client.HTTPException):
                connection.close()
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered)


def scrape(port: int) -> str:
    """Scrape over a new connection, so that any worker may answer."""
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text


def value(text: str, name: str, *labels: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    (found,) = [line for line in lines if all(label in line for label in labels)]
    return float(found.rpartition(" ")[2])


def requests(text: str) -> float:
    return value(text, "mlmon_requests_total", 'route="/predict"', 'outcome="ok"')


def counted(text: str) -> tuple[float, float]:
    """Return how many requests were counted, and rows of them."""
    return requests(text), value(text, "mlmon_prediction_rows_total")


@pytest.mark.parametrize("kind", SERVERS)
def test_every_scrape_shows_all_requests_and_the_scores_of_one_process(
    kind: str, reference: Path
) -> None:
    instances = rows(20_000)
    single = Monitor(model="m", reference=str(reference))
    features = {name: [row[name] for row in instances] for name in ("x", "c")}
    single.observe(features, [0.5] * len(instances))
    expected = {
        (reading.name, reading.labels["feature"]): reading.value
        for reading in single.readings()
        if reading.name in ("mlmon_feature_psi", "mlmon_feature_ks_statistic")
        and reading.labels["window"] == "24h"
    }
    with running(kind, reference) as port:
        assert send(port, instances) == 20_000
        # A request is counted when it is answered, and its rows when its body has been read.
        wait_until(lambda: counted(scrape(port)) == (20_000, 20_000), what="the last flush")
        texts = [scrape(port) for _ in range(20)]
    assert {counted(text) for text in texts} == {(20_000, 20_000)}
    for (name, feature), score in expected.items():
        labels = (f'feature="{feature}"', 'window="24h"')
        scores = {value(text, name, *labels) for text in texts}
        assert len(scores) == 1
        assert scores.pop() == pytest.approx(score, abs=1e-9)
    assert {value(text, "mlmon_build_info", 'state="shared"') for text in texts} == {1}


@pytest.mark.parametrize("kind", WSGI_SERVERS)
def test_every_scrape_of_a_flask_server_shows_all_requests(kind: str, reference: Path) -> None:
    with running(kind, reference) as port:
        assert send(port, rows(2000), clients=8) == 2000
        csv = "\n".join("0.5,a" for _ in range(10))
        answer = httpx.post(
            f"http://127.0.0.1:{port}/invocations",
            content=csv,
            headers={"content-type": "text/csv"},
        )
        assert answer.text.count("0.5") == 10
        assert len(answer.headers["x-prediction-id"]) == 24
        wait_until(lambda: counted(scrape(port)) == (2000, 2010), what="the last flush")
        assert {counted(scrape(port)) for _ in range(10)} == {(2000, 2010)}
    log = (reference.parent / "server.log").read_text()
    assert "Traceback" not in log


def test_a_killed_worker_loses_one_flush_at_most_and_no_counter_goes_back(reference: Path) -> None:
    with running("uvicorn", reference) as port:
        before = send(port, rows(2000))
        wait_until(lambda: requests(scrape(port)) == before, what="a flush")
        victim = int(httpx.get(f"http://127.0.0.1:{port}/process", timeout=60).text)
        seen, counted = [], threading.Event()

        def watch() -> None:
            while not counted.is_set():
                try:
                    seen.append(requests(scrape(port)))
                except httpx.HTTPError:
                    continue

        watcher = threading.Thread(target=watch)
        watcher.start()
        os.kill(victim, signal.SIGKILL)
        after = send(port, rows(2000))
        end = before + after
        wait_until(lambda: requests(scrape(port)) >= end - 600, what="the last flush")
        counted.set()
        watcher.join()
        last = requests(scrape(port))
    assert after >= 1900  # requests that were on their way to the killed worker failed
    assert seen == sorted(seen)
    assert end - 600 <= last <= end + 10


def test_workers_without_a_state_directory_say_so_once_each(reference: Path) -> None:
    with running("gunicorn", reference, state=False) as port:

        def is_told() -> bool:  # by a first worker not before the second was started
            return all('state="unshared"' in scrape(port) for _ in range(12))

        wait_until(is_told, what="workers that have seen each other")
    log = (reference.parent / "server.log").read_text()
    assert 1 <= len(re.findall("several workers, but no state_dir", log)) <= 4
