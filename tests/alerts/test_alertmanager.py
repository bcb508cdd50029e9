from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlmon_exporter.alerts import DEFAULTS, Settings
from mlmon_exporter.alerts.alert import SEVERITIES
from mlmon_exporter.alerts.alertmanager import alertmanager_file
from tests.alerts.alert_cases import ALERTS, TABLE
from tests.newest_prometheus import newest_binary

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
    assert {alert.severity for _, alert in TABLE.values()} == RECEIVERS.keys() == SEVERITIES.keys()


def test_inhibition_names_alerts_that_exist() -> None:
    text = CONFIG.read_text()
    for name in ("MlmonReplicasDown", "MlmonReferenceInconsistent", "MlmonFeatureDrift"):
        assert name in text
        assert name in TABLE
    drift = {
        f"Mlmon{fleet}{what}Drift" for fleet in ("", "Fleet") for what in ("Feature", "Prediction")
    }
    assert drift <= TABLE.keys()
    assert 'alertname=~"Mlmon(Fleet)?(Feature|Prediction)Drift"' in text
