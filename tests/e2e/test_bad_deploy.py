"""A bad deploy in a job of many services, one of them dead: real servers, rules, and a pager."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from mlmon_exporter import Reference
from mlmon_exporter.assets.rules import Settings, files
from mlmon_exporter.assets.rules.alertmanager import alertmanager_file

from .servers import alertmanager, free_port, prometheus, serving, wait_until
from .test_paging import PATIENCE, Inbox, Traffic, app_of

PACE = Settings(hour_seconds=36)
CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
rule_files: ["{folder}/rules/recording/*.yml", "{folder}/rules/alerting/*.yml"]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]
scrape_configs:
  - job_name: shared
    file_sd_configs: [{{files: ["{folder}/targets.json"]}}]
"""
NOT_SERVED = "MlmonModelNotServed"


def reference_in(folder: Path) -> str:
    rng = np.random.default_rng(1)
    temp = rng.normal(size=5000)
    rows = {"temp": temp, "wind": temp, "cnt": rng.random(5000)}
    Reference.build(rows, predictions="cnt").save(folder / "bike.json")
    return str(folder / "bike.json")


def test_a_bad_deploy_pages_once_while_a_neighbour_is_dead(
    tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    for name, text in files(PACE).items():
        (tmp_path / "rules" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "rules" / name).write_text(text)
    reference, inbox = reference_in(tmp_path), Inbox()
    old, new, neighbour, dead = (free_port() for _ in range(4))

    def scrape(*ports: int) -> None:
        targets = [f"127.0.0.1:{port}" for port in ports]
        part = tmp_path / "targets.part"
        part.write_text(json.dumps([{"targets": targets}]))
        part.rename(tmp_path / "targets.json")

    def told(name: str, model: str, status: str = "firing") -> bool:
        return any(n.labels.get("model") == model for n in inbox.of(name, status))

    with ExitStack() as stack:
        before = stack.enter_context(ExitStack())
        dying = stack.enter_context(ExitStack())
        before.enter_context(serving(app_of(reference, "bike"), old))
        dying.enter_context(serving(app_of(reference, "tree"), dead))
        stack.enter_context(serving(app_of(reference, "calm"), neighbour))
        webhook = stack.enter_context(serving(inbox.app))
        binary = require_binary("prometheus-alertmanager")
        config = alertmanager_file(PACE, webhook)
        address = stack.enter_context(alertmanager(binary, tmp_path / "alertmanager", config))
        urls = [f"http://127.0.0.1:{port}" for port in (old, neighbour, dead)]
        stack.enter_context(Traffic(urls, seed=2).flowing())
        scrape(old, neighbour, dead)
        server = stack.enter_context(
            prometheus(
                require_binary("prometheus"),
                tmp_path / "prometheus",
                CONFIG.format(folder=tmp_path, alertmanager=address),
                "--rules.alert.resend-delay=2s",
            )
        )
        enough = 'sum(increase(mlmon_prediction_rows_total{model="bike"}[36s])) > 1000'
        wait_until(lambda: server.query(enough), PATIENCE, "rows")

        dying.close()
        wait_until(lambda: told("MlmonReplicasDown", "tree"), PATIENCE, "the dead neighbour")
        before.close()
        scrape(new, neighbour, dead)
        wait_until(lambda: told(NOT_SERVED, "bike"), PATIENCE, "the bad deploy")
        stack.enter_context(serving(app_of(reference, "bike"), new))
        wait_until(lambda: told(NOT_SERVED, "bike", "resolved"), PATIENCE, "the rollback")

    pages = [n for n in inbox.notices if n.receiver == "pager" and n.name == NOT_SERVED]
    assert {n.labels["model"] for n in pages} == {"bike"}
    assert len({n.started for n in pages}) == 1
