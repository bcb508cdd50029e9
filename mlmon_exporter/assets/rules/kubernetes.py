"""Rules and boards as objects that the Prometheus Operator and Grafana's sidecar pick up.

Each service has a `PodMonitor`, and a cluster one copy of the rules and boards. Pods are scraped
themselves: a `ServiceMonitor` scrapes pods without a Service not at all, and pods behind two of
them twice, whose rows would then count double in all that is added up over replicas.
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
"""Label by which Grafana's sidecar finds boards."""
NAME = "mlmon"
SAMPLE_LIMIT = 100_000
"""Samples of a scrape, over which Prometheus refuses it: thirty models of 50 features."""
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_LABEL_KEY = re.compile(rf"({_DOMAIN}/)?{_WORD}")
_LABEL_VALUE = re.compile(rf"({_WORD})?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PORT = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The service whose pods are scraped, and the namespace of the objects."""

    selector: Mapping[str, str]
    """Labels of the pods; all must match."""
    port: str = "http"
    """Name of the pods' port that serves /metrics."""
    namespace: str = ""
    """Of objects and pods; empty: the one that they are applied to."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """On every object, as the Prometheus resource may ask for them."""
    name: str = ""
    """Name of the service's PodMonitor: one for each service; empty: the first selector's value."""
    job_label: str = ""
    """Label of the pods whose value becomes `job`; empty: `<namespace>/<name>`."""

    def __post_init__(self) -> None:
        """Refuse what Kubernetes would.

        Raises:
            ValueError: A name or a label is not valid, or no selector is given.
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
        if not _NAMESPACE.fullmatch(self.monitor):
            raise ValueError(f"name: expected a name such as bike-demand, got {self.monitor!r}")
        if self.job_label and not _LABEL_KEY.fullmatch(self.job_label):
            raise ValueError(
                f"job_label: expected a pods' label such as app, got {self.job_label!r}"
            )
        if not _PORT.fullmatch(self.port):
            raise ValueError(
                f"port: expected the name of a port such as http, got {self.port!r}"
                + ("; give the port a name in the pods" if self.port.isdigit() else "")
            )

    @property
    def monitor(self) -> str:
        """Return the PodMonitor's name."""
        named = re.sub("[^a-z0-9]+", "-", next(iter(self.selector.values())).lower())
        return self.name or named.strip("-") or NAME


def objects(
    cluster: Cluster, rules: Mapping[str, str], boards: Mapping[str, str]
) -> dict[str, str]:
    """Return path -> text of each object.

    Args:
        cluster: Where they go.
        rules: Path -> text of rule files.
        boards: Path -> JSON of boards.
    """
    made = {f"pod-monitor-{cluster.monitor}.yml": pod_monitor(cluster)}
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
    endpoint: Yaml = {
        "port": cluster.port,
        "path": "/metrics",
        "interval": "30s",
        "scrapeTimeout": "10s",
    }
    spec: Yaml = {
        **({"jobLabel": cluster.job_label} if cluster.job_label else {}),
        "selector": {"matchLabels": dict(sorted(cluster.selector.items()))},
        "sampleLimit": SAMPLE_LIMIT,
        "podMetricsEndpoints": [endpoint],
    }
    return yaml_text({**_head(cluster, OPERATOR, "PodMonitor", cluster.monitor), "spec": spec})


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
