"""The promtool test notices when a rule is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlmon_exporter.assets.rules import Settings
from mlmon_exporter.assets.rules.all_scores import all_groups
from mlmon_exporter.assets.rules.fleet import fleet_file
from mlmon_exporter.assets.rules.rule_files import rule_file

from .conftest import Promtool
from .fleet_cases import SHORT_DAY, all_hour_test, hour_test, short_day_test

BY = "cluster, namespace, job, model, version, feature, kind, bin"
ANY_JOB = BY.replace("job, ", "")
ROWS, REFERENCE = "feature:mlmon_feature_rows:1h", "feature_bin:mlmon_feature_reference_ratio"
INCREASE = "(increase(mlmon_feature_bin_rows_total[1h]))"
IN_BINS, RATIO = "feature_bin:mlmon_feature_bin_rows:1h", "feature_bin:mlmon_feature_bin_ratio:1h"
VALUES = 'kind="numeric",bin!="missing"'
BINS = "feature:mlmon_feature_reference_ratio:count"
COUNTED = "feature:mlmon_feature_reference_rows:count"

FAULTS = {
    "bins without series are left out": (f"0 * sum by ({BY})", f"1 * sum by ({BY})"),
    "restarts count as fewer rows": (INCREASE, INCREASE.replace("increase", "delta")),
    "the window is shorter": (INCREASE, INCREASE.replace("1h", "50m")),
    "the mean over replicas": (f"sum by ({BY}) {INCREASE}", f"avg by ({BY}) {INCREASE}"),
    "jobs are mixed": (
        f"sum by ({BY}) {INCREASE}",
        f"sum by ({BY.replace('job, ', '')}) {INCREASE}",
    ),
    "the reference of one replica": (f"{REFERENCE}:avg\n", f"{REFERENCE}:max\n"),
    "scores without rows": (f"({ROWS} > 0)", f"({ROWS} >= 0)"),
    "no half row": (f"({IN_BINS} + 0.5)", f"({IN_BINS} + 0.0001)"),
    "no half rows in the total": (f"+ 0.5 * {BINS})", f"+ 0 * {BINS})"),
    "no half row in the reference": (
        "_reference_rows[5m])) + 0.5\n",
        "_reference_rows[5m])) + 0\n",
    ),
    "natural logarithm": ("log2", "ln"),
    "another chance": ("3.0902", "2.5758"),
    "a degree of freedom more": (f"({BINS} - 1)", f"({BINS} - 0)"),
    "missing rows in KS": (f"{RATIO}{{{VALUES}}}", f'{RATIO}{{kind="numeric"}}'),
    "the first edge": ('{bin=~".[0-0]"}', '{bin=~"[0-0]"}'),
    "the fifth edge": ('{bin=~".[0-4]"}', '{bin=~".[0-3]"}'),
    "edges after the twentieth": ('{ten=~"[0-1]"}', '{ten=~"[0-0]"}'),
    "edges after the thirtieth": ('{ten=~"[0-2]"}', '{ten=~"[0-1]"}'),
    "edges after the fortieth": ('{ten=~"[0-3]"}', '{ten=~"[0-2]"}'),
    "a sign": ("max without (ten, unit) (abs(", "max without (ten, unit) (("),
    "greatest gap of numbers": ('{kind="categorical"}', '{kind=~".+"}'),
}
"""What is wrong -> how the rules have it, and how they would."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(fault: str, installed_promtool: Promtool, tmp_path: Path) -> None:
    right, wrong = FAULTS[fault]
    rules = fleet_file(Settings(has_all_scores=True))
    assert right in rules
    (tmp_path / "rules.yml").write_text(rules.replace(right, wrong))
    (tmp_path / "test.yml").write_text(all_hour_test("rules.yml"))
    assert "FAILED" in installed_promtool("test", "rules", tmp_path / "test.yml")


DEFAULT_FAULTS = {
    "restarts count as fewer rows": ("(increase(mlmon_feature", "(delta(mlmon_feature"),
    "the window is shorter": ('"}[1h])', '"}[50m])'),
    "features that end in a number are not read": ("[67m-r]", "[m-r]"),
    "features that end in nothing common are not read": ('!~".*[0-7a-r]"', '=~".*[89s-x]"'),
    "the mean over replicas": (f"sum by ({BY}) (increase", f"avg by ({BY}) (increase"),
    "the sum of references": (f"avg by ({BY})", f"sum by ({BY})"),
    "jobs are mixed": (
        "namespace, job, model, version, feature",
        "namespace, model, version, feature",
    ),
    "no half row": (f"({IN_BINS} + 0.5)", f"({IN_BINS} + 0.1)"),
    "no half row in the reference": (
        "_reference_rows[5m])) + 0.5\n",
        "_reference_rows[5m])) + 0.1\n",
    ),
    "no half rows in the total": (f"+ 0.5 * {COUNTED}", f"+ 0.4 * {COUNTED}"),
    "no half rows in the reference's total": (f"(0.5 * {COUNTED}", f"(0.4 * {COUNTED}"),
    "nearly all are suspects": ("> 0.5\n", "> 0.1\n"),
    "more features of a model": ("  10,\n", "  11,\n"),
    "the features that drift least": ("topk", "bottomk"),
    "another chance": ("3.0902", "2.5758"),
    "a degree of freedom more": (f"({COUNTED} - 1)", f"({COUNTED} - 0)"),
}


@pytest.mark.parametrize("fault", DEFAULT_FAULTS)
def test_a_fault_of_the_default_rules_is_noticed(
    fault: str, installed_promtool: Promtool, tmp_path: Path
) -> None:
    right, wrong = DEFAULT_FAULTS[fault]
    rules = fleet_file()
    assert right in rules
    (tmp_path / "recording").mkdir()
    (tmp_path / "recording" / "mlmon-fleet.yml").write_text(rules.replace(right, wrong))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "hour.yml").write_text(hour_test())
    assert "FAILED" in installed_promtool("test", "rules", tmp_path / "tests" / "hour.yml")


RATE_FAULTS = {
    "the mean rate while a bin exists": {"60 * sum": "7200 * sum", "sum_over": "avg_over"},
    "another step": {"60 * sum": "300 * sum"},
    "the mean over replicas": {f"sum by ({BY}) (rate": f"avg by ({BY}) (rate"},
    "a longer window": {"[2h]": "[4h]"},
}


@pytest.mark.parametrize("fault", RATE_FAULTS)
def test_a_fault_of_long_windows_is_noticed(
    fault: str, installed_promtool: Promtool, tmp_path: Path
) -> None:
    rules = rule_file(all_groups(SHORT_DAY), "")
    for right, wrong in RATE_FAULTS[fault].items():
        assert right in rules
        rules = rules.replace(right, wrong)
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "test.yml").write_text(short_day_test("rules.yml"))
    assert "FAILED" in installed_promtool("test", "rules", tmp_path / "test.yml")
