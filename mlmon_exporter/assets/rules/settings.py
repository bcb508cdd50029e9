"""Options of the rules: objectives, jobs, severities, labels, links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlmon_exporter.core.counts.requests import LATENCY_BOUNDS

EVERYTHING = ".+"
GUESSED_SECONDS = 0.5
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
PLACE = ("cluster", "namespace", "job")
"""Labels that say where a model server runs. Where a scrape sets no cluster or namespace, grouping
by them changes nothing."""
MODEL = ", ".join((*PLACE, "model"))
VERSION = f"{MODEL}, version"
TARGET = ", ".join((*PLACE, "instance"))
OPTIONAL = ("estimates", "fairness", "importance", "native-histograms", "periods")
"""Rules for some services: their files are written to a folder that Prometheus does not load."""
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of `mlmon-exporter assets`; the committed files are made with the defaults."""

    job: str = EVERYTHING
    """A regular expression of the scrape jobs to watch."""
    availability_objective: float = 0.999
    """Share of requests, 0 to 1, that neither end in a server error nor are cut off."""
    latency_objective: float = 0.99
    """Share of requests, 0 to 1, that are answered within `slow_seconds`."""
    latency_seconds: float | None = None
    """A bucket bound of `mlmon_request_duration_seconds`; slower answers page. None: a guess, and
    slower answers make tickets."""
    parity_objective: float = 0.8
    """Least over greatest selection ratio of a feature's segments, 0 to 1. The four-fifths rule of
    the US Uniform Guidelines on Employee Selection Procedures (1978), a rule of thumb."""
    drift_importance: float = 0.3
    """Share of the importance of all features, 0 to 1, whose drift pages; the optional alert reads
    it."""
    optional: tuple[str, ...] = ()
    """Of `OPTIONAL`: files that are written among those that Prometheus loads."""
    severities: Mapping[str, str] = field(default_factory=dict)
    """Alert -> severity, where it is not the default."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels added to every alert, such as `team`."""
    has_all_scores: bool = False
    """True if all scores of the fleet are recorded, else only PSI of the hour, which alerts and
    boards read. All of them are some 1.3 times as many series as are scraped."""
    runbook_url: str = "runbooks"
    """Address of the runbooks: each alert links to `<runbook_url>/<alert>.md`."""
    dashboard_url: str = ""
    """Address of Grafana, without a slash at the end; empty: links are relative to it."""
    hour_seconds: float = 3600.0
    """Length of the rules' hour. All spans of time shrink with it; names of recorded series stay,
    so that boards and alerts fit. For demonstrations and tests."""

    def __post_init__(self) -> None:
        """Refuse values that would make rules that never fire.

        Raises:
            ValueError: An objective, a span or a label makes no sense.
        """
        shares = "availability_objective latency_objective parity_objective drift_importance"
        for name in shares.split():
            share = getattr(self, name)
            if not 0 < share < 1:
                raise ValueError(f"{name}: expected over 0 and under 1, got {share}")
        for name in self.optional:
            if name not in OPTIONAL:
                raise ValueError(f"optional: expected one of {', '.join(OPTIONAL)}, got {name!r}")
        if self.slow_seconds not in LATENCY_BOUNDS:
            bounds = ", ".join(f"{bound:g}" for bound in LATENCY_BOUNDS)
            raise ValueError(
                f"latency_seconds: expected one of {bounds}, got {self.latency_seconds}"
            )
        if self.hour_seconds <= 0:
            raise ValueError(f"hour_seconds: expected over 0, got {self.hour_seconds}")
        for label in self.labels:
            if not _LABEL.fullmatch(label) or label in {"severity", "subsystem", "alertname"}:
                raise ValueError(f"labels: expected a label's name such as team, got {label!r}")

    @property
    def slow_seconds(self) -> float:
        """Seconds that a request may take: the option, or the guess."""
        return GUESSED_SECONDS if self.latency_seconds is None else self.latency_seconds

    @property
    def has_relative_links(self) -> bool:
        """Links of alerts are dead outside Grafana and a folder of runbooks."""
        links = (self.runbook_url, self.dashboard_url)
        return not all(link.startswith(("http://", "https://")) for link in links)

    def folder(self, optional: str, folder: str = "alerting") -> str:
        """Return the folder of an optional file: this one, if it is wanted."""
        return folder if optional in self.optional else "optional"

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
        """Return the selector of a metric's series that come from the jobs to watch."""
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
