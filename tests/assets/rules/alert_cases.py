"""The promtool tests of the alerts. `python -m tests.assets.rules.alert_cases` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mlmon_exporter.assets.rules.rule_files import Yaml, yaml_text
from mlmon_exporter.assets.rules.rule_set import SUBSYSTEMS
from mlmon_exporter.assets.rules.settings import DEFAULTS

from .fleet_traffic import label_text

ALERTS = Path(__file__).parents[3] / "alerts"
ABOUT = """\
Made by `python -m tests.assets.rules.alert_cases`, from the tables of cases beside it.
Run it with `promtool test rules` on any Prometheus since 2.42."""
TABLE = {alert.name: (s, alert) for s in SUBSYSTEMS for alert in s.alerts(DEFAULTS)}
"""Alert -> its subsystem and its row."""

Labels = Mapping[str, str]
ANY = "any"
"""A `$value` that differs between releases of Prometheus, whose windows have one end or two."""


@dataclass(frozen=True)
class Case:
    """Series, and whether an alert fires; times are minutes."""

    alert: str
    name: str
    """`fires` or `silent`, and why."""
    series: Mapping[str, str]
    """Name and labels -> samples in promtool's notation."""
    at: int = 60
    labels: Labels = field(default_factory=dict)
    """Of the alert that fires, beside those that all have."""
    value: str = ""
    """How `$value` reads in the description."""
    greatest: str = ""
    """What a query adds to the text."""

    @property
    def fires(self) -> bool:
        return self.name.startswith("fires")


class CaseFile(NamedTuple):
    """Cases that are evaluated equally often."""

    rules: Sequence[str]
    cases: Sequence[Case]
    every: str = "1m"
    """How often there are samples."""
    evaluated: str = ""
    """How often rules are evaluated; empty: as often."""
    order: Sequence[str] = ()
    """Groups of recording rules, which are evaluated before the alerts that read them."""


def series(metric: str, job: str = "models", instance: str = "a", **labels: str) -> str:
    return f"{metric}{label_text({'job': job, 'instance': instance, **labels})}"


def dependence(
    model: str, known: str, instance: str = "a", metric: str = "mlmon_dependence_known"
) -> dict[str, str]:
    """Return how a replica's thresholds take rows: "0" for independent, "1" as they depend."""
    return {series(metric, instance=instance, model=model, version="1"): f"{known}x400"}


def promtool_test(file: CaseFile) -> str:
    return yaml_text(
        {
            "rule_files": [f"../{name}" for name in file.rules],
            "evaluation_interval": file.evaluated or file.every,
            "group_eval_order": [f"mlmon-{name}" for name in file.order],
            "tests": [_test(case, file.every) for case in file.cases],
        },
        ABOUT,
    )


def _test(case: Case, every: str) -> Yaml:
    return {
        "name": f"{case.alert}: {case.name}",
        "interval": every,
        "input_series": [
            {"series": name, "values": values} for name, values in case.series.items()
        ],
        **(_fires(case) if case.value == ANY else _reads(case)),
    }


def _reads(case: Case) -> dict[str, Yaml]:
    """Compare labels and texts."""
    check = {"eval_time": f"{case.at}m", "alertname": case.alert, "exp_alerts": [*_expected(case)]}
    return {"alert_rule_test": [check]}


def _fires(case: Case) -> dict[str, Yaml]:
    """Compare labels alone."""
    expr = f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}'
    subsystem, alert = TABLE[case.alert]
    labels = {
        "alertname": case.alert,
        "alertstate": "firing",
        "severity": alert.severity,
        "subsystem": subsystem.name,
        **case.labels,
    }
    sample: Yaml = {"labels": "ALERTS" + label_text(labels), "value": 1}
    check: Yaml = {"expr": expr, "eval_time": f"{case.at}m", "exp_samples": [sample]}
    return {"promql_expr_test": [check]}


def _expected(case: Case) -> Iterator[Yaml]:
    if not case.fires:
        return
    subsystem, alert = TABLE[case.alert]
    annotations = alert.rule(DEFAULTS, subsystem.name).fields["annotations"]
    assert isinstance(annotations, Mapping)
    yield {
        "exp_labels": {"severity": alert.severity, "subsystem": subsystem.name, **case.labels},
        "exp_annotations": {name: rendered(str(text), case) for name, text in annotations.items()},
    }


def rendered(text: str, case: Case) -> str:
    """Return a template's text, of labels that need no quoting in a link; an empty one is none."""

    def with_label(found: re.Match[str]) -> str:
        label = case.labels.get(found[1], "")
        return found[2].replace("{{ . }}", label) if label else ""

    text = re.sub(r"{{ with \$labels\.(\w+) }}(.*?){{ end }}", with_label, text)
    text = re.sub(r"{{ with .+{{ end }}", case.greatest, text)
    text = text.replace("{{ if gt $value 1.0 }}s{{ end }}", "s" if case.value != "1" else "")
    text = re.sub(r"{{ (?:urlquery )?\$labels\.(\w+) }}", lambda m: case.labels.get(m[1], ""), text)
    return re.sub(r"{{ \$value[^}]*}}", case.value, text)


def case_files() -> dict[str, CaseFile]:
    """Return name in `alerts/tests` -> its cases."""
    from . import (
        data_cases,
        drift_cases,
        fairness_cases,
        importance_cases,
        kpi_cases,
        monitor_cases,
        outcomes_cases,
        period_cases,
        quality_cases,
        serving_cases,
        targets_cases,
    )

    return {
        "mlmon-serving_test.yml": serving_cases.BURNS,
        "mlmon-traffic_test.yml": serving_cases.TRAFFIC,
        "mlmon-clocks_test.yml": serving_cases.CLOCKS,
        "mlmon-traffic-lasting_test.yml": serving_cases.LASTING,
        "mlmon-outcomes-lasting_test.yml": outcomes_cases.LASTING,
        "mlmon-data_test.yml": data_cases.SHARES,
        "mlmon-drift_test.yml": drift_cases.DRIFT,
        "mlmon-fleet-drift_test.yml": drift_cases.FLEET,
        "mlmon-reference_test.yml": drift_cases.REFERENCES,
        "mlmon-targets_test.yml": targets_cases.TARGETS,
        "mlmon-outcomes_test.yml": outcomes_cases.OUTCOMES,
        "mlmon-quality_test.yml": quality_cases.QUALITY,
        "mlmon-estimates_test.yml": quality_cases.ESTIMATES,
        "mlmon-fairness_test.yml": fairness_cases.FAIRNESS,
        "mlmon-importance_test.yml": importance_cases.IMPORTANCE,
        "mlmon-periods_test.yml": period_cases.PERIODS,
        "mlmon-kpi_test.yml": kpi_cases.KPI,
        "mlmon-monitor_test.yml": monitor_cases.MONITOR,
        "mlmon-rules_test.yml": monitor_cases.RULES_THEMSELVES,
    }


FILES_FOR_VICTORIA_METRICS = (
    "mlmon-targets_test.yml",
    "mlmon-monitor_test.yml",
    "mlmon-serving_test.yml",
    "mlmon-data_test.yml",
    "mlmon-drift_test.yml",
    "mlmon-fleet-drift_test.yml",
)
"""Those that are quick; the others are of the same kinds of expressions."""

if __name__ == "__main__":
    for name, file in case_files().items():
        (ALERTS / "tests" / name).write_text(promtool_test(file), encoding="utf-8")
