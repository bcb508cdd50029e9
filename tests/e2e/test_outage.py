"""A zone is gone: 300 jobs with three models each, and how often the pager rings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request

from mlmon_exporter.assets.rules import DEFAULTS, Settings
from mlmon_exporter.assets.rules.alertmanager import alertmanager_file
from mlmon_exporter.assets.rules.rule_set import SUBSYSTEMS

from .pager import PACED
from .servers import alertmanager, serving, wait_until

pytestmark = PACED
PACE = Settings(hour_seconds=120)
"""Alertmanager's five minutes are ten seconds: what is sent takes time that does not shrink."""
JOBS, MODELS = 300, ("bike", "churn", "price")
OUTAGE = ("MlmonReplicasDown", "MlmonModelNotServed", "MlmonErrorBurnFast", "MlmonNoPredictions")
"""Pages that the outage brings for each model: servers, and what follows from them."""
ROWS = {alert.name: (s.name, alert) for s in SUBSYSTEMS for alert in s.alerts(DEFAULTS)}


class Pager:
    """A webhook receiver that keeps each call."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.app = FastAPI()
        self.app.post("/{receiver}")(self._receive)

    async def _receive(self, receiver: str, request: Request) -> None:
        body = await request.json()
        if receiver == "pager":
            self.calls.append(body["alerts"])

    def named(self, status: str) -> set[tuple[str, str]]:
        """Return job and model of all alerts that a call named as firing, or as resolved."""
        labels = (a["labels"] for call in self.calls for a in call if a["status"] == status)
        return {(found["job"], found["model"]) for found in labels}


def alerts(name: str, jobs: Sequence[int], ends: datetime) -> Iterator[dict[str, Any]]:
    """Give an alert as Prometheus sends it, for each model of some jobs."""
    subsystem, alert = ROWS[name]
    for job in jobs:
        for model in MODELS:
            place = {"namespace": f"n{job % 9}", "job": f"team-{job}", "model": model}
            labels = {"alertname": name, "severity": alert.severity, "subsystem": subsystem}
            yield {
                "labels": labels | place,
                "annotations": {"summary": alert.summary},
                "endsAt": ends.isoformat(),
            }


def test_an_outage_of_three_hundred_jobs_is_at_most_three_calls_with_all_names(
    tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    pager = Pager()
    everything = {(f"team-{job}", model) for job in range(JOBS) for model in MODELS}
    with (
        serving(pager.app) as webhook,
        alertmanager(
            require_binary("prometheus-alertmanager"),
            tmp_path,
            alertmanager_file(PACE, webhook),
        ) as address,
    ):

        def send(jobs: Sequence[int], seconds: float, names: Sequence[str] = OUTAGE) -> None:
            ends = datetime.now(UTC) + timedelta(seconds=seconds)
            for name in names:
                body = list(alerts(name, jobs, ends))
                httpx.post(f"http://{address}/api/v2/alerts", json=body, timeout=60)

        # Scrapes, and so rules, do not notice all at once.
        send(range(200), 600)
        send(range(200, JOBS), 600)
        wait_until(lambda: pager.named("firing") == everything, what="all names")
        time.sleep(2 * PACE.span_seconds("5m"))  # to see that nothing more is said
        assert len(pager.calls) <= 2
        # MlmonReplicasDown keeps firing for minutes: what it holds back has ended by then.
        send(range(JOBS), -1, OUTAGE[::-1])
        wait_until(lambda: pager.named("resolved") == everything, what="all resolved")
        assert len(pager.calls) <= 3
    assert {a["labels"]["alertname"] for call in pager.calls for a in call} == {OUTAGE[0]}
