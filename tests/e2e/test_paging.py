"""From a fault in a server to the page, and from its end to the all-clear: nothing is simulated
but the length of an hour."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pytest

from mlmon_exporter import Reference
from mlmon_exporter.assets.rules import Settings, files
from mlmon_exporter.assets.rules.alertmanager import alertmanager_file

from .pager import MAX_BODY_BYTES, PACED, WINDOWS, Inbox, Traffic, app_of
from .servers import Prometheus, alertmanager, free_port, prometheus, serving, wait_until

pytestmark = PACED
SETTINGS = Settings(hour_seconds=24, severities={"MlmonFleetDrift": "critical"})
CONFIG = """
global: {{scrape_interval: 400ms, scrape_timeout: 400ms}}
rule_files: ["{rules}/recording/*.yml", "{rules}/alerting/*.yml"]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]
scrape_configs:
  - job_name: models
    static_configs: [{{targets: {models}}}]
  - job_name: control
    static_configs: [{{targets: {control}}}]
"""
FLEET_DRIFT = "MlmonFleetDrift"
DRIFTED = r"bike has drifted in the whole fleet, (temp|wind) the most \(PSI \d+\.\d\d\)"


@pytest.fixture
def reference(tmp_path: Path) -> str:
    rng = np.random.default_rng(1)
    temp = rng.normal(size=5000)
    path = tmp_path / "bike.json"
    rows = {"temp": temp, "wind": temp, "cnt": rng.random(5000)}
    rows["sent"] = rng.uniform(0, 1200, 5000)  # without times, drift pages nobody
    Reference.build(rows, predictions="cnt", time_column="sent", windows=WINDOWS).save(path)
    return str(path)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


class Stage(NamedTuple):
    """Two replicas of a model, which can die, and what watches them."""

    server: Prometheus
    alertmanager: str
    inbox: Inbox
    traffic: Traffic
    replicas: ExitStack
    """Closing it ends both."""
    restart: Callable[[], None]

    def is_held_back(self, name: str) -> bool:
        """Return whether Alertmanager knows an alert, and tells nobody for another's sake."""
        url = f"http://{self.alertmanager}/api/v2/alerts"
        alerts = httpx.get(url, params={"filter": f"alertname={name}"}, timeout=60).json()
        return bool(alerts) and all(alert["status"]["inhibitedBy"] for alert in alerts)


