"""What a user may settle about the rules and boards: objectives, selectors, links."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlmon_exporter.core.counts.requests import LATENCY_BOUNDS

EVERYTHING = ".+"
GUESSED_SECONDS = 0.5
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of `mlmon-exporter assets`; the committed files are made with the defaults."""

    job: str = EVERYTHING
    """A regular expression of the scrape jobs that are ours."""
    availability_objective: float = 0.999
    """Share of requests, 0 to 1, that neither end in a server error nor are cut off."""
    latency_objective: float = 0.99
    """Share of requests, 0 to 1, that are answered within `slow_seconds`."""
    latency_seconds: float | None = None
    """A bucket bound of `mlmon_request_duration_seconds`, of which pages are made. None: a guess,
    which is worth tickets."""
    parity_objective: float = 0.8
    """Least over greatest selection ratio of a feature's segments, 0 to 1. The four-fifths rule of
    the US Uniform Guidelines on Employee Selection Procedures (1978), a rule of thumb."""
    runbook_url: str = "runbooks"
    """Where the runbooks are: each alert links to `<runbook_url>/<alert>.md`."""
    dashboard_url: str = ""
    """Address of Grafana, without a slash at the end; empty: links are relative to it."""
    cpu_cores: float = 1.0
    """How many cores a target may use."""
    day_filled: str = "20h"
    """How long ago the fleet's score of a day must have begun for drift to page: a younger one
    holds little more than the hour. For demonstrations and tests, which cannot wait."""
    hour_seconds: float = 3600.0
    """How long the rules' hour lasts. All spans of time shrink with it; names of recorded series
    stay as they are, so that boards and alerts fit. For demonstrations and tests."""

    def __post_init__(self) -> None:
        """Refuse what would make rules that never fire.

        Raises:
            ValueError: An objective or a span makes no sense.
        """
        for name in ("availability_objective", "latency_objective", "parity_objective"):
            share = getattr(self, name)
            if not 0 < share < 1:
                raise ValueError(f"{name}: expected over 0 and under 1, got {share}")
        if self.slow_seconds not in LATENCY_BOUNDS:
            bounds = ", ".join(f"{bound:g}" for bound in LATENCY_BOUNDS)
            raise ValueError(
                f"latency_seconds: expected one of {bounds}, got {self.latency_seconds}"
            )
        for name in ("cpu_cores", "hour_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected over 0, got {getattr(self, name)}")

    @property
    def slow_seconds(self) -> float:
        """How long a request may take: what was settled, or the guess."""
        return GUESSED_SECONDS if self.latency_seconds is None else self.latency_seconds

    def span(self, duration: str) -> str:
        """Return a Prometheus duration at the pace of `hour_seconds`: `5m` is `5m` by default.

        Raises:
            ValueError: It is not a number and a unit.
        """
        if self.hour_seconds == SECONDS["h"]:
            return duration
        return f"{max(round(1000 * self.span_seconds(duration)), 1)}ms"

    def span_seconds(self, duration: str) -> float:
        """Return the same in seconds."""
        return seconds_of(duration) * self.hour_seconds / SECONDS["h"]

    def select(self, metric: str, matchers: str = "") -> str:
        """Return the selector of a metric's series that come from our jobs."""
        jobs = [] if self.job == EVERYTHING else [f'job=~"{_quoted(self.job)}"']
        inner = ",".join([*jobs, *([matchers] if matchers else [])])
        return f"{metric}{{{inner}}}" if inner else metric


def seconds_of(duration: str) -> float:
    """Return a Prometheus duration such as `5m` in seconds; raises ValueError."""
    match = re.fullmatch(r"([0-9]+)(ms|[smhdw])", duration)
    if match is None:
        raise ValueError(f"duration: expected one such as '1m', got {duration!r}")
    return int(match[1]) * SECONDS[match[2]]


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")


DEFAULTS = Settings()
