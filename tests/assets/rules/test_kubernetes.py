"""Facts about objects for Kubernetes: parsed back, they are the plain files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from mlmon_exporter.assets.bundle import asset_files, object_files
from mlmon_exporter.assets.root import assets_root
from mlmon_exporter.assets.rules import DEFAULTS, Settings, files
from mlmon_exporter.assets.rules.kubernetes import Cluster, object_name, objects

from .conftest import Promtool

ROOT = assets_root()
CLUSTER = Cluster({"app": "bike"}, namespace="models", labels={"release": "stack", "a": "1"})
BOARD = {"title": 'Drift "ü" {{x}} 100%: \\', "panels": [{"expr": "a\n+ b"}], "n": 1.5, "o": None}
PROBES = ("readinessProbe", "livenessProbe")
SETTINGS = [DEFAULTS, Settings(job="a|b", runbook_url="https://wiki", latency_seconds=1.0)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a board and all that is bundled."""
    for name, content in asset_files(ROOT).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "grafana").mkdir(exist_ok=True)
    text = json.dumps(BOARD, indent=2, ensure_ascii=False) + "\n"
    (tmp_path / "grafana" / "mlmon-Test_Board.json").write_text(text)
    return tmp_path


def parsed(contents: dict[str, bytes], kind: str) -> dict[str, Any]:
    """Name -> object, of a kind."""
    found = [yaml.safe_load(content) for content in contents.values()]
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


@pytest.mark.parametrize("settings", SETTINGS, ids=["default", "settled"])
def test_rules_are_those_of_the_plain_files(root: Path, settings: Settings) -> None:
    found = parsed(object_files(root, settings, CLUSTER), "PrometheusRule")
    plain = {
        object_name(name.removeprefix("alerts/")): yaml.safe_load(content)
        for name, content in asset_files(root, settings).items()
        if re.fullmatch(r"alerts/(alerting|recording)/.*\.yml", name)
    }
    assert {name: one["spec"] for name, one in found.items()} == plain
    assert {one["apiVersion"] for one in found.values()} == {"monitoring.coreos.com/v1"}
    assert len(plain) >= 6


def test_boards_are_those_of_the_plain_files(root: Path) -> None:
    found = parsed(object_files(root, DEFAULTS, CLUSTER), "ConfigMap")
    boards = {
        path.name: json.loads(path.read_text()) for path in (root / "grafana").rglob("*.json")
    }
    held = {file: json.loads(text) for one in found.values() for file, text in one["data"].items()}
    assert held == boards
    assert boards["mlmon-Test_Board.json"] == BOARD
    assert {one["metadata"]["labels"]["grafana_dashboard"] for one in found.values()} == {"1"}
    assert "mlmon-test-board" in found


def test_every_object_has_a_name_a_namespace_and_the_labels(root: Path) -> None:
    texts = object_files(root, DEFAULTS, CLUSTER).values()
    found = [yaml.safe_load(text) for text in texts]
    names = [(one["kind"], one["metadata"]["name"]) for one in found]
    assert len(names) == len(set(names))
    for one in found:
        metadata = one["metadata"]
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", metadata["name"])
        assert metadata["namespace"] == "models"
        assert metadata["labels"].items() >= {"release": "stack", "a": "1"}.items()
        assert all(isinstance(value, str) for value in metadata["labels"].values())


def test_without_namespace_and_labels_there_are_none() -> None:
    text = objects(Cluster({"app": "true"}), {}, {})["pod-monitor-true.yml"]
    assert text == (
        "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata:\n  name: 'true'\n"
        "spec:\n  selector:\n    matchLabels:\n      app: 'true'\n"
        "  sampleLimit: 100000\n  podMetricsEndpoints:\n    - port: http\n      path: /metrics\n"
        "      interval: 30s\n      scrapeTimeout: 10s\n"
    )


def test_the_label_of_boards_is_not_to_be_overridden() -> None:
    cluster = Cluster({"app": "a"}, labels={"grafana_dashboard": "0"})
    (board,) = parsed(
        {k: v.encode() for k, v in objects(cluster, {}, {"a.json": "{}"}).items()}, "ConfigMap"
    ).values()
    assert board["metadata"]["labels"] == {"grafana_dashboard": "1"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("alerting/mlmon-drift.yml", "mlmon-alerting-drift"),
        ("mlmon-overview.json", "mlmon-overview"),
        ("My boards/Ü_1.json", "mlmon-my-boards-1"),
        (f"{'a' * 70}.json", f"mlmon-{'a' * 57}"),
        (f"{'a' * 56}_b.json", f"mlmon-{'a' * 56}"),
    ],
)
def test_names_are_labels_of_rfc_1123(path: str, name: str) -> None:
    assert object_name(path) == name