@pytest.fixture
def stage(
    reference: str, inbox: Inbox, tmp_path: Path, require_binary: Callable[[str], str]
) -> Iterator[Stage]:
    for name, text in files(SETTINGS).items():
        (tmp_path / "rules" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rules" / name).write_text(text)
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        replicas = stack.enter_context(ExitStack())

        def restart() -> None:
            for port in ports:
                replicas.enter_context(serving(app_of(reference, "bike"), port))

        restart()
        control = stack.enter_context(serving(app_of(reference, "calm")))
        webhook = stack.enter_context(serving(inbox.app))
        address = stack.enter_context(
            alertmanager(
                require_binary("prometheus-alertmanager"),
                tmp_path / "alertmanager",
                alertmanager_file(SETTINGS, webhook),
            )
        )
        traffic = Traffic([f"http://127.0.0.1:{port}" for port in ports], seed=2)
        stack.enter_context(traffic.flowing())
        stack.enter_context(Traffic([control], seed=3).flowing())
        config = CONFIG.format(
            rules=tmp_path / "rules",
            alertmanager=address,
            models=[f"127.0.0.1:{port}" for port in ports],
            control=[control.removeprefix("http://")],
        )
        server = stack.enter_context(
            prometheus(
                require_binary("prometheus"),
                tmp_path / "prometheus",
                config,
                "--scrape.discovery-reload-interval=100ms",
                # What it had to say before it knew of Alertmanager, it says again after this.
                "--rules.alert.resend-delay=2s",
            )
        )
        yield Stage(server, address, inbox, traffic, replicas, restart)


def test_each_fault_pages_once_and_is_cleared_and_calm_servers_page_nobody(stage: Stage) -> None:
    inbox, traffic = stage.inbox, stage.traffic

    def arrives(name: str, status: str = "firing") -> None:
        wait_until(lambda: inbox.of(name, status), what=f"{name} {status}")

    enough = "min(sum by (job) (mlmon_prediction_rows_total)) > 2000"
    wait_until(lambda: stage.server.query(enough), what="rows")

    stage.replicas.close()
    arrives("MlmonReplicasDown")
    wait_until(lambda: inbox.of("MlmonTargetDown", "firing"), what="a ticket of each")
    stage.restart()
    arrives("MlmonReplicasDown", "resolved")

    traffic.padding = "x" * MAX_BODY_BYTES
    arrives("MlmonObservationsDropped")
    traffic.padding = ""

    traffic.failing_share, traffic.shift = 0.5, 3.0
    arrives("MlmonErrorBurnFast")
    traffic.failing_share = 0.0
    arrives(FLEET_DRIFT)
    traffic.shift = 0.0
    arrives("MlmonObservationsDropped", "resolved")
    arrives("MlmonErrorBurnFast", "resolved")
    arrives(FLEET_DRIFT, "resolved")
    check(inbox, stage.server)


def because_busy(server: Prometheus) -> dict[str, set[str]]:
    """Return the alerts of each job that are true since the machine was busy, as was measured.

    An hour is short here, but a server does not answer sooner for that.
    """
    found: dict[str, set[str]] = {"control": set(), "models": set()}
    for labels, changes in server.query("changes(up[1h])"):
        # The replicas went down once, and came back.
        if changes > {"control": 0, "models": 2}[labels["job"]]:
            found[labels["job"]] |= {"MlmonReplicasDown", "MlmonTargetDown"}
    requests = "sum by (job) (mlmon_request_duration_seconds_"
    for labels, _ in server.query(f'{requests}count) > {requests}bucket{{le="0.5"}})'):
        found[labels["job"]] |= {"MlmonLatencyBurnFast", "MlmonLatencyBurnSlow"}
    return found


def check(inbox: Inbox, server: Prometheus) -> None:
    busy = because_busy(server)
    calm = [n for n in inbox.notices if n.labels.get("job") == "control"]
    assert [n for n in calm if n.name not in busy["control"]] == []
    assert len(inbox.of("MlmonWatchdog", "firing")) > 5
    assert {n.name for n in inbox.notices if n.receiver == "heartbeat"} == {"MlmonWatchdog"}

    pages = [n for n in inbox.notices if n.receiver == "pager" and n not in calm]
    assert {n.name for n in pages} == {"MlmonReplicasDown", "MlmonErrorBurnFast", FLEET_DRIFT}
    started: dict[str, set[str]] = {}
    for notice in pages:
        assert "feature" not in notice.labels
        started.setdefault(notice.name, set()).add(notice.started)
    again = {name for name, starts in started.items() if len(starts) > 1}
    assert again <= busy["models"], "a page that arrives again has a new start"
    summaries = [notice.summary for notice in inbox.of(FLEET_DRIFT, "firing")]
    assert re.fullmatch(DRIFTED, summaries[0])

    # What was held back is at most named among what is over, when a message is sent anyway.
    firing = [n for n in inbox.notices if n.status == "firing"]
    tickets = {n.name for n in firing if n.receiver == "tickets"}
    assert "MlmonObservationsDropped" in tickets
    # After the page for errors a ticket says what they cost; a replica may see drift before the
    # fleet does. One of two replicas may be back before the other, and a busy machine may be slow.
    assert tickets <= {
        "MlmonObservationsDropped",
        "MlmonErrorBurnSlow",
        "MlmonFeatureDrift",
        "MlmonRestarting",
        "MlmonTargetDown",
        "MlmonLatencyBurnFast",
        "MlmonLatencyBurnSlow",
    }
    assert {n.receiver for n in inbox.notices} == {"heartbeat", "pager", "tickets"}
