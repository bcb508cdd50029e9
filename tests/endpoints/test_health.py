"""Health, as probes ask for it."""

from __future__ import annotations

from fastapi import FastAPI

from mlmon_exporter import instrument
from mlmon_exporter.endpoints.health import HealthApp
from mlmon_exporter.state.outage import Trouble
from tests.asgi import get


def test_it_is_ok_where_the_state_is_written_or_there_is_none() -> None:
    answer = get(HealthApp(lambda _: None), "/").json()
    assert answer.keys() == {"status", "time"}
    assert answer["status"] == "ok"


def test_it_names_the_directory_and_the_reason_and_stays_200() -> None:
    response = get(HealthApp(lambda _: Trouble("state_dir /state", "full", 5.0)), "/")
    assert response.status_code == 200
    answer = response.json()
    assert answer["status"] == "state not written"
    assert answer["state"] == {"where": "state_dir /state", "reason": "full", "since": 5.0}


def test_the_app_serves_it_where_it_is_told_to_and_does_not_count_it() -> None:
    app = FastAPI()
    instrument(app, model="m", health_path="/healthz", metrics_token="t")
    assert get(app, "/healthz").json()["status"] == "ok"
    metrics = get(app, "/metrics", {"authorization": "Bearer t"}).text
    assert "healthz" not in metrics
