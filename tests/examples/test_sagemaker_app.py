"""The example of a SageMaker container counts exactly, whichever worker answers the scrape."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from mlmon_exporter import Reference
from tests.e2e.servers import free_port, program, wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
WANTED = (
    'mlmon_requests_total{model="churn",version="",route="/invocations",method="POST",status="200"',
    'mlmon_requests_total{model="churn",version="",route="/invocations",method="POST",status="400"',
    'mlmon_requests_total{model="",version="",route="/ping",method="GET",status="200"',
    'mlmon_request_duration_seconds_count{model="churn",version="",route="/invocations"',
    'mlmon_prediction_rows_total{model="churn"',
    'mlmon_feature_value_sum{model="churn",version="",feature="age"',
    'mlmon_prediction_value_sum{model="churn"',
)


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
def test_each_scrape_of_two_workers_shows_all(preload: list[str], tmp_path: Path) -> None:
    ages, calls = [20.0 + n % 50 for n in range(500)], [float(n % 7) for n in range(500)]
    scores = [0.005 * age + 0.05 * call for age, call in zip(ages, calls, strict=True)]
    Reference.build({"age": ages, "calls": calls, "p": scores}, predictions="p").save(
        tmp_path / "reference.json"
    )
    port = free_port()
    # A connection for each request, so that either worker may have it.
    http = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", timeout=60, headers={"connection": "close"}
    )
    command = ["env", f"MODEL_REFERENCE={tmp_path / 'reference.json'}", "MLMON_FLUSH_SECONDS=0.5"]
    command += [f"MLMON_STATE_DIR={tmp_path / 'state'}", sys.executable, "-m", "gunicorn"]
    command += ["--workers", "2", *preload, "--timeout", "120", "--chdir", str(EXAMPLES)]
    command += ["--bind", f"127.0.0.1:{port}", "sagemaker_app:app"]

    def is_ready() -> bool:
        return http.get("/metrics").status_code == 200

    def send(number: int) -> int:
        body = "\n".join(f"{20 + number % 50},{n}" for n in range(1 + number % 3))
        answer = http.post("/invocations", content=body, headers={"content-type": "text/csv"})
        assert answer.text.splitlines()[0] == f"{0.005 * (20 + number % 50)}"
        assert http.get("/ping").status_code == 200
        return answer.status_code

    def scraped() -> list[float]:
        lines = http.get("/metrics").text.splitlines()
        found = ([line for line in lines if line.startswith(each)] for each in WANTED)
        return [sum(float(line.rpartition(" ")[2]) for line in each) for each in found]

    with program(command, is_ready, tmp_path / "server.log"):
        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(send, range(300))] == [200] * 300
        assert http.post("/invocations", content="a,b").status_code == 400
        rows = [(20 + number % 50, n) for number in range(300) for n in range(1 + number % 3)]
        age = sum(age for age, _ in rows)
        prediction = pytest.approx(sum(0.005 * age + 0.05 * n for age, n in rows))
        expected = [300, 1, 300, 301, len(rows), age, prediction]
        wait_until(lambda: scraped() == expected, what="the last flush")
        assert [scraped() for _ in range(10)] == [expected] * 10
