"""Rules and boards as objects that the Prometheus Operator and Grafana's sidecar pick up.

Every pod is scraped by itself (`PodMonitor`). A `ServiceMonitor` scrapes what stands behind a
Service: pods without one not at all, and pods behind two of them twice, whose rows would then
count double in all that is added up over replicas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from textwrap import indent

from .rule_files import Yaml, yaml_text

OPERATOR = "monitoring.coreos.com/v1"
BOARD_LABEL = {"grafana_dashboard": "1"}
"""What Grafana's sidecar looks for."""
NAME = "mlmon"
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_LABEL_KEY = re.compile(rf"({_DOMAIN}/)?{_WORD}")
_LABEL_VALUE = re.compile(rf"({_WORD})?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PORT = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where objects go, and which pods are scraped."""

    selector: Mapping[str, str]
    """Labels of the pods; all must match."""
    port: str = "http"
    """Name of the pods' port that serves /metrics."""
    namespace: str = ""
    """Of objects and pods; empty: the one that they are applied to."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """On every object, as the Prometheus resource may ask for them."""

    def __post_init__(self) -> None:
        """Refuse what Kubernetes would.

        Raises:
            ValueError: A name or a label is none, or there is nothing to select pods by.
        """
        if not self.selector:
            raise ValueError("selector: expected labels of the pods, such as app=bike-demand")
        for name, labels in (("selector", self.selector), ("label", self.labels)):
            for key, value in labels.items():
                if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
                    raise ValueError(
                        f"{name}: expected a Kubernetes label such as app=bike-demand, "
                        f"got '{key}={value}'"
                    )
        if self.namespace and not _NAMESPACE.fullmatch(self.namespace):
            raise ValueError(
                f"namespace: expected a name such as monitoring, got {self.namespace!r}"
            )
        if not _PORT.fullmatch(self.port):
            raise ValueError(
                f"port: expected the name of a port such as http, got {self.port!r}"
                + ("; give the port a name in the pods" if self.port.isdigit() else "")
            )


def objects(
    cluster: Cluster, rules: Mapping[str, str], boards: Mapping[str, str]
) -> dict[str, str]:
    """Return path -> text of each object.

    Args:
        cluster: Where they go.
        rules: Path -> text of rule files.
        boards: Path -> JSON of boards.
    """
    made = {"pod-monitor.yml": pod_monitor(cluster)}
    for path, text in rules.items():
        made[f"rules/{object_name(path)}.yml"] = prometheus_rule(cluster, path, text)
    for path, text in boards.items():
        made[f"boards/{object_name(path)}.yml"] = board_config_map(cluster, path, text)
    return made


def object_name(path: str) -> str:
    """Return the name of a file's object, an RFC 1123 label: `mlmon-alerting-drift`."""
    parts = PurePosixPath(path).with_suffix("").parts
    words = "-".join(part.removeprefix(f"{NAME}-") for part in parts)
    name = re.sub("[^a-z0-9]+", "-", f"{NAME}-{words}".lower())
    return name[:63].strip("-")


def pod_monitor(cluster: Cluster) -> str:
    """Return the object by which Prometheus finds the pods."""
    spec: Yaml = {
        "selector": {"matchLabels": dict(sorted(cluster.selector.items()))},
        "podMetricsEndpoints": [{"port": cluster.port, "path": "/metrics"}],
    }
    return yaml_text({**_head(cluster, OPERATOR, "PodMonitor", NAME), "spec": spec})


def prometheus_rule(cluster: Cluster, path: str, text: str) -> str:
    """Return a rule file as an object, whose spec is the file as it is, with its comments."""
    head = yaml_text(_head(cluster, OPERATOR, "PrometheusRule", object_name(path)))
    return f"{head}spec:\n{indent(text, '  ')}"


def board_config_map(cluster: Cluster, path: str, text: str) -> str:
    """Return a board as a ConfigMap.

    Raises:
        ValueError: It is no JSON.
    """
    head = _head(cluster, "v1", "ConfigMap", object_name(path), BOARD_LABEL)
    # ASCII in short lines, so that it stands in the YAML as it is.
    board = json.dumps(json.loads(text), indent=1)
    return yaml_text({**head, "data": {PurePosixPath(path).name: board}})


def _head(
    cluster: Cluster, api: str, kind: str, name: str, labels: Mapping[str, str] | None = None
) -> dict[str, Yaml]:
    metadata: dict[str, Yaml] = {"name": name}
    if cluster.namespace:
        metadata["namespace"] = cluster.namespace
    if all_labels := {**cluster.labels, **(labels or {})}:
        metadata["labels"] = dict(sorted(all_labels.items()))
    return {"apiVersion": api, "kind": kind, "metadata": metadata}
