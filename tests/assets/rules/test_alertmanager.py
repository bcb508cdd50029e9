from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mlmon_exporter.assets.rules import DEFAULTS, Settings
from mlmon_exporter.assets.rules.alert import SEVERITIES
from mlmon_exporter.assets.rules.alertmanager import INHIBITIONS, Inhibition, alertmanager_file
from mlmon_exporter.assets.rules.settings import PLACE
from tests.newest_prometheus import newest_binary

from .alert_cases import ALERTS, TABLE

CONFIG = ALERTS / "alertmanager.yml"
RECEIVERS = {
    "critical": "pager",
    "warning": "tickets",
    "info": "nowhere",
    "heartbeat": "heartbeat",
}


@pytest.fixture(params=["installed", "newest"])
def amtool(request: pytest.FixtureRequest, require_binary: Callable[[str], str]) -> str:
    find = require_binary if request.param == "installed" else newest_binary
    return find("amtool")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("settings", [DEFAULTS, Settings(hour_seconds=24)], ids=["hour", "quick"])
def test_amtool_has_no_complaints(amtool: str, tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_file(settings, "http://127.0.0.1:9/"))
    done = run(amtool, "check-config", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "http://127.0.0.1:9/pager" in path.read_text()


def test_what_is_a_comment_is_a_configuration_too(amtool: str, tmp_path: Path) -> None:
    lines = CONFIG.read_text().split("receivers:\n")
    chosen = lines[-1].replace("    # ", "    ")
    path = tmp_path / "alertmanager.yml"
    path.write_text("receivers:\n".join([*lines[:-1], chosen]))
    done = run(amtool, "check-config", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pagerduty_configs" in chosen


@pytest.mark.parametrize("severity", SEVERITIES)
def test_each_severity_is_routed(amtool: str, severity: str) -> None:
    done = run(
        amtool,
        *("config", "routes", "test", f"--config.file={CONFIG}"),
        f"--verify.receivers={RECEIVERS[severity]}",
        *(f"severity={severity}", "alertname=X", "job=models", "model=bike"),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_not_ours_goes_to_the_root(amtool: str) -> None:
    done = run(amtool, "config", "routes", "test", f"--config.file={CONFIG}", "alertname=Other")
    assert done.stdout.strip() == "root"


def test_each_alert_is_of_a_severity_that_is_routed() -> None:
    assert RECEIVERS.keys() == SEVERITIES.keys()
    # `info` is of nobody unless somebody gives it to an alert.
    assert {alert.severity for _, alert in TABLE.values()} == SEVERITIES.keys() - {"info"}


def matched(matcher: str) -> set[str]:
    """Return the alerts that a matcher of one label takes."""
    label, sign, text = re.fullmatch(r'(\w+)(=~|=)"(.+)"', matcher).groups()  # type: ignore[union-attr]
    pattern = text if sign == "=~" else re.escape(text)
    values = {n: n if label == "alertname" else s.name for n, (s, _) in TABLE.items()}
    return {name for name, value in values.items() if re.fullmatch(pattern, value)}


@pytest.mark.parametrize("rule", INHIBITIONS, ids=lambda rule: f"{rule.source} {rule.target}")
def test_an_inhibition_is_exact(rule: Inhibition) -> None:
    sources, targets = matched(rule.source), matched(rule.target)
    assert sources
    assert targets
    # Absent labels count as equal: each alert must have what is compared.
    for name in sources | targets:
        assert {*rule.equal} - {*PLACE} <= {*TABLE[name][1].labels}, name
    assert rule.text() in CONFIG.read_text()


def test_a_page_holds_back_no_ticket_of_another_kind() -> None:
    pages = {name for name, (_, alert) in TABLE.items() if alert.severity == "critical"}
    held = {
        source: {
            name
            for rule in INHIBITIONS
            if source in matched(rule.source)
            for name in matched(rule.target)
        }
        for source in pages
    }
    assert held["MlmonErrorBurnFast"] == {"MlmonErrorBurnSlow"}
    assert held["MlmonFleetQualityDrop"] == {"MlmonQualityDrop"}
    gone = {"MlmonReplicasDown", "MlmonModelNotServed"}
    assert not any("MlmonReferenceStale" in held[p] for p in pages - gone)


def test_each_replica_s_own_drift_is_told_while_references_differ() -> None:
    # Replicas that learn their references each have one: the ticket is all there is of drift then.
    (rule,) = (rule for rule in INHIBITIONS if "Inconsistent" in rule.source)
    assert matched(rule.target) == {"MlmonFleetDrift"}


def test_tickets_are_repeated_after_days_and_pages_after_hours() -> None:
    route = yaml.safe_load(CONFIG.read_text())["route"]
    spans = {one["receiver"]: one.get("repeat_interval") for one in route["routes"]}
    assert spans["tickets"] == "3d"
    assert spans["pager"] is None
    assert route["repeat_interval"] == "4h"
