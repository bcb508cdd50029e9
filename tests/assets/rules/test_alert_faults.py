"""The promtool tests notice when an alert is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmon_exporter.assets.rules import DEFAULTS, settings, targets
from mlmon_exporter.assets.rules.rule_files import AnyRule, Group, rule_file
from mlmon_exporter.assets.rules.serving import REQUESTS, recordings

from .alert_cases import TABLE, CaseFile, case_files, promtool_test
from .conftest import Promtool

FILES = case_files()
SHORT = 40
"""Minutes that are evaluated in no time."""
FEATURE = "VERSION, feature"
PSI = "feature:mlmon_feature_psi"
NOT_SERVED = "MlmonModelNotServed"
WORDS = {
    "VERSION": settings.VERSION,
    "MODEL": settings.MODEL,
    "TARGET": settings.TARGET,
    "PLACE": ", ".join(settings.PLACE),
}
"""Short for lists of labels, in what follows."""

FAULTS = {
    "a flipped comparison": (
        "MlmonErrorBurnFast",
        "errors:ratio1h > 14.4",
        "errors:ratio1h < 14.4",
    ),
    "another burn rate": ("MlmonErrorBurnFast", "> 6 * 0.001", "> 4 * 0.001"),
    "a dropped guard": (
        "MlmonErrorBurnFast",
        "and 60 * sum_over_time(model:mlmon_request_errors:rate5m[1h]) >= 10",
        "",
    ),
    "the guard of another window": (
        "MlmonErrorBurnSlow",
        "sum_over_time(model:mlmon_request_errors:rate5m[3d]) >= 10",
        "sum_over_time(model:mlmon_request_errors:rate5m[3d]) >= 1",
    ),
    "`and` to `or`": (
        "MlmonErrorBurnFast",
        "and model:mlmon_request_errors:ratio5m",
        "or model:mlmon_request_errors:ratio5m",
    ),
    "a wrong window": ("MlmonErrorBurnFast", "errors:ratio30m >", "errors:ratio6h >"),
    "a dropped `for`": ("MlmonErrorBurnFast", "for: 2m", "for: 0s"),
    "a wrong label in an aggregation": (
        "MlmonErrorBurnFast",
        "sum by (MODEL) (rate(mlmon_requests_total{outcome",
        "sum by (PLACE, version) (rate(mlmon_requests_total{outcome",
    ),
    "a label too many": (
        "MlmonErrorBurnFast",
        "sum by (MODEL) (rate(mlmon_requests_total{",
        "sum by (MODEL, instance) (rate(mlmon_requests_total{",
    ),
    "clients' mistakes count": ("MlmonErrorBurnFast", "server_error|", ".+_error|"),
    "cut off answers do not count": ("MlmonErrorBurnFast", "|interrupted", ""),
    "routes of no model count": ("MlmonErrorBurnFast", "model!=", "instance!="),
    "a page becomes a ticket": ("MlmonErrorBurnFast", "severity: critical", "severity: warning"),
    "the bound of another bucket": ("MlmonLatencyBurnFast", r"0\\.5", r"0\\.1"),
    "a guess pages": ("MlmonLatencyBurnFast", "severity: warning", "severity: critical"),
    "yesterday, not last week": ("MlmonNoPredictions", "offset 167h", "offset 23h"),
    "one week is enough": ("MlmonNoPredictions", "offset 335h", "offset 167h"),
    "a batch at another hour": ("MlmonNoPredictions", "[2h:30m]", "[30m:30m]"),
    "the greatest half hour": ("MlmonNoPredictions", "min_over_time", "max_over_time"),
    "few rows a week ago": ("MlmonNoPredictions", ">= 100", ">= 1"),
    "a model that is gone": (
        "MlmonNoPredictions",
        "and group by (MODEL)",
        "or group by (MODEL)",
    ),
    "a smaller drop": ("MlmonTrafficDrop", "< 0.5", "< 0.7"),
    "a drop since one week": ("MlmonTrafficDrop", "offset 335h", "offset 167h"),
    "few rows of which to drop": ("MlmonTrafficDrop", ">= 1000", ">= 0"),
    "the lesser share": ("MlmonMissingValues", "missing_ratio >", "missing_ratio <"),
    "the threshold of another share": ("MlmonUnseenCategory", "unseen_threshold", "tail_threshold"),
    "all replicas must agree": ("MlmonFeatureDrift", f"max by ({FEATURE})", f"min by ({FEATURE})"),
    "the dependence that another replica knows": (
        "MlmonFeatureDrift",
        "unless on (MODEL, instance)",
        "unless on (MODEL)",
    ),
    "the dependence of one version alone": (
        "MlmonFeatureDrift",
        "unless on (MODEL, instance)",
        "unless on (VERSION, instance)",
    ),
    "flickering drift": ("MlmonFeatureDrift", "for: 15m", "for: 1m"),
    "a ticket for each window": (
        "MlmonFeatureDrift",
        f"max by ({FEATURE})",
        f"max by ({FEATURE}, window)",
    ),
    "drift of the hour alone": (
        "MlmonFleetDrift",
        f"max by ({FEATURE}) (min by ({FEATURE}, instance)",
        f"max by ({FEATURE}) (max by ({FEATURE}, instance)",
    ),
    "drift from a learned reference": (
        "MlmonFleetDrift",
        'mlmon_model_info{reference="learned"}',
        'mlmon_model_info{reference="x"}',
    ),
    "a ticket for each feature": (
        "MlmonFleetDrift",
        "count by (VERSION) (",
        "count by (VERSION, feature) (",
    ),
    "drift by chance": (
        "MlmonFleetDrift",
        "> 3 * last_over_time(feature",
        "> 0 * last_over_time(feature",
    ),
    "drift of few rows": ("MlmonFleetDrift", "_rows:1h[5m]) >= 1000", "_rows:1h[5m]) >= 0"),
    "the threshold of a new replica": (
        "MlmonFleetDrift",
        f"(min by ({FEATURE}, window)",
        f"(max by ({FEATURE}, window)",
    ),
    "the threshold of the calmest window": (
        "MlmonFleetDrift",
        f"{PSI}:1h[5m]) > max by ({FEATURE})",
        f"{PSI}:1h[5m]) > min by ({FEATURE})",
    ),
    "features alone": (
        "MlmonFleetDrift",
        "output:mlmon_prediction_psi:1h[5m]) > max",
        "output:mlmon_prediction_psi:1h[5m]) > 9 * max",
    ),
    "a replica that learns": ("MlmonReferenceMissing", "min by", "max by"),
    "learning without rows": ("MlmonReferenceMissing", "_rows) > 0", "_rows) >= 0"),
    "no difference of references": ("MlmonReferenceInconsistent", "min by", "max by"),
    "versions have one reference": (
        "MlmonReferenceInconsistent",
        "by (VERSION) (mlmon_reference_timestamp_seconds)",
        "by (MODEL) (mlmon_reference_timestamp_seconds)",
    ),
    "yesterday's ground truth": (
        "MlmonGroundTruthStopped",
        "[1d] offset 1w)) >= 100",
        "[1d] offset 1d)) >= 100",
    ),
    "seldom any ground truth": (
        "MlmonGroundTruthStopped",
        "offset 1w)) >= 100",
        "offset 1w)) >= 1",
    ),
    "ground truth without predictions": (
        "MlmonGroundTruthStopped",
        "and sum by (MODEL) (increase(mlmon_prediction_rows_total[1d])) >= 100",
        "",
    ),
    "a nightly job that is late": ("MlmonGroundTruthStopped", "for: 6h", "for: 1h"),
    "ground truth that stopped a week ago": (
        "MlmonGroundTruthStopped",
        'or group by (MODEL) (last_over_time(ALERTS{alertname="MlmonGroundTruthStopped"',
        'or group by (MODEL) (last_over_time(ALERTS{alertname="another"',
    ),
    "some that are late": ("MlmonGroundTruthUnused", "> 0.5", "> 0.3"),
    "few that are late": ("MlmonGroundTruthUnused", ">= 100", ">= 1"),
    "a file sent again": (
        "MlmonGroundTruthUnused",
        '{outcome=~"unknown"}',
        '{outcome=~"duplicate"}',
    ),
    "unknown ones of all services": (
        "MlmonGroundTruthUnused",
        'sum by (TARGET) (increase(mlmon_ground_truth_total{outcome=~"matched|late|unk',
        'sum by (PLACE) (increase(mlmon_ground_truth_total{outcome=~"matched|late|unk',
    ),
    "a coverage that is nearly kept": ("MlmonGroundTruthUneven", "< 0.5", "< 0.7"),
    "the coverage of any class": ("MlmonGroundTruthUneven", 'predicted_class=""', 'window="24h"'),
    "a coverage of an hour ago": ("MlmonGroundTruthUneven", "offset 1w", "offset 1h"),
    "the coverage of few rows": ("MlmonGroundTruthUneven", ">= 100", ">= 0"),
    "coverage that is nearly even": ("MlmonGroundTruthUneven", "< 0.8", "< 0.95"),
    "coverage of the best window": ("MlmonGroundTruthUneven", "min by", "max by"),
    "drops of any kind": ("MlmonPendingDropped", 'reason="pending_full"', 'reason!=""'),
    "predictions that nobody asks for": (
        "MlmonPendingDropped",
        '|late|unknown"}[1d])) > 0',
        '|late|unknown"}[1d])) >= 0',
    ),
    "a better model": (
        "MlmonQualityDrop",
        "(mlmon_quality_accuracy < mlmon_quality_accuracy_threshold",
        "(mlmon_quality_accuracy > mlmon_quality_accuracy_threshold",
    ),
    "a smaller loss": (
        "MlmonQualityDrop",
        "mlmon_quality_brier > mlmon_quality_brier_threshold",
        "mlmon_quality_brier < mlmon_quality_brier_threshold",
    ),
    "all rows alone": (
        "MlmonQualityDrop",
        "segment_feature, segment) (mlmon_quality_accuracy ",
        "quality) (mlmon_quality_accuracy ",
    ),
    "a page for an hour": (
        "MlmonFleetQualityDrop",
        "min by (VERSION, quality)",
        "max by (VERSION, quality)",
    ),
    "a page for one replica": ("MlmonFleetQualityDrop", ") >= 0.5", ") > 0"),
    "a page for all replicas alone": ("MlmonFleetQualityDrop", ") >= 0.5", ") >= 1"),
    "a page for a segment": (
        "MlmonFleetQualityDrop",
        '{segment_feature=""} < bool mlmon_quality_accuracy_threshold{segment_feature=""}',
        "< bool mlmon_quality_accuracy_threshold",
    ),
    "a page for a challenger": (
        "MlmonFleetQualityDrop",
        "and on (VERSION) group by (VERSION) (mlmon_model_info)",
        "",
    ),
    "the reference of a segment": (
        "MlmonEstimatedQualityDrop",
        'mlmon_reference_quality_accuracy{segment_feature=""}',
        'mlmon_reference_quality_accuracy{segment_feature!=""}',
    ),
    "a guess against ground truth": (
        "MlmonEstimatedQualityDrop",
        "unless on (VERSION, window) max",
        "and on (VERSION, window) max",
    ),
    "a slight fall": ("MlmonEstimatedQualityDrop", "> 0.05", "> 0.02"),
    "concept drift in all replicas": (
        "MlmonConceptDrift",
        "max by (VERSION)",
        "min by (VERSION)",
    ),
    "calibration of few": (
        "MlmonCalibrationOff",
        '_rows{segment_feature=""} >= 1000',
        '_rows{segment_feature=""} >= 100',
    ),
    "calibration by itself": (
        "MlmonCalibrationOff",
        "- on (VERSION, instance) group_left () mlmon_reference",
        "+ on (VERSION, instance) group_left () mlmon_reference",
    ),
    "better versions alone": (
        "MlmonVersionsDiffer",
        "abs(mlmon_quality_accuracy_difference)",
        "(mlmon_quality_accuracy_difference)",
    ),
    "a lesser parity": ("MlmonFourFifthsRule", "== 0) < 0.8", "== 0) < 0.4"),
    "parity of the best replica": ("MlmonFourFifthsRule", "min by", "max by"),
    "lesser odds": ("MlmonEqualizedOdds", "> 0.2", "> 0.05"),
    "odds of the best replica": ("MlmonEqualizedOdds", "max by", "min by"),
    "one week alone": (
        "MlmonKpiDrop",
        ">= 0.5 * sum by (MODEL, kpi) (increase(mlmon_kpi_events_total[1h] offset 2w))",
        ">= 9 * sum by (MODEL, kpi) (increase(mlmon_kpi_events_total[1h] offset 2w))",
    ),
    "events that are few": ("MlmonKpiDrop", "offset 2w)) >= 100", "offset 2w)) >= 0"),
    "events of a version": (
        "MlmonKpiDrop",
        "sum by (MODEL, kpi) (increase(mlmon_kpi_events_total[1h])) >=",
        'sum by (MODEL, kpi) (increase(mlmon_kpi_events_total{version="1"}[1h])) >=',
    ),
    "events of a model that is gone": (
        "MlmonKpiDrop",
        "and on (MODEL) group by (MODEL) (mlmon_model_info)",
        "",
    ),
    "one replica of many": ("MlmonReplicasDown", "> 0.5", ">= 0.5"),
    "all replicas together": ("MlmonReplicasDown", "> 0.5", ">= 1"),
    "a few scrapes that failed": ("MlmonReplicasDown", "[20m]) > 0.2", "[20m]) > 0.01"),
    "replicas that crash again and again": ("MlmonReplicasDown", ">= 4", ">= 40"),
    "one that crashes again and again": ("MlmonReplicasDown", "[5m]) > 0.5", "[5m]) >= 0.5"),
    "what a target that is down had": (
        "MlmonReplicasDown",
        "(last_over_time(instance:mlmon_model_info:known[1h])",
        "(last_over_time(instance:mlmon_model_info:other[1h])",
    ),
    "targets that are up": ("MlmonTargetDown", "up == 0", "up == 1"),
    "targets of others": (
        "MlmonTargetDown",
        "and on (TARGET) up",
        "or on (TARGET) up",
    ),
    "a ticket for each model": (
        "MlmonTargetDown",
        "count by (TARGET) (",
        "count by (TARGET, model) (",
    ),
    "what was idle": (NOT_SERVED, "_total[15m])) > 0", "_total[15m])) >= 0"),
    "what was hardly used": (NOT_SERVED, ">= 100", ">= 10"),
    "a new name": (
        NOT_SERVED,
        "unless on (cluster, namespace, model)",
        "or on (cluster, namespace, model)",
    ),
    "a namesake": (
        NOT_SERVED,
        "(mlmon_model_info unless on (MODEL)",
        "(mlmon_model_info and on (MODEL)",
    ),
    "targets that are down": (
        NOT_SERVED,
        "unless on (MODEL) instance:mlmon_model_info:known",
        "unless on (MODEL) mlmon_model_info",
    ),
    "dead targets that vanish": (
        NOT_SERVED,
        '{alertname="MlmonReplicasDown"',
        '{alertname="another"',
    ),
    "an hour later": (
        NOT_SERVED,
        'or group by (MODEL) (last_over_time(ALERTS{alertname="MlmonModelNotServed"',
        'or group by (MODEL) (last_over_time(ALERTS{alertname="another"',
    ),
    "two releases": ("MlmonRestarting", ">= 3", ">= 2"),
    "workers that count separately": ("MlmonRestarting", 'state!="unshared"', 'state!=""'),
    "drops of a few": ("MlmonObservationsDropped", ">= 50", ">= 5"),
    "drops since the start": (
        "MlmonObservationsDropped",
        '(increase(mlmon_dropped_total{reason!~"pending_.*|request_unread"}[15m]))',
        '(mlmon_dropped_total{reason!~"pending_.*|request_unread"})',
    ),
    "drops where nothing is a model's": (
        "MlmonObservationsDropped",
        "or sum by (TARGET) (increase(mlmon_dropped",
        "and sum by (TARGET) (increase(mlmon_dropped",
    ),
    "the least share of drops": ("MlmonObservationsDropped", "> 0.01", "> 0.001"),
    "drops of another service": (
        "MlmonObservationsDropped",
        "/ on (TARGET) group_left ()",
        "/ on (PLACE) group_left ()",
    ),
    "answers to bodies that nobody read": ("MlmonObservationsDropped", "|request_unread", ""),
    "a queue that empties": (
        "MlmonIntakeBehind",
        "(min_over_time(mlmon_queue_exchanges[10m])) > 1000",
        "(max_over_time(mlmon_queue_exchanges[10m])) > 1000",
    ),
    "a clock that is ahead": ("MlmonClockSkew", "< -60", "< -6000"),
    "exchanges that wait": ("MlmonClockSkew", "== 0", ">= 0"),
    "what timed out": (
        "MlmonScrapeSlow",
        "and on (TARGET) instance:mlmon_model_info:known",
        "and on (TARGET) mlmon_build_info",
    ),
    "rules of others": ("MlmonRulesFailing", ".*mlmon-.*", ".*"),
    "five minutes of grace": ("MlmonErrorBurnFast", "keep_firing_for: 5m", "keep_firing_for: 1m"),
    "half an hour of it": ("MlmonMissingValues", "keep_firing_for: 30m", "keep_firing_for: 1m"),
    "an hour and more of it": ("MlmonFeatureDrift", "keep_firing_for: 1h", "keep_firing_for: 2h"),
    "a quarter of it": ("MlmonParseErrors", "keep_firing_for: 15m", "keep_firing_for: 1m"),
    "two minutes of it": ("MlmonReplicasDown", "keep_firing_for: 2m", "keep_firing_for: 5m"),
}
"""What is wrong -> the alert, how the rules have it, and how they would."""
FAULTS |= {
    f"{alert} of rows taken for independent": (alert, f"{known} == 0", f"{known} == 2")
    for alert, (_, row) in TABLE.items()
    for known in ("mlmon_dependence_known", "mlmon_outcome_dependence_known")
    if known in row.expr
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(fault: str, installed_promtool: Promtool, tmp_path: Path) -> None:
    alert, *texts = FAULTS[fault]
    right, wrong = map(in_full, texts)
    rules = rules_of(alert)
    assert right in rules
    (tmp_path / "rules.yml").write_text(rules.replace(right, wrong))
    (tmp_path / "tests").mkdir()
    test = tmp_path / "tests" / "test.yml"
    for file in cases_of(alert):
        test.write_text(promtool_test(file._replace(rules=["rules.yml"], order=())))
        complaints = installed_promtool("test", "rules", test)
        assert "parse" not in complaints, "a rule that cannot be read proves nothing"
        if "FAILED" in complaints:
            return
    pytest.fail("not noticed")


def test_each_time_of_grace_has_a_fault() -> None:
    kept = {alert.keep for _, alert in TABLE.values() if alert.keep}
    rights = (right.partition("keep_firing_for: ") for _, right, _ in FAULTS.values())
    assert {span for _, found, span in rights if found} == kept


def in_full(text: str) -> str:
    for word, labels in WORDS.items():
        text = re.sub(rf"\b{word}\b", labels, text)
    return text


def rules_of(alert: str) -> str:
    """Return a file with the alert's rule and what it needs: others need not be evaluated."""
    subsystem, row = TABLE[alert]
    needed = [
        rule
        for group in (*recordings(DEFAULTS), *targets.recordings(DEFAULTS))
        for rule in group.rules
        if rule.record in row.expr
        or (rule.record == REQUESTS and "Burn" in alert)
        or (rule.record == targets.KNOWN and targets.DOWN in row.expr)
    ]
    rules: list[AnyRule] = [*needed, row.rule(DEFAULTS, subsystem.name)]
    return rule_file([Group("one", "1m", rules)], "")


def cases_of(alert: str) -> Iterator[CaseFile]:
    """Give the cases of an alert: the short ones first, since they mostly tell."""
    for is_long in (False, True):
        for file in FILES.values():
            cases = [c for c in file.cases if c.alert == alert and (c.at > SHORT) is is_long]
            if cases:
                yield file._replace(cases=cases)
