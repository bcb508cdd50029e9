"""Facts about notices: what Alertmanager tells of alerts, by the bundled configuration."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlmon_exporter.assets.rules import DEFAULTS
from mlmon_exporter.assets.rules.alertmanager import alertmanager_file
from mlmon_exporter.assets.rules.notices import KINDS, Firing, Notice, notices
from mlmon_exporter.assets.rules.rule_set import SUBSYSTEMS

ALERTS = {alert.name: (s.name, alert) for s in SUBSYSTEMS for alert in s.alerts(DEFAULTS)}


def labels(name: str, **more: str) -> dict[str, str]:
    subsystem, alert = ALERTS[name]
    own = {"alertname": name, "severity": alert.severity, "subsystem": subsystem}
    return {**own, "job": "j", "model": "m", **more}


def firing(name: str, begin: float, end: float, **more: str) -> Firing:
    return Firing(labels(name, **more), begin, end)


def told(*firings: Firing) -> list[tuple[str, float, float, list[str]]]:
    found: list[Notice] = notices(firings, DEFAULTS)
    return [(n.kind, n.begin, n.end, [a["alertname"] for a in n.alerts]) for n in found]


def test_alerts_of_a_model_and_a_subsystem_are_one_ticket_from_the_first_to_the_last() -> None:
    assert told(
        firing("MlmonFeatureDrift", 0, 100, feature="a"),
        firing("MlmonFeatureDrift", 60, 500, feature="b"),
        firing("MlmonFeatureDrift", 1000, math.inf, feature="a"),
        firing("MlmonMissingValues", 0, 90, feature="c"),
    ) == [
        ("ticket", 30, 500, ["MlmonFeatureDrift", "MlmonFeatureDrift"]),
        ("ticket", 30, 90, ["MlmonMissingValues"]),
        ("ticket", 1030, math.inf, ["MlmonFeatureDrift"]),
    ]


def test_what_is_over_before_a_message_is_sent_is_told_to_nobody() -> None:
    assert told(firing("MlmonFeatureDrift", 0, 29, feature="a")) == []


def test_an_inhibited_alert_is_told_when_the_other_is_over_and_stays_told_when_it_begins() -> None:
    fleet = firing("MlmonFleetDrift", 100, 300)
    before = firing("MlmonFeatureDrift", 0, 400, feature="a")
    within = firing("MlmonFeatureDrift", 100, 300, feature="b")
    beyond = firing("MlmonPredictionDrift", 150, 400, output="p")
    (notice,) = notices([fleet, before, within, beyond], DEFAULTS)
    assert (notice.begin, notice.end) == (30, 400)
    names = [(a["alertname"], a.get("feature", "")) for a in notice.alerts]
    assert names == [
        ("MlmonFeatureDrift", "a"),
        ("MlmonFleetDrift", ""),
        ("MlmonPredictionDrift", ""),
    ]
    elsewhere = firing("MlmonFeatureDrift", 100, 300, feature="b", model="other")
    assert len(notices([fleet, elsewhere], DEFAULTS)) == 2


def test_pages_are_apart_from_tickets_and_heartbeats_are_neither() -> None:
    assert told(
        firing("MlmonFleetQualityDrop", 0, 900, quality="rmse"),
        firing("MlmonConceptDrift", 0, 900),
        firing("MlmonWatchdog", 0, math.inf),
        firing("MlmonCalibrationOff", 0, 900, severity="info"),
    ) == [
        ("page", 30, 900, ["MlmonFleetQualityDrop"]),
        ("ticket", 30, 900, ["MlmonConceptDrift"]),
    ]


@pytest.mark.parametrize("name", ALERTS)
def test_routes_are_those_that_amtool_finds(
    name: str, tmp_path: Path, require_binary: Callable[[str], str]
) -> None:
    config = tmp_path / "alertmanager.yml"
    config.write_text(alertmanager_file(DEFAULTS))
    pairs = [f"{key}={value}" for key, value in labels(name).items()]
    command = [require_binary("amtool"), "config", "routes", "test", f"--config.file={config}"]
    ran = subprocess.run([*command, *pairs], check=True, capture_output=True, text=True)
    kinds = [kind for kind, *_ in told(firing(name, 0, 900))]
    receiver = ran.stdout.strip()
    assert kinds == ([KINDS[receiver]] if receiver in KINDS else [])
