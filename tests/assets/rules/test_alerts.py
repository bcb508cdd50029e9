from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mlmon_exporter.assets.rules import DEFAULTS, Settings, files, kpi, periods, targets
from mlmon_exporter.assets.rules.__main__ import write_rules
from mlmon_exporter.assets.rules.alert import SEVERITIES, Alert
from mlmon_exporter.assets.rules.fleet import fleet_groups
from mlmon_exporter.assets.rules.rule_set import SUBSYSTEMS
from mlmon_exporter.assets.rules.serving import recordings
from mlmon_exporter.assets.rules.settings import OPTIONAL, PLACE
from mlmon_exporter.core.counts.health import (
    AT_0,
    COUNTERS,
    DROP_REASONS,
    INTERNAL,
    WRITE_FAILURES,
)
from mlmon_exporter.metrics.table import METRICS
from tests.places import merged

from .alert_cases import ALERTS, TABLE, Case, case_files, promtool_test
from .conftest import Promtool

ROWS = [alert for _, alert in TABLE.values()]
GROUPS = (
    *recordings(DEFAULTS),
    *kpi.recordings(DEFAULTS),
    *targets.recordings(DEFAULTS),
    *fleet_groups(),
)
RECORDED = {
    rule.record for group in (*GROUPS, periods.recordings(DEFAULTS)) for rule in group.rules
}
OF_PROMETHEUS = {
    "up",
    "scrape_duration_seconds",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_rule_group_iterations_missed_total",
}
WORDS = set(
    """abs absent and avg avg_over_time bool by changes cluster count d group group_left
    group_right h increase job instance kpi namespace rule_group label_replace model quality
    segment segment_feature derived
    version feature output window last_over_time label m max max_over_time min min_over_time offset
    on or present_over_time rate reason s sum sum_over_time time unless vector w where format"""
    .split()
)  # fmt: skip
FILES = case_files()
CASES = [case for file in FILES.values() for case in file.cases]
BOARDS = ALERTS.parent / "grafana" / "dashboards"
by_name = pytest.mark.parametrize("alert", ROWS, ids=lambda alert: alert.name)


def names_in(expression: str) -> Iterator[str]:
    """Give the metrics of an expression: all words that are not PromQL's or labels."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\{[^}]*\}|\[[^\]]*\]|offset \w+|\bALERTS\w*', " ", expression)
    for word in re.findall(r"[a-z_][\w:]*", bare):
        if word not in WORDS:
            yield re.sub(r"_(bucket|count|sum)$", "", word) if word not in METRICS else word


@pytest.mark.parametrize("counter", COUNTERS)
def test_an_alert_finds_the_counter_of_a_fault_at_0_or_fires_where_it_appears_late(
    counter: str,
) -> None:
    of_faults = [alert for alert in ROWS if counter in names_in(alert.expr)]
    late = {c.alert for c in CASES if c.fires and f"{counter}{{" in str(born_late(c))}
    for alert in of_faults:
        is_at_0 = selected(alert.expr, counter) <= {*AT_0.get(counter, ())}
        assert is_at_0 or alert.name in late, f"{alert.name}: {counter}"


def born_late(case: Case) -> list[str]:
    return [name for name, values in case.series.items() if values.startswith("_")]


def selected(expression: str, counter: str) -> set[str]:
    """Return the values of a fault's last label that an alert counts."""
    known = {"reason": {*DROP_REASONS, *WRITE_FAILURES, "of a format"}, "where": {*INTERNAL}}
    values = known.get(COUNTERS[counter][-1], {"of a label"})
    for operator, pattern in re.findall(rf'{counter}{{\w+(=~|!~|=)"([^"]*)"', expression):
        values = {v for v in values if bool(re.fullmatch(pattern, v)) != (operator == "!~")}
    return values


# --- The files ---


def test_the_committed_files_are_what_the_code_makes(tmp_path: Path) -> None:
    write_rules(tmp_path)
    made = {p.relative_to(tmp_path).as_posix(): p for p in tmp_path.rglob("*") if p.is_file()}
    assert made.keys() == files().keys()
    committed = [
        *ALERTS.glob("recording/*"),
        *ALERTS.glob("alerting/*"),
        *ALERTS.glob("optional/*"),
        ALERTS / "alertmanager.yml",
    ]
    assert {path.relative_to(ALERTS).as_posix() for path in committed} == made.keys()
    for name, path in made.items():
        text = (ALERTS / name).read_text()
        assert text == path.read_text(), "run: python -m mlmon_exporter.assets.rules"


