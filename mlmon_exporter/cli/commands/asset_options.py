"""Options of `mlmon-exporter assets`, each with its help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from mlmon_exporter.assets.rules import DEFAULTS
from mlmon_exporter.assets.rules.settings import OPTIONAL

IN_RULES, IN_OBJECTS = "Settings of the rules", "Kubernetes"


def _option(metavar: str, text: str, panel: str, **more: Any) -> Any:
    return typer.Option(metavar=metavar, rich_help_panel=panel, help=text, **more)


Out: TypeAlias = Annotated[
    Path, typer.Option(metavar="DIR", show_default=False, help="The folder to write to.")
]
Force: TypeAlias = Annotated[
    bool, typer.Option("--force", help="Also overwrite files that were changed.")
]
Job: TypeAlias = Annotated[
    str, _option("REGEX", "The scrape jobs of your model servers.", IN_RULES)
]
Availability: TypeAlias = Annotated[
    float, _option("SHARE", "Requests that do not end in a server error, 0 to 1.", IN_RULES)
]
Latency: TypeAlias = Annotated[
    float,
    _option("SHARE", "Requests that are answered within --latency-seconds, 0 to 1.", IN_RULES),
]
LatencySeconds: TypeAlias = Annotated[
    float | None,
    _option(
        "SECONDS",
        "A bucket bound of mlmon_request_duration_seconds: slower answers page.",
        IN_RULES,
        show_default=f"{DEFAULTS.slow_seconds:g}, and slow answers page nobody",
    ),
]
Parity: TypeAlias = Annotated[
    float,
    _option(
        "SHARE",
        "How often the least selected segment should be, as a share of the most selected.",
        IN_RULES,
    ),
]
DriftImportance: TypeAlias = Annotated[
    float,
    _option(
        "SHARE",
        "Importance, 0 to 1, of features whose drift pages, with --optional importance.",
        IN_RULES,
    ),
]
OptionalRules: TypeAlias = Annotated[
    list[str] | None,
    _option(
        "RULES",
        f"Load rules that are optional: {', '.join(OPTIONAL)}; may be repeated.",
        IN_RULES,
        show_default=False,
    ),
]
Severity: TypeAlias = Annotated[
    list[str] | None,
    _option(
        "ALERT=SEVERITY",
        "Another severity, such as MlmonFleetDrift=critical; may be repeated.",
        IN_RULES,
        show_default=False,
    ),
]
AlertLabel: TypeAlias = Annotated[
    list[str] | None,
    _option(
        "KEY=VALUE",
        "A label of all alerts, such as team=bikes; may be repeated.",
        IN_RULES,
        show_default=False,
    ),
]
AllScores: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--all-scores",
        rich_help_panel=IN_RULES,
        help="Record all scores of the fleet: more series than are scraped.",
    ),
]
Runbooks: TypeAlias = Annotated[
    str, _option("URL", "Where you put the runbooks: alerts link to URL/<alert>.md.", IN_RULES)
]
Dashboards: TypeAlias = Annotated[
    str, _option("URL", "Your Grafana: alerts link to URL/d/<board>.", IN_RULES, show_default=False)
]
Kubernetes: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--kubernetes",
        rich_help_panel=IN_OBJECTS,
        help="Write objects for the Prometheus Operator and Grafana's sidecar instead.",
    ),
]
Selector: TypeAlias = Annotated[
    list[str] | None,
    _option(
        "KEY=VALUE",
        "A label of the model servers' pods; may be repeated.",
        IN_OBJECTS,
        show_default=False,
    ),
]
Port: TypeAlias = Annotated[
    str, _option("NAME", "The name of the pods' port that serves /metrics.", IN_OBJECTS)
]
Namespace: TypeAlias = Annotated[
    str, _option("NAME", "The namespace of objects and pods.", IN_OBJECTS, show_default="kubectl's")
]
Name: TypeAlias = Annotated[
    str,
    _option(
        "NAME",
        "The name of the PodMonitor: one for each service.",
        IN_OBJECTS,
        show_default="the first selector's value",
    ),
]
JobLabel: TypeAlias = Annotated[
    str,
    _option(
        "KEY",
        "The pods' label whose value is the scrape job, such as app.",
        IN_OBJECTS,
        show_default="<namespace>/<name> is the job",
    ),
]
MonitorOnly: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--monitor-only",
        rich_help_panel=IN_OBJECTS,
        help="Write the PodMonitor alone: the cluster has the rules and boards.",
    ),
]
Label: TypeAlias = Annotated[
    list[str] | None,
    _option(
        "KEY=VALUE",
        "A label of all objects, such as release=kube-prometheus-stack; may be repeated.",
        IN_OBJECTS,
        show_default=False,
    ),
]
