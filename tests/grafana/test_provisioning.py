from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from .boards import BOARDS

GRAFANA = Path(__file__).parent.parent.parent / "grafana"
COMPOSE: dict[str, Any] = yaml.safe_load((GRAFANA / "compose.yaml").read_text())
IN_CONTAINERS = {"/etc/mlmon/grafana": GRAFANA, "/etc/mlmon/alerts": GRAFANA.parent / "alerts"}


def provisioned(name: str) -> Any:
    return yaml.safe_load((GRAFANA / "provisioning" / name / "mlmon.yml").read_text())


def test_dots_on_latency_lead_to_their_traces() -> None:
    source, _ = provisioned("datasources")["datasources"]
    assert source["type"] == "prometheus"
    (link,) = source["jsonData"]["exemplarTraceIdDestinations"]
    assert link["name"] == "trace_id", "tests/grafana/test_live.py sees that exemplars have it"
    assert link["url"].endswith("$${__value.raw}"), "one $ would be taken for a variable"


def test_boards_are_found_where_they_are_mounted() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    folder = on_disk(provider["options"]["path"])
    assert {path.stem for path in folder.glob("*.json")} == BOARDS.keys()
    home = COMPOSE["services"]["grafana"]["environment"]
    assert on_disk(home["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()


def test_containers_are_pinned_and_listen_on_this_machine_only() -> None:
    assert COMPOSE["services"].keys() == {"prometheus", "alertmanager", "grafana"}
    for service in COMPOSE["services"].values():
        assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", service["image"])
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_containers_mount_what_there_is() -> None:
    for service in COMPOSE["services"].values():
        for mount in service["volumes"]:
            source, target, *_ = mount.split(":")
            if source in COMPOSE["volumes"]:
                continue
            assert (GRAFANA / source).is_dir()
            assert target in IN_CONTAINERS or source == "./provisioning"
            assert (GRAFANA / source).resolve() == IN_CONTAINERS.get(
                target, GRAFANA / "provisioning"
            )


def test_prometheus_keeps_exemplars_and_scrapes_as_often_as_grafana_is_told() -> None:
    assert "--enable-feature=exemplar-storage" in COMPOSE["services"]["prometheus"]["command"]
    config = yaml.safe_load((GRAFANA / "prometheus.yml").read_text())
    source, _ = provisioned("datasources")["datasources"]
    assert config["global"]["scrape_interval"] == source["jsonData"]["timeInterval"]


@pytest.mark.parametrize("program", ["promtool"])
def test_prometheus_takes_the_configuration_and_finds_the_rules(
    program: str, require_binary: Callable[[str], str]
) -> None:
    command = [require_binary(program), "check", "config", str(GRAFANA / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "recording/mlmon-fleet.yml" in done.stdout


def on_disk(path: str) -> Path:
    for target, folder in IN_CONTAINERS.items():
        if path.startswith(target):
            return folder / path.removeprefix(target).lstrip("/")
    raise ValueError(f"{path}: expected one of {[*IN_CONTAINERS]}")
