"""Rules as they are installed, compared with what an exporter serves."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mlmon_exporter.metrics.table import METRICS

from .promql import metric_names

PROMETHEUS_OWN = re.compile(r"up|ALERTS|ALERTS_FOR_STATE|scrape_\w+")
"""Series that Prometheus makes by itself, for whatever it scrapes."""
_SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("", "_count", "_sum")}
_SAMPLE = re.compile(r'^(?:([A-Za-z_:][A-Za-z0-9_:]*)|\{"((?:\\.|[^"\\])*)")', re.MULTILINE)


class RulesError(Exception):
    """Rules cannot be read: says where and why."""


class InstalledRule(NamedTuple):
    """One rule of a file."""

    file: Path
    name: str
    """Of the alert, or of the series that it records."""
    is_alert: bool
    metrics: tuple[str, ...]
    """That its expression names."""


class Gap(NamedTuple):
    """A metric that a rule names and that nothing serves now."""

    rule: InstalledRule
    metric: str
    is_later: bool
    """Whether this version serves it once there is a cause, such as a first error."""


def read_rules(path: Path) -> list[InstalledRule]:
    """Return the rules of a file, or of all YAML files of a folder and the folders in it.

    Rule files of Prometheus and `PrometheusRule` objects are read. Other files of a folder, such
    as promtool's tests, are passed over.

    Raises:
        OSError: The file or folder cannot be read.
        RulesError: A file is no YAML, an expression cannot be read, or there is no rule at all.
    """
    rules = [rule for file in _files(path) for rule in _file_rules(file)]
    if not rules:
        raise RulesError(f"{path}: expected rules of Prometheus in YAML, got none")
    return rules


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in {".yml", ".yaml"})


def _file_rules(file: Path) -> Iterator[InstalledRule]:
    import yaml

    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RulesError(f"{file}: expected YAML, got: {' '.join(str(error).split())}") from error
    for document in documents:
        for group in _groups(document):
            for rule in group.get("rules") or ():
                yield _rule(file, rule)


def _groups(document: Any) -> Iterable[dict[str, Any]]:
    """Return what a document has as groups of rules; nothing if it is about something else."""
    if not isinstance(document, dict):
        return ()
    body = document.get("spec") if document.get("kind") == "PrometheusRule" else document
    groups = body.get("groups") if isinstance(body, dict) else None
    return [group for group in groups if isinstance(group, dict)] if groups else ()


def _rule(file: Path, rule: dict[str, Any]) -> InstalledRule:
    name = rule.get("alert") or rule.get("record")
    try:
        metrics = tuple(metric_names(str(rule["expr"])))
    except (KeyError, ValueError) as error:
        raise RulesError(f"{file}: {name}: expr: {error}") from error
    return InstalledRule(file, str(name), "alert" in rule, metrics)


def served_metrics(text: str) -> set[str]:
    """Return the names of all samples in an exposition, classic or OpenMetrics."""
    return {plain or quoted for plain, quoted in _SAMPLE.findall(text)}


def find_gaps(rules: Collection[InstalledRule], served: Collection[str]) -> list[Gap]:
    """Return what rules name that is neither served, nor recorded by them, nor Prometheus's own."""
    recorded = {rule.name for rule in rules if not rule.is_alert}
    known = recorded.union(served)
    later = later_metrics()
    return [
        Gap(rule, metric, metric in later)
        for rule in rules
        for metric in rule.metrics
        if metric not in known and not PROMETHEUS_OWN.fullmatch(metric)
    ]


def later_metrics() -> set[str]:
    """Return the names of all samples that this version has."""
    return {
        name + suffix
        for name, metric in METRICS.items()
        for suffix in _SUFFIXES.get(metric.type, ("",))
    }
