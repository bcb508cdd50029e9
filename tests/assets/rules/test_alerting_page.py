from __future__ import annotations

import re

from mlmon_exporter.assets.rules import DEFAULTS
from mlmon_exporter.assets.rules.alert import SEVERITIES
from mlmon_exporter.core.counts.requests import LATENCY_BOUNDS

from .alert_cases import ALERTS, TABLE

PAGE = (ALERTS.parent / "docs" / "alerting.md").read_text()
ROWS = re.findall(
    r"^\| \[(\w+)\]\(\.\./alerts/runbooks/(\w+)\.md\) \| (\w+) \| (\w+) \| (.+) \|$",
    PAGE,
    re.MULTILINE,
)


def test_the_table_has_all_alerts_in_the_order_of_the_files() -> None:
    rows = [(name, runbook, severity, hold) for name, runbook, severity, hold, _ in ROWS]
    assert rows == [(a.name, a.name, a.severity, a.hold) for _, a in TABLE.values()]


def test_each_severity_is_explained() -> None:
    for severity in SEVERITIES:
        assert re.search(rf"^\| {severity} \| `\w+` \| .+ \|$", PAGE, re.MULTILINE)


def test_objectives_are_the_defaults() -> None:
    assert f"{100 * DEFAULTS.availability_objective:g} % of requests without" in PAGE
    assert (
        f"{100 * DEFAULTS.latency_objective:g} % answered within {DEFAULTS.slow_seconds:g} s"
        in PAGE
    )
    *first, last = (f"{bound:g}" for bound in LATENCY_BOUNDS)
    assert f"{', '.join(first)} or {last}." in re.sub(r"\s+", " ", PAGE)
