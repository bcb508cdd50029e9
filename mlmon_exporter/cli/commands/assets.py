"""`mlmon-exporter assets`: the bundled boards, rules and runbooks as files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from mlmon_exporter.assets.bundle import asset_files, object_files
from mlmon_exporter.assets.root import assets_root
from mlmon_exporter.assets.rules import DEFAULTS, Settings
from mlmon_exporter.assets.rules.alert import SEVERITIES
from mlmon_exporter.assets.rules.kubernetes import Cluster
from mlmon_exporter.assets.rules.rule_set import SUBSYSTEMS

from . import asset_options as options
from .terminal import UserError, counted, key_values, user_errors

NEED_KUBERNETES = {
    "selector": "--selector",
    "labels": "--label",
    "namespace": "--namespace",
    "name": "--name",
}
"""Field of the cluster -> its option, of those that say nothing without --kubernetes."""
EXAMPLE = """mlmon-exporter assets --out monitoring --availability-objective 0.995"""


def assets(
    out: options.Out,
    force: options.Force = False,
    job: options.Job = DEFAULTS.job,
    availability_objective: options.Availability = DEFAULTS.availability_objective,
    latency_objective: options.Latency = DEFAULTS.latency_objective,
    latency_seconds: options.LatencySeconds = DEFAULTS.latency_seconds,
    parity_objective: options.Parity = DEFAULTS.parity_objective,
    drift_importance: options.DriftImportance = DEFAULTS.drift_importance,
    optional: options.OptionalRules = None,
    severity: options.Severity = None,
    alert_label: options.AlertLabel = None,
    all_scores: options.AllScores = False,
    runbook_url: options.Runbooks = DEFAULTS.runbook_url,
    dashboard_url: options.Dashboards = DEFAULTS.dashboard_url,
    kubernetes: options.Kubernetes = False,
    selector: options.Selector = None,
    port: options.Port = "http",
    name: options.Name = "",
    job_label: options.JobLabel = "",
    monitor_only: options.MonitorOnly = False,
    namespace: options.Namespace = "",
    label: options.Label = None,
) -> None:
    """Write the Grafana boards, the Prometheus rules and their runbooks to a folder.

    Files in it that differ are kept, unless --force is given.
    """
    settings = rule_settings(
        job=job,
        availability_objective=availability_objective,
        latency_objective=latency_objective,
        latency_seconds=latency_seconds,
        parity_objective=parity_objective,
        drift_importance=drift_importance,
        optional=tuple(optional or ()),
        severities=_severities(severity),
        labels=key_values("--alert-label", alert_label),
        has_all_scores=all_scores,
        runbook_url=runbook_url.rstrip("/"),
        dashboard_url=dashboard_url.rstrip("/"),
    )
    cluster = _cluster(
        is_wanted=kubernetes,
        selector=key_values("--selector", selector),
        port=port,
        namespace=namespace,
        labels=key_values("--label", label),
        name=name,
        job_label=job_label,
    )
    with user_errors(FileNotFoundError):
        root = assets_root()
    if cluster is None:
        contents = asset_files(root, settings)
    else:
        contents = object_files(root, settings, cluster, has_rules=not monitor_only)
    _report(out, *write_files(contents, out, force=force))
    _hint(settings, cluster)


def _report(out: Path, written: Sequence[str], same: int) -> None:
    kept = f"; {counted(same, 'file')} were there already" if same else ""
    _print(f"Wrote {counted(len(written), 'file')} to [bold]{escape(str(out))}[/bold]{kept}.")
    for line in _folders(written):
        _print(f"  {escape(line)}")


def _folders(written: Sequence[str]) -> Iterator[str]:
    """Say what was written into each folder: names of files, numbers of files in its folders."""
    for top, names in groupby(written, lambda name: Path(name).parts[0]):
        inside = Counter(Path(name).parts[1] for name in names if name != top)
        listed = [
            name if Path(name).suffix else f"{name} ({counted(count, 'file')})"
            for name, count in inside.items()
        ]
        yield f"{top}: {', '.join(listed)}" if listed else top


def _hint(settings: Settings, cluster: Cluster | None) -> None:
    """Say what a reader of the files may miss."""
    if settings.has_relative_links:
        _print(
            "Links of alerts are relative, dead in mail and chat: give --runbook-url and "
            "--dashboard-url as https://..."
        )
    if cluster is None and settings != DEFAULTS:
        _print("Tests of the rules are about the default settings: none were written.")


def _print(text: str) -> None:
    Console(highlight=False, soft_wrap=True).print(text)


def rule_settings(**given: Any) -> Settings:
    """Return settings from options; raises UserError where one makes no sense."""
    try:
        re.compile(given["job"])
    except re.error as error:
        raise UserError(
            f"--job: expected a regular expression, got {given['job']!r}: {error}"
        ) from error
    with _option_errors():
        return Settings(**given)


def _cluster(*, is_wanted: bool, **given: Any) -> Cluster | None:
    """Return the cluster that objects are written for; None where files are."""
    if is_wanted:
        with _option_errors():
            return Cluster(**given)
    for field, option in NEED_KUBERNETES.items():
        if given[field]:
            raise UserError(f"{option}: needs --kubernetes")
    return None


@contextmanager
def _option_errors() -> Iterator[None]:
    """Name the option where an error names the field."""
    try:
        yield
    except ValueError as error:
        field, _, rest = str(error).partition(": ")
        option = "alert-label" if field == "labels" else field.replace("_", "-")
        raise UserError(f"--{option}: {rest}") from error


def _severities(given: Sequence[str] | None) -> dict[str, str]:
    """Return alert -> severity; raises UserError where there is no such alert or severity."""
    severities = key_values("--severity", given)
    known = {alert.name for s in SUBSYSTEMS for alert in s.alerts(DEFAULTS)}
    for alert, severity in severities.items():
        if alert not in known:
            raise UserError(f"--severity: expected the name of an alert, got {alert!r}")
        if severity not in SEVERITIES:
            expected = ", ".join(SEVERITIES)
            raise UserError(f"--severity: {alert}: expected one of {expected}, got {severity!r}")
    return severities


def write_files(
    contents: Mapping[str, bytes], out: Path, *, force: bool = False
) -> tuple[list[str], int]:
    """Write path -> content; return the paths written, and how many were there already.

    Raises:
        UserError: Some would overwrite files that differ. Then nothing was written.
    """
    with user_errors():
        present = {name: (out / name).read_bytes() for name in contents if (out / name).is_file()}
        changed = [name for name, content in present.items() if content != contents[name]]
        if changed and not force:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise UserError(
                f"{out / changed[0]}{more}: differs from what would be written; "
                "move it away, or add --force to overwrite it"
            )
        wanted = [name for name, content in contents.items() if present.get(name) != content]
        for name in wanted:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(contents[name])
    return wanted, len(contents) - len(wanted)