@pytest.mark.parametrize("name", FILES)
def test_the_committed_promtool_tests_are_what_the_cases_make(name: str) -> None:
    committed = (ALERTS / "tests" / name).read_text()
    assert committed == promtool_test(FILES[name]), "run: python -m tests.assets.rules.alert_cases"


def test_texts_of_alerts_have_no_gap_where_a_label_is_empty() -> None:
    made = "".join(map(promtool_test, FILES.values()))
    texts = re.findall(r"^ +(?:summary|description): (.*)$", made, re.MULTILINE)
    assert len(texts) > 50
    assert [text for text in texts if "  " in text or " ," in text or "()" in text] == []


SETTLED = {
    "defaults": DEFAULTS,
    "all": Settings(
        job='ml-(a|b)"\\d',
        availability_objective=0.95,
        latency_objective=0.9,
        latency_seconds=1.0,
        parity_objective=0.9,
        runbook_url="https://example.org/runbooks",
        dashboard_url="https://grafana.example.org",
        severities={"MlmonFleetDrift": "critical"},
        labels={"team": "models"},
        has_all_scores=True,
        hour_seconds=24,
    ),
}


@pytest.mark.parametrize("settled", SETTLED)
def test_promtool_has_no_complaints(promtool: Promtool, tmp_path: Path, settled: str) -> None:
    for name, text in files(SETTLED[settled]).items():
        if name != "alertmanager.yml":
            path = tmp_path / name.replace("/", "-")
            path.write_text(text)
            assert promtool("check", "rules", "--lint=all", "--lint-fatal", path) == ""


@pytest.mark.parametrize("name", FILES)
def test_alerts_fire_when_they_should_and_only_then(promtool: Promtool, name: str) -> None:
    assert promtool("test", "rules", ALERTS / "tests" / name) == ""


# --- The table ---


def test_names_are_unique() -> None:
    assert len(TABLE) == sum(len(s.alerts(DEFAULTS)) for s in SUBSYSTEMS)


@by_name
def test_an_alert_has_cases_that_fire_stay_silent_and_are_guarded(alert: Alert) -> None:
    fires = [case.fires for case in CASES if case.alert == alert.name]
    assert True in fires
    assert alert.severity == "heartbeat" or fires.count(False) >= 2


@by_name
def test_an_alert_is_complete(alert: Alert) -> None:
    assert re.fullmatch(r"Mlmon([A-Z][a-z]+)+", alert.name)
    assert alert.severity in SEVERITIES
    assert alert.board in {"overview", "drift", "quality", "operations"}
    assert alert.summary
    assert alert.description.endswith(".")
    assert alert.severity == "heartbeat" or alert.hold != "0s"


@by_name
def test_an_expression_compares(alert: Alert) -> None:
    assert re.search(r"[<>]=?|==", re.sub(r'"[^"]*"', "", alert.expr))


@by_name
def test_every_metric_is_exposed_or_recorded(alert: Alert) -> None:
    used = {*names_in(alert.expr)}
    assert used or alert.severity == "heartbeat"
    assert used <= METRICS.keys() | RECORDED | OF_PROMETHEUS


def test_what_is_recorded_of_requests_comes_from_metrics() -> None:
    recorded: set[str] = set()
    for group in recordings(DEFAULTS):
        for rule in group.rules:
            assert {*names_in(rule.expr)} <= METRICS.keys() | recorded
            assert re.fullmatch(r"model:mlmon_[a-z_]+:(rate|ratio)[0-9]+[mhd]", rule.record)
            recorded.add(rule.record)


def test_what_is_recorded_of_business_numbers_comes_from_metrics() -> None:
    (group,) = kpi.recordings(DEFAULTS)
    assert [rule.record.rpartition(":")[2] for rule in group.rules] == ["ratio1h", "ratio1d"]
    for rule in group.rules:
        assert {*names_in(rule.expr)} == {"mlmon_kpi_events_total", "mlmon_prediction_rows_total"}
        assert re.fullmatch(r"kpi:mlmon_[a-z_]+:ratio[0-9]+[hd]", rule.record)


