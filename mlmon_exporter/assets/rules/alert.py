"""Alerts: one row of a subsystem's table, and the alerting rule made of it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .rule_files import Yaml
from .settings import MODEL, PLACE, Settings

SEVERITIES = {
    "critical": "pages: somebody is woken up",
    "warning": "makes a ticket: somebody looks at it within days",
    "info": "notifies nobody: shown on boards",
    "heartbeat": "always fires: its absence is the alarm",
}
"""Severity -> its meaning for people."""
BOARD_VARIABLES = {
    "overview": (*PLACE, "instance", "model", "version"),
    "drift": (*PLACE, "instance", "model", "version", "feature"),
    "quality": (*PLACE, "instance", "model", "version", "output"),
    "operations": (*PLACE, "instance", "model", "version"),
}
"""Board -> the variables that an alert's labels may set."""
ROWS_KNOWN, OUTCOMES_KNOWN = "mlmon_dependence_known", "mlmon_outcome_dependence_known"
"""Metrics of what is known of dependence in time."""
THE_MODEL = "{{ $labels.model }}{{ with $labels.version }} {{ . }}{{ end }} ({{ $labels.job }})"
"""The model of an alert in its text; most have no version."""


class AlertRule(NamedTuple):
    """An alerting rule as Prometheus reads it."""

    fields: Mapping[str, Yaml]
    about: str = ""

    def item(self) -> Mapping[str, Yaml]:
        """Return the rule as Prometheus reads it."""
        return self.fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A row of a subsystem's table."""

    name: str
    severity: str
    """The default; `Settings.severities` may say otherwise."""
    expr: str
    labels: tuple[str, ...]
    """Labels of the expression's series, for texts and links; cluster and namespace are implied."""
    hold: str
    """Time that the expression must hold before the alert fires (`for`)."""
    keep: str = ""
    """Time that the alert keeps firing afterwards, against flapping; empty: none."""
    summary: str
    description: str
    board: str
    """The board to look at: `mlmon-<board>`."""

    def rule(self, settings: Settings, subsystem: str) -> AlertRule:
        """Return the alerting rule for some settings."""
        fields: dict[str, Yaml] = {
            "alert": self.name,
            "expr": textwrap.dedent(self.expr).strip(),
            "for": settings.span(self.hold),
        }
        if self.keep:
            fields["keep_firing_for"] = settings.span(self.keep)
        severity = settings.severities.get(self.name, self.severity)
        fields["labels"] = {"severity": severity, "subsystem": subsystem, **settings.labels}
        fields["annotations"] = {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"{settings.runbook_url}/{self.name}.md",
            "dashboard_url": self._dashboard(settings),
        }
        return AlertRule(fields)

    def _dashboard(self, settings: Settings) -> str:
        present = {*PLACE, *self.labels} if self.labels else set()
        chosen = [name for name in BOARD_VARIABLES[self.board] if name in present]
        query = "&".join(f"var-{name}={{{{ urlquery $labels.{name} }}}}" for name in chosen)
        return f"{settings.dashboard_url}/d/mlmon-{self.board}" + (f"?{query}" if query else "")


def latched(settings: Settings, name: str, by: str) -> str:
    """Return series that exist while an alert fires.

    With it in its own expression, an alert keeps firing until its cause is gone, though the rows
    that made it fire have left the window.
    """
    firing = settings.select("ALERTS", f'alertname="{name}",alertstate="firing"')
    # Longer than a restart of Prometheus takes.
    return f"group by ({by}) (last_over_time({firing}[{settings.span('15m')}]))"


def unless_independent(settings: Settings, *known: str) -> str:
    """Return the end of an expression that leaves out replicas which take rows for independent.

    Days that differ and neighbours that are alike look like a change to their thresholds. The
    dependence is known of a model, for all of its versions.

    Args:
        settings: Options of the rules.
        known: The metrics that must not say so.
    """
    selected = map(settings.select, known)
    return " ".join(f"unless on ({MODEL}, instance) {each} == 0" for each in selected)
