"""What an alert is: one row of a subsystem's table, and the rule that it becomes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .rule_files import Yaml
from .settings import Settings

SEVERITIES = {
    "critical": "pages: somebody is woken up",
    "warning": "makes a ticket: somebody looks at it within days",
    "info": "tells nobody: it is there for who looks at the board",
    "heartbeat": "fires always: its absence is the alarm",
}
"""Severity -> what it means for people."""
BOARD_VARIABLES = {
    "overview": ("job", "instance", "model", "version", "window"),
    "drift": ("job", "instance", "model", "version", "window", "feature"),
    "quality": ("job", "instance", "model", "version", "window", "output"),
    "operations": ("job", "instance", "model", "version"),
}
"""Board -> its variables that an alert's labels may set."""


class AlertRule(NamedTuple):
    """An alerting rule as the file has it."""

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
    expr: str
    labels: tuple[str, ...]
    """Labels of what the expression gives; texts and links may use them."""
    hold: str
    """How long the expression must hold before the alert fires (`for`)."""
    keep: str = ""
    """How long it goes on firing afterwards, so that it does not flap; empty: not at all."""
    summary: str
    description: str
    board: str
    """Where to look: `mlmon-<board>`."""

    def rule(self, settings: Settings, subsystem: str) -> AlertRule:
        """Return the rule, its links and spans of time as settled."""
        fields: dict[str, Yaml] = {
            "alert": self.name,
            "expr": textwrap.dedent(self.expr).strip(),
            "for": settings.span(self.hold),
        }
        if self.keep:
            fields["keep_firing_for"] = settings.span(self.keep)
        fields["labels"] = {"severity": self.severity, "subsystem": subsystem}
        fields["annotations"] = {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"{settings.runbook_url}/{self.name}.md",
            "dashboard_url": self._dashboard(settings),
        }
        return AlertRule(fields)

    def _dashboard(self, settings: Settings) -> str:
        chosen = [name for name in BOARD_VARIABLES[self.board] if name in self.labels]
        query = "&".join(f"var-{name}={{{{ urlquery $labels.{name} }}}}" for name in chosen)
        return f"{settings.dashboard_url}/d/mlmon-{self.board}" + (f"?{query}" if query else "")
