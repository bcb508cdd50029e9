from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.assets.bundle import assets_root, object_files
from mlmon_exporter.assets.installed_rules import (
    RulesError,
    find_gaps,
    later_metrics,
    read_rules,
    served_metrics,
)
from mlmon_exporter.assets.rules import DEFAULTS
from mlmon_exporter.assets.rules.kubernetes import Cluster
from mlmon_exporter.cli.commands.assets import write_files
from tests.asgi import get

PLAIN = """\
groups:
  - name: a
    rules:
      - {record: "a:b:sum", expr: "sum(mlmon_requests_total)"}
  - name: empty
    rules:
"""
OBJECTS = """\
kind: Service
spec: {groups: 1}
---
kind: PrometheusRule
spec:
  groups:
    - name: a
      rules:
        - alert: Down
          expr: up{job="x"} == 0 or absent(mlmon_build_info)
"""


def rule(tmp_path: Path, expression: str) -> Path:
    path = tmp_path / "rule.yml"
    path.write_text(f"groups: [{{name: a, rules: [{{alert: A, expr: '{expression}'}}]}}]")
    return path


def test_rules_are_read_from_all_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "plain.yml").write_text(PLAIN)
    (tmp_path / "objects.yaml").write_text(OBJECTS)
    (tmp_path / "plain_test.yml").write_text("rule_files: [plain.yml]\ntests: []\n")
    (tmp_path / "notes.md").write_text("{")
    found = [(r.file.name, r.name, r.is_alert, r.metrics) for r in read_rules(tmp_path)]
    assert found == [
        ("plain.yml", "a:b:sum", False, ("mlmon_requests_total",)),
        ("objects.yaml", "Down", True, ("up", "mlmon_build_info")),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("groups: [", "rules.yml: expected YAML, got: while parsing"),
        ("a: 1", "rules.yml: expected rules of Prometheus in YAML, got none"),
        ("groups: [{rules: [{alert: A, expr: 'sum({'}]}]", "rules.yml: A: expr: .*expected '}'"),
    ],
)
def test_what_is_no_rule_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rules.yml").write_text(text)
    with pytest.raises(RulesError, match=message):
        read_rules(tmp_path / "rules.yml")


def test_a_folder_without_rules_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="got none"):
        read_rules(tmp_path)


@pytest.mark.parametrize(
    ("expression", "gaps"),
    [
        ("a_total > 1", []),
        ("up == 0 or scrape_duration_seconds > 1 or ALERTS", []),
        (
            "mlmon_request_duration_seconds_bucket",
            [("mlmon_request_duration_seconds_bucket", True)],
        ),
        (
            "mlmon_feature_quantile + mlmon_nope",
            [("mlmon_feature_quantile", True), ("mlmon_nope", False)],
        ),
        ("mlmon_request_duration_seconds", [("mlmon_request_duration_seconds", False)]),
        ("upper", [("upper", False)]),
    ],
)
def test_a_gap_is_what_nothing_serves(
    tmp_path: Path, expression: str, gaps: list[tuple[str, bool]]
) -> None:
    found = find_gaps(read_rules(rule(tmp_path, expression)), {"a_total"})
    assert [(gap.metric, gap.is_later) for gap in found] == gaps


def test_what_rules_record_is_no_gap_and_what_alerts_are_called_is(tmp_path: Path) -> None:
    (tmp_path / "plain.yml").write_text(PLAIN)
    rule(tmp_path, "a:b:sum > A")
    found = find_gaps(read_rules(tmp_path), {"mlmon_requests_total"})
    assert [gap.metric for gap in found] == ["A"]


@pytest.mark.parametrize("accepted", ["text/plain", "application/openmetrics-text"])
def test_all_that_a_monitor_serves_is_in_the_table_of_metrics(accepted: str) -> None:
    monitor = Monitor()
    monitor.observe({"a": np.arange(500.0), "b": ["x"] * 500}, {"c": np.arange(500.0)})
    text = get(monitor.metrics_app(), "/metrics", {"accept": accepted}).text
    monitor.close()
    served = served_metrics(text)
    assert {"mlmon_build_info", "mlmon_prediction_rows_total"} <= served
    assert served <= later_metrics()


def test_the_bundled_rules_name_nothing_that_is_not_served() -> None:
    gaps = find_gaps(read_rules(assets_root() / "alerts"), ())
    assert [gap.metric for gap in gaps if not gap.is_later] == []


def test_objects_for_kubernetes_hold_the_same_rules(tmp_path: Path) -> None:
    cluster = Cluster({"app": "a"})
    write_files(object_files(assets_root(), DEFAULTS, cluster), tmp_path)
    objects, plain = read_rules(tmp_path), read_rules(assets_root() / "alerts")
    assert {rule[1:] for rule in objects} == {rule[1:] for rule in plain}
    assert len(objects) == len(plain)


def test_names_in_quotes_are_served() -> None:
    text = '# HELP x "y"\n# TYPE x gauge\nx 1\n{"a.b",c="d"} 2\nx_total{le="5"} 3\n'
    assert served_metrics(text) == {"x", "a.b", "x_total"}