def test_each_service_has_a_monitor_and_the_cluster_one_copy_of_the_rules(root: Path) -> None:
    bike = Cluster({"app": "bike"}, job_label="app")
    tree = Cluster({"app": "web", "part": "tree"}, name="tree")
    first, second = (object_files(root, DEFAULTS, c, has_rules=False) for c in (bike, tree))
    assert [*first, *second] == ["pod-monitor-bike.yml", "pod-monitor-tree.yml"]
    found = [yaml.safe_load(text) for text in (*first.values(), *second.values())]
    assert [one["spec"].get("jobLabel") for one in found] == ["app", None]
    assert [one["metadata"]["name"] for one in found] == ["bike", "tree"]


EXAMPLE = ROOT / "examples" / "kubernetes.yml"
RELEASES = ("1.30", "1.37")


@pytest.mark.parametrize("release", RELEASES)
def test_kubernetes_knows_each_field_of_the_example(release: str) -> None:
    for one in yaml.safe_load_all(EXAMPLE.read_text()):
        kubernetes_validate.validate(one, release, strict=True)


def test_kubernetes_takes_the_config_maps_of_boards(root: Path) -> None:
    for one in parsed(object_files(root, DEFAULTS, CLUSTER), "ConfigMap").values():
        kubernetes_validate.validate(one, RELEASES[-1], strict=True)


def test_the_example_passes_the_restricted_pod_security_standard() -> None:
    found = {one["kind"]: one for one in yaml.safe_load_all(EXAMPLE.read_text())}
    assert found.keys() == {"Deployment", "NetworkPolicy"}
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    written = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert written["/var/lib/mlmon"] in {volume["name"] for volume in pod["volumes"]}
    values = {variable["name"]: variable["value"] for variable in container["env"]}
    assert written.keys() >= {values["MLMON_STATE_DIR"]}
    assert {container[probe]["httpGet"]["path"] for probe in PROBES} == {
        values["MLMON_HEALTH_PATH"]
    }
    ports = {port["name"] for port in container["ports"]}
    assert {container[probe]["httpGet"]["port"] for probe in PROBES} <= ports
    (rule,) = found["NetworkPolicy"]["spec"]["ingress"]
    assert rule["ports"] == [{"port": "http"}]
    template = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"].items() <= template.items()
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= template.items()


def test_promtool_takes_the_rules_of_an_object(tmp_path: Path, promtool: Promtool) -> None:
    made = objects(CLUSTER, {n: t for n, t in files().items() if n.startswith("alerting/")}, {})
    del made["pod-monitor-bike.yml"]
    for name, text in made.items():
        path = tmp_path / Path(name).name
        path.write_text(yaml.safe_dump(yaml.safe_load(text)["spec"]))
        assert promtool("check", "rules", path) == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"selector": {}}, "selector: expected labels of the pods"),
        ({"selector": {"a/b/c": "d"}}, "selector: expected a Kubernetes label .* 'a/b/c=d'"),
        ({"labels": {"a": "-b"}}, "label: expected a Kubernetes label .* 'a=-b'"),
        ({"labels": {"a": "b" * 64}}, "label: expected a Kubernetes label"),
        ({"labels": {"": "b"}}, "label: expected a Kubernetes label"),
        ({"namespace": "a.b"}, "namespace: expected a name"),
        ({"name": "Bike"}, "name: expected a name such as bike-demand, got 'Bike'"),
        ({"job_label": "-"}, "job_label: expected a pods' label such as app, got '-'"),
        ({"port": "8000"}, "port: .*; give the port a name"),
        ({"port": "a-very-long-port"}, "port: expected the name of a port"),
        ({"port": "a--b"}, "port: expected the name of a port"),
    ],
)
def test_what_kubernetes_would_refuse_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cluster(**{"selector": {"app": "a"}, **fields})


def test_labels_as_kubernetes_has_them_are_taken() -> None:
    labels = {"app.kubernetes.io/part-of": "a_b.C-1", "a": ""}
    assert Cluster(labels, port="http-8000", namespace="1a", labels=labels).labels == labels
