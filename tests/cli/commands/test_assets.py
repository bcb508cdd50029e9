from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mlmon_exporter.assets.root import assets_root
from mlmon_exporter.cli.commands.assets import write_files
from mlmon_exporter.cli.commands.terminal import UserError
from tests.command_line import run, succeeded

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
    assert re.search(r"alerts: alerting \(\d files\), alertmanager.yml, .*runbooks", text)
    assert "Links of alerts are relative, dead in mail and chat" in text
    root = assets_root()
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert Path("alerts/alertmanager.yml") in written
    for name in written:
        assert (tmp_path / name).read_bytes() == (root / name).read_bytes(), name
    assert f"Wrote 0 files to {tmp_path}; {len(written)} files were there already" in succeeded(
        "assets", "--out", tmp_path
    )


def test_optional_rules_are_among_those_that_are_loaded_where_they_are_wanted(
    tmp_path: Path,
) -> None:
    wanted = ("--optional", "periods", "--optional", "native-histograms")
    succeeded("assets", "--out", tmp_path / "files", *wanted)
    alerts = tmp_path / "files" / "alerts"
    assert {path.stem for path in alerts.glob("optional/*")} == {
        f"mlmon-{name}" for name in ("estimates", "fairness", "importance")
    }
    for path in ("alerting/mlmon-periods.yml", "recording/mlmon-native-histograms.yml"):
        bundled = assets_root() / "alerts" / "optional" / Path(path).name
        assert (alerts / path).read_text() == bundled.read_text()
    objects = tmp_path / "objects"
    succeeded("assets", "--out", objects, "--kubernetes", "--selector", "app=bike", *wanted)
    found = {path.name for path in (objects / "rules").glob("*")}
    assert found > {"mlmon-alerting-periods.yml", "mlmon-recording-native-histograms.yml"}
    assert "mlmon-alerting-fairness.yml" not in found
    told = run("assets", "--out", tmp_path, "--optional", "period")
    assert "--optional: expected one of estimates, fairness" in told.stderr + told.stdout


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