@by_name
def test_texts_use_labels_that_the_alert_has(alert: Alert) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    assert used <= {*alert.labels, *PLACE}
    (fires, *_) = (case for case in CASES if case.alert == alert.name and case.fires)
    assert fires.labels.keys() == {*alert.labels}, "promtool sees the labels that the row names"


def test_links_lead_to_the_board_with_its_variables_and_to_the_runbook() -> None:
    settings = replace(DEFAULTS, dashboard_url="https://g.example", runbook_url="https://r.example")
    _, alert = TABLE["MlmonFeatureDrift"]
    notes = alert.rule(settings, "drift").fields["annotations"]
    assert isinstance(notes, dict)
    assert notes["runbook_url"] == "https://r.example/MlmonFeatureDrift.md"
    assert notes["dashboard_url"] == (
        "https://g.example/d/mlmon-drift?var-cluster={{ urlquery $labels.cluster }}"
        "&var-namespace={{ urlquery $labels.namespace }}&var-job={{ urlquery $labels.job }}"
        "&var-model={{ urlquery $labels.model }}&var-version={{ urlquery $labels.version }}"
        "&var-feature={{ urlquery $labels.feature }}"
    )


@by_name
def test_each_variable_of_a_link_is_on_the_board(alert: Alert) -> None:
    notes = alert.rule(DEFAULTS, "any").fields["annotations"]
    assert isinstance(notes, dict)
    path, _, query = str(notes["dashboard_url"]).partition("?")
    board = json.loads((BOARDS / f"{path.removeprefix('/d/')}.json").read_text())
    assert path == f"/d/{board['uid']}"
    on_board = {variable["name"] for variable in board["templating"]["list"]}
    linked = set(re.findall(r"var-(\w+)=", query))
    assert linked <= on_board
    # What the alert is about is chosen there, unless no board can.
    assert linked >= {*alert.labels} & {"job", "model", "version", "feature", "output"} & on_board
    assert {*alert.labels} & {"feature", "output"} <= linked


@pytest.mark.parametrize(
    "name", ["mlmon_feature_drifted", "mlmon_feature_missing_ratio", "mlmon_concept_drifted"]
)
def test_drift_is_compared_with_exported_thresholds_alone(name: str) -> None:
    for _, alert in TABLE.values():
        # What of the importance pages is no threshold of drift.
        if name in alert.expr and alert.name not in ("MlmonFleetDrift", "MlmonImportantDrift"):
            numbers = set(re.findall(r"(?<![\w:])[0-9.]+", alert.expr))
            assert numbers <= {"0", "1"}  # no and yes


# --- Settings ---


@pytest.mark.parametrize("job", [".+", 'a"\\b'])
def test_the_summary_asks_for_the_column_that_drifted_most(
    installed_promtool: Promtool, tmp_path: Path, job: str
) -> None:
    made = files(Settings(job=job))["alerting/mlmon-drift.yml"]
    (tmp_path / "drift.yml").write_text(made)
    assert installed_promtool("check", "rules", tmp_path / "drift.yml") == ""
    assert "topk(1, {" in made


def test_severities_and_labels_are_those_of_the_settings() -> None:
    settings = Settings(severities={"MlmonFleetDrift": "critical"}, labels={"team": "bikes"})
    groups = yaml.safe_load(files(settings)["alerting/mlmon-drift.yml"])["groups"]
    labels = {rule["alert"]: rule["labels"] for group in groups for rule in group["rules"]}
    of_fleet = {"severity": "critical", "subsystem": "drift", "team": "bikes"}
    assert labels["MlmonFleetDrift"] == of_fleet
    assert labels["MlmonFeatureDrift"] == of_fleet | {"severity": "warning"}


def test_alerts_are_fewer_than_forty_and_drift_wakes_nobody() -> None:
    loaded = [alert for s, alert in TABLE.values() if s.name not in OPTIONAL]
    assert len(loaded) < 40
    pages = {alert.name for alert in loaded if alert.severity == "critical"}
    assert pages == {
        "MlmonErrorBurnFast",
        "MlmonNoPredictions",
        "MlmonFleetQualityDrop",
        "MlmonReplicasDown",
        "MlmonModelNotServed",
    }


OF_ALL_PLACES = {
    # A job that is renamed has its model in another at once: these are looked for in all jobs.
    "MlmonModelNotServed": ["on (cluster, namespace, model)"],
    # About the rules, and not about a service.
    "MlmonRulesFailing": [*("by (rule_group)",) * 2, "on ()", *("count(",) * 2],
}


