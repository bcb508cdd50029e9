from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mlmon_exporter.assets.bundle import assets_root
from mlmon_exporter.cli.commands.assets import write_files
from mlmon_exporter.cli.commands.terminal import UserError
from tests.command_line import error, succeeded

CONTENTS = {"grafana/boards/a.json": b"a", "alerts/rules.yml": b"b", "alerts/runbooks/x.md": b"c"}


def test_files_are_written_once(tmp_path: Path) -> None:
    assert write_files(CONTENTS, tmp_path) == ([*CONTENTS], 0)
    assert {name: (tmp_path / name).read_bytes() for name in CONTENTS} == CONTENTS
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3
    assert write_files(CONTENTS, tmp_path) == ([], 3)


def test_changed_files_are_kept_unless_forced(tmp_path: Path) -> None:
    write_files(CONTENTS, tmp_path)
    (tmp_path / "alerts" / "rules.yml").write_text("mine")
    (tmp_path / "alerts" / "runbooks" / "x.md").unlink()
    with pytest.raises(UserError, match=r"alerts/rules.yml: differs .* add --force"):
        write_files(CONTENTS, tmp_path)
    assert not (tmp_path / "alerts" / "runbooks" / "x.md").exists()
    written = write_files(CONTENTS, tmp_path, force=True)[0]
    assert written == ["alerts/rules.yml", "alerts/runbooks/x.md"]
    assert (tmp_path / "alerts" / "rules.yml").read_bytes() == b"b"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file.*: (File exists|Not a directory)"):
        write_files(CONTENTS, tmp_path / "file")


def test_without_options_the_command_writes_what_is_bundled(tmp_path: Path) -> None:
    text = succeeded("assets", "--out", tmp_path)
    assert re.search(r"Wrote \d+ files to", text)
    assert "Links of alerts are relative, dead in mail and chat" in text
    root = assets_root()
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert Path("alerts/alertmanager.yml") in written
    for name in written:
        assert (tmp_path / name).read_bytes() == (root / name).read_bytes(), name
    assert f"{len(written)} were there already" in succeeded("assets", "--out", tmp_path)


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


def test_objects_are_written_for_kubernetes(tmp_path: Path) -> None:
    succeeded(
        *("assets", "--out", tmp_path, "--kubernetes", "--namespace", "models"),
        *("--selector", "app=bike", "--selector", "tier=serving", "--port", "metrics"),
        *("--label", "release=kube-prometheus-stack", "--availability-objective", "0.95"),
    )
    written = [yaml.safe_load(path.read_text()) for path in sorted(tmp_path.rglob("*.yml"))]
    assert {found["kind"] for found in written} >= {"PodMonitor", "PrometheusRule"}
    assert {found["metadata"]["namespace"] for found in written} == {"models"}
    assert {found["metadata"]["labels"]["release"] for found in written} == {
        "kube-prometheus-stack"
    }
    (pods,) = (found["spec"] for found in written if found["kind"] == "PodMonitor")
    assert pods["selector"] == {"matchLabels": {"app": "bike", "tier": "serving"}}
    (endpoint,) = pods["podMetricsEndpoints"]
    assert endpoint.items() >= {"port": "metrics", "path": "/metrics"}.items()
    assert (tmp_path / "pod-monitor-bike.yml").is_file()
