"""The same rules and cases on VictoriaMetrics, where it is unpacked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.newest_prometheus import victoria_metrics

from .alert_cases import ALERTS, FILES_FOR_VICTORIA_METRICS

OTHERWISE = {
    "MlmonRestarting: fires: a crash loop, after a quarter of an hour",
    "MlmonRestarting: silent: released twice",
    "MlmonInternalErrors: silent: counts of before a restart",
    "MlmonLatencyBurnFast: silent: less than ten requests",
    "MlmonLatencyBurnSlow: silent: less than ten requests",
}
"""Its `increase` and `changes` take a series that appears for one that was 0 before."""


def test_vmalert_reads_all_rules_that_are_loaded() -> None:
    files = [f"-rule={ALERTS}/{folder}/*.yml" for folder in ("recording", "alerting")]
    fairness = f"-rule={ALERTS}/optional/mlmon-fairness.yml"
    command = [victoria_metrics("vmalert"), "-dryRun", *files, fairness]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FILES_FOR_VICTORIA_METRICS)
def test_alerts_fire_as_on_prometheus(tmp_path: Path, name: str) -> None:
    tool = victoria_metrics("vmalert-tool")
    found = yaml.safe_load((ALERTS / "tests" / name).read_text())
    # It has no tests of expressions, which say of a few alerts only that they fire.
    comparable = [one for one in found["tests"] if "alert_rule_test" in one]
    found["tests"] = [one for one in comparable if one["name"] not in OTHERWISE]
    found["rule_files"] = [str(ALERTS / "tests" / path) for path in found["rule_files"]]
    (tmp_path / "test.yml").write_text(yaml.safe_dump(found, sort_keys=False))
    command = [tool, "unittest", "--disableAlertgroupLabel", f"--files={tmp_path}/test.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