@pytest.mark.parametrize("has_all_scores", [False, True])
def test_the_place_is_carried_through_every_aggregation_of_every_rule(has_all_scores: bool) -> None:
    found = {}
    for name, text in files(Settings(has_all_scores=has_all_scores)).items():
        for group in yaml.safe_load(text).get("groups", []) if name.endswith(".yml") else []:
            for rule in group["rules"]:
                lost = [*merged(rule["expr"])]
                if lost:
                    found[rule.get("alert") or rule["record"]] = lost
    assert found == OF_ALL_PLACES


def test_slow_answers_page_once_a_bound_is_settled() -> None:
    def severity(settings: Settings) -> str:
        alerts = {a.name: a.severity for s in SUBSYSTEMS for a in s.alerts(settings)}
        return alerts["MlmonLatencyBurnFast"]

    assert severity(DEFAULTS) == "warning"
    assert severity(Settings(latency_seconds=DEFAULTS.slow_seconds)) == "critical"


def test_drift_of_the_fleet_is_of_the_jobs_that_were_settled() -> None:
    settings = [Settings(job="ours"), Settings(job="ours", has_all_scores=True)]
    texts = [files(one)["recording/mlmon-fleet.yml"] for one in settings]
    made = [group for text in texts for group in yaml.safe_load(text)["groups"]]
    expressions = [rule["expr"] for group in made for rule in group["rules"]]
    assert len(expressions) > 40
    for expr in expressions:
        named = re.findall(r"\bmlmon_\w+(?::\w+)?", expr)
        ours = re.findall(r'\bmlmon_\w+(?::\w+)?\{job=~"ours"[,}]', expr)
        assert len(named) == len(ours) > 0, expr


def test_each_series_is_of_the_jobs_that_were_settled() -> None:
    settings = Settings(job="ours")
    for subsystem in SUBSYSTEMS:
        for alert in subsystem.alerts(settings):
            for name in {*names_in(alert.expr)} - OF_PROMETHEUS | {"up"}:
                bare = len(re.findall(rf"(?<![\w:]){name}(_bucket|_count)?(?![\w:])", alert.expr))
                ours = len(re.findall(rf'{name}(_bucket|_count)?{{job=~"ours"', alert.expr))
                assert bare == ours, (alert.name, name)


def test_objectives_are_in_the_rules() -> None:
    made = files(Settings(availability_objective=0.95, latency_objective=0.9, latency_seconds=1.0))
    assert "ratio1h > 14.4 * 0.05" in made["alerting/mlmon-serving.yml"]
    assert "ratio1h > 14.4 * 0.1" in made["alerting/mlmon-serving.yml"]
    assert r'le=~"1(\\.0)?"' in made["recording/mlmon-serving.yml"]


def test_the_parity_that_is_asked_for_is_in_the_rules() -> None:
    made = files(Settings(parity_objective=0.9))["optional/mlmon-fairness.yml"]
    assert "known == 0) < 0.9" in made
    assert "the rule of thumb asks for 90 %" in made
    assert "0.8" not in made


def test_spans_shrink_together_and_names_stay() -> None:
    made = files(Settings(hour_seconds=24))
    assert "record: feature:mlmon_feature_psi:1h" in made["recording/mlmon-fleet.yml"]
    assert "mlmon_prediction_bin_rows_total[24000ms]" in made["recording/mlmon-fleet.yml"]
    assert "for: 800ms" in made["alerting/mlmon-serving.yml"]
    for name, text in made.items():
        assert not re.search(r"\[[0-9]+[mhdw]\]|for: [1-9][0-9]*[mhd]$", text, re.MULTILINE), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"availability_objective": 1.0}, "availability_objective: expected over 0 and under 1"),
        ({"latency_objective": 99}, "latency_objective: expected over 0 and under 1, got 99"),
        ({"latency_seconds": 0.3}, r"latency_seconds: expected one of 0.001, .*, 60, got 0.3"),
        ({"parity_objective": 0}, "parity_objective: expected over 0 and under 1, got 0"),
        ({"hour_seconds": 0}, "hour_seconds: expected over 0, got 0"),
        ({"labels": {"a-b": "c"}}, "labels: expected a label's name such as team, got 'a-b'"),
        ({"labels": {"severity": "c"}}, "labels: expected a label's name .* got 'severity'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**options)  # type: ignore[arg-type]
