"""Facts about options of `mlmon-exporter assets`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import error, succeeded


def test_options_settle_the_rules(tmp_path: Path) -> None:
    text = succeeded(
        *("assets", "--out", tmp_path, "--job", "models|shadow", "--latency-seconds", "1"),
        *("--availability-objective", "0.95", "--latency-objective", "0.9", "--all-scores"),
        *("--severity", "MlmonFleetDrift=critical", "--alert-label", "team=bikes"),
        *("--runbook-url", "https://wiki/runbooks/", "--dashboard-url", "https://grafana/"),
    )
    assert "Tests of the rules are about the default settings: none were written." in text
    everything = "\n".join(path.read_text() for path in (tmp_path / "alerts").glob("*/*.yml"))
    assert 'job=~"models|shadow"' in everything
    assert r'le=~"1(\\.0)?"' in everything
    assert "runbook_url: https://wiki/runbooks/Mlmon" in everything
    assert "dashboard_url: https://grafana/d/mlmon-" in everything.replace('"', "")
    assert "team: bikes" in everything
    assert "record: feature:mlmon_feature_js_distance:1d" in everything
    assert not list(tmp_path.rglob("*_test.yml"))
    assert "Links of alerts are relative" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--availability-objective", "99.9"],
            "--availability-objective: expected over 0 and under 1, got 99.9",
        ),
        (["--latency-objective", "1"], "--latency-objective: expected over 0 and under 1, got 1"),
        (["--latency-seconds", "0.3"], "--latency-seconds: expected one of 0.001, "),
        (
            ["--severity", "MlmonX=critical"],
            "--severity: expected the name of an alert, got 'MlmonX'",
        ),
        (
            ["--severity", "MlmonFleetDrift=page"],
            "--severity: MlmonFleetDrift: expected one of critical, warning, info, heartbeat",
        ),
        (["--alert-label", "severity=x"], "--alert-label: expected a label's name such as team"),
        (["--job", "a("], "--job: expected a regular expression, got 'a('"),
        (["--label", "a=b"], "--label: needs --kubernetes"),
        (["--kubernetes"], "--selector: expected labels of the pods, such as app=bike-demand"),
        (["--kubernetes", "--selector", "app"], "--selector: expected KEY=VALUE, got 'app'"),
        (
            ["--kubernetes", "--selector", "app=a b"],
            "--selector: expected a Kubernetes label such as app=bike-demand, got 'app=a b'",
        ),
        (
            ["--kubernetes", "--selector", "app=a", "--port", "8000"],
            "--port: expected the name of a port such as http, got '8000'; give the port a name",
        ),
        (
            ["--kubernetes", "--selector", "app=a", "--namespace", "My"],
            "--namespace: expected a name such as monitoring, got 'My'",
        ),
    ],
)
def test_what_makes_no_sense_is_named(options: list[str], message: str, tmp_path: Path) -> None:
    assert error("assets", "--out", tmp_path / "x", *options).startswith(message)
    assert not (tmp_path / "x").exists()
