from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlmon_exporter.assets.rules.rule_files import Group, Rule, rule_file
from mlmon_exporter.metrics.table import METRICS

from .alert_cases import ALERTS, TABLE
from .conftest import Promtool
from .test_alerts import OF_PROMETHEUS, RECORDED

RUNBOOKS = {path.stem: path.read_text() for path in (ALERTS / "runbooks").glob("*.md")}
MEASURED = {"scrape_samples_scraped", "prometheus_rule_group_last_duration_seconds"}
HEADINGS = ["What it means", "See it", "Likely causes", "What to do", "When to ignore"]
by_name = pytest.mark.parametrize("name", RUNBOOKS)


def queries(name: str) -> list[str]:
    (block,) = re.findall(r"```promql\n(.+?)\n```", RUNBOOKS[name], re.DOTALL)
    return [*block.splitlines()]


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    assert RUNBOOKS.keys() == TABLE.keys()


@by_name
def test_a_runbook_has_the_headings_and_says_something_under_each(name: str) -> None:
    title, *sections = re.split(r"^## ", RUNBOOKS[name], flags=re.MULTILINE)
    words = {"critical": "Page", "warning": "Ticket", "info": "Info", "heartbeat": "Heartbeat"}
    severity = words[TABLE[name][1].severity]
    assert re.fullmatch(rf"# {name}\n\n\*\*{severity}\*\*: .{{20,130}}\.\n\n", title)
    assert [section.splitlines()[0] for section in sections] == HEADINGS
    assert all(len(section.split()) > 5 for section in sections)
    assert max(map(len, RUNBOOKS[name].splitlines())) <= 140


def test_no_two_runbooks_say_the_same() -> None:
    lines = [
        line
        for text in RUNBOOKS.values()
        for line in re.sub(r"```.+?```", "", text, flags=re.DOTALL).splitlines()
        if len(line) > 60
    ]
    assert len(lines) == len(set(lines))


def test_prometheus_reads_the_queries(promtool: Promtool, tmp_path: Path) -> None:
    rules = [
        Rule(f"query:{name}:{i}", query, "")
        for name in RUNBOOKS
        for i, query in enumerate(queries(name))
    ]
    (tmp_path / "queries.yml").write_text(rule_file([Group("queries", "1m", rules)], ""))
    assert promtool("check", "rules", "--lint=none", tmp_path / "queries.yml") == ""


@by_name
def test_no_query_waits_for_an_info_to_change(name: str) -> None:
    # It is always 1: another version is another series.
    assert not re.search(r"changes\(\w+_info\b", RUNBOOKS[name])


@by_name
def test_queries_name_metrics_that_exist(name: str) -> None:
    known = METRICS.keys() | RECORDED | OF_PROMETHEUS | MEASURED
    for query in queries(name):
        bare = re.sub(r'"[^"]*"', "", query)
        used = set(
            re.findall(r"\b(?:\w+:)?(?:mlmon|process|scrape|prometheus)_\w+(?::\w+)?|\bup\b", bare)
        )
        for metric in used:
            assert re.sub(r"_(bucket|count|sum)$", "", metric) in known or metric in known
        assert used or "mlmon" in query.lower()


@by_name
def test_links_between_runbooks_lead_somewhere(name: str) -> None:
    for linked in re.findall(r"\]\((\w+)\.md\)", RUNBOOKS[name]):
        assert linked in RUNBOOKS
    for named in re.findall(r"\bMlmon[A-Z]\w+", RUNBOOKS[name]):
        assert named in TABLE
