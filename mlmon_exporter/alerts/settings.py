"""What a user may settle about the rules and boards: objectives, selectors, links."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of `mlmon-exporter assets`; the committed files are made with the defaults."""

    job: str = ".+"
    """A regular expression of the scrape jobs that are ours."""
    availability_objective: float = 0.999
    """Share of requests, 0 to 1, that do not end in a server error."""
    latency_objective: float = 0.99
    """Share of requests, 0 to 1, that are answered within `latency_seconds`."""
    latency_seconds: float = 0.5
    """A bucket bound of `mlmon_request_duration_seconds`."""
    runbook_url: str = "runbooks"
    """Where the runbooks are: each alert links to `<runbook_url>/<alert>.md`."""
    dashboard_url: str = ""
    """Address of Grafana, without a slash at the end; empty: links are relative to it."""


DEFAULTS = Settings()
