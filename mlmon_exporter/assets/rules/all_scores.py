"""Recording rules for every score of the fleet, over an hour and a day: an option.

They record more series than are scraped, one for each bin of a feature: shares of rows, and their
changes, from which all scores are computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlmon_exporter.core.drift.readings import ROLES, Role

from .fleet_expressions import (
    PER_COLUMN,
    SUM,
    half_added,
    js_distance,
    ks_statistic,
    noise,
    psi,
    recent,
    value_change,
)
from .rule_files import Group, Rule
from .settings import VERSION, Settings, seconds_of


class Window(NamedTuple):
    """A span of time that is scored, and the interval of its rules."""

    range: str
    """A Prometheus duration."""
    every: str
    is_from_rate: bool = False
    """True if rows come from the recorded rate: for a long window, reading the counters each time
    would take ten times as long."""
    label: str = ""
    """Its name in the recorded names; empty: its range."""

    @property
    def name(self) -> str:
        """The end of the recorded names."""
        return self.label or self.range


class Plan(NamedTuple):
    """Windows that are scored, and the rate that long ones read."""

    windows: tuple[Window, ...] = (Window("1h", "1m"), Window("1d", "5m", is_from_rate=True))
    rate_range: str = "5m"
    """Should span four scrapes or more."""
    every: str = "1m"
    """Interval of the rules for the rate and the reference."""
    rate_label: str = ""
    """The rate's range in the recorded names; empty: its range."""

    def at_pace(self, settings: Settings) -> Plan:
        """Return the plan with all spans at the settings' pace, and the same names."""
        span = settings.span
        windows = (
            w._replace(range=span(w.range), every=span(w.every), label=w.name) for w in self.windows
        )
        label = self.rate_label or self.rate_range
        return Plan(tuple(windows), span(self.rate_range), span(self.every), label)


DEFAULT = Plan()


def all_groups(plan: Plan = DEFAULT) -> list[Group[Rule]]:
    """Return the rules: for each side of a model, what all windows share, then each window."""
    groups = []
    for role in ROLES:
        side = _Side(role, plan)
        groups.append(Group(f"mlmon-{role.label}-bins", plan.every, list(_shared(side))))
        for window in plan.windows:
            name = f"mlmon-{role.label}-{window.name}"
            groups.append(Group(name, window.every, list(_scores(side, window))))
    return groups


class _Side:
    """Names of one side of a model."""

    def __init__(self, role: Role, plan: Plan) -> None:
        self.what, self.prefix = role.label, role.prefix
        self.plan = plan
        self.by_bin = f"{VERSION}, {role.label}, kind, bin"
        self.reference = self.bin_name("reference_ratio", "avg")
        self.smoothed = self.bin_name("reference_rows", "smoothed")
        self.bins = self.name("reference_ratio", "count")
        self.rate = self.bin_name("bin_rows", f"rate{plan.rate_label or plan.rate_range}")

    def name(self, metric: str, operations: str) -> str:
        return f"{self.what}:{self.prefix}_{metric}:{operations}"

    def bin_name(self, metric: str, operations: str) -> str:
        return f"{self.what}_bin:{self.prefix}_{metric}:{operations}"


def _shared(side: _Side) -> Iterator[Rule]:
    """Rules that all windows read: the reference, and rows a second."""
    what, reference, ratio = side.what, side.reference, recent(f"{side.prefix}_reference_ratio")
    yield Rule(
        reference,
        f"""\
sum by ({side.by_bin}) ({ratio})
/ {PER_COLUMN}
sum by ({VERSION}, {what}) ({ratio})""",
        f"Share of the reference's rows in each bin of the {what}: the mean over replicas.",
    )
    yield Rule(side.bins, f"count without (kind, bin) ({reference})", f"Bins of the {what}.")
    yield Rule(
        side.smoothed,
        half_added(reference),
        "Rows of the reference in each bin, half a row added to each, which PSI compares with.",
    )
    yield Rule(
        side.rate,
        f"sum by ({side.by_bin}) (rate({side.prefix}_bin_rows_total[{side.plan.rate_range}]))",
        "Rows a second in each bin, over the fleet.",
    )


def _scores(side: _Side, window: Window) -> Iterator[Rule]:
    """Rows, shares and scores of one window."""
    at, reference = window.name, side.reference
    in_bins, rows = side.bin_name("bin_rows", at), side.name("rows", at)
    share, change = side.bin_name("bin_ratio", at), side.bin_name("value_ratio_change", at)
    yield Rule(in_bins, _rows(side, window), "Rows in each bin; 0 where a bin has no series.")
    yield Rule(rows, f"{SUM} ({in_bins})", f"Rows of the {side.what}.")
    yield Rule(share, f"{in_bins} / {PER_COLUMN} ({rows} > 0)", "Share of the rows in each bin.")
    yield Rule(
        side.name("psi", at),
        psi(in_bins, rows, side.smoothed, side.bins),
        "Population stability index, nats; half a row is added to each bin.",
    )
    yield Rule(
        side.name("psi_noise", at),
        noise(rows, side.bins),
        "What PSI exceeds by chance alone once in a thousand windows: the chi-square quantile by\n"
        "Wilson and Hilferty, times (1 / rows + 1 / reference rows).",
    )
    yield Rule(
        side.name("js_distance", at),
        js_distance(share, reference),
        "Jensen-Shannon distance, base 2, 0 to 1.",
    )
    yield Rule(
        side.name("hellinger_distance", at),
        f"sqrt(clamp_min(1 - {SUM} (sqrt({share} * {reference})), 0))",
        "Hellinger distance, 0 to 1.",
    )
    yield Rule(
        change,
        value_change(share, reference),
        "Change of each numeric bin's share of rows with a value; `ten` is the bin's first digit.",
    )
    yield Rule(
        side.name("ks_statistic", at),
        ks_statistic(change),
        "Kolmogorov-Smirnov statistic of numbers at the edges of bins, 0 to 1: the changes of all\n"
        "bins up to an edge, where they add up to most. Never above the statistic of the rows.",
    )
    yield Rule(
        side.name("l_infinity", at),
        f"""\
max without (kind, bin) (
  abs({share}{{kind="categorical"}} - {reference}{{kind="categorical"}})
)""",
        "Greatest change of a category's share, 0 to 1.",
    )


def _rows(side: _Side, window: Window) -> str:
    if window.is_from_rate:
        # Not the mean rate times the window: a bin, a feature or a server that is new has a mean
        # over the time that it exists, and would count as if it had always been so.
        step = seconds_of(side.plan.every)
        rows = f"{step:g} * sum by ({side.by_bin}) (sum_over_time({side.rate}[{window.range}]))"
    else:
        increase = f"increase({side.prefix}_bin_rows_total[{window.range}])"
        rows = f"sum by ({side.by_bin}) ({increase})"
    return f"{rows}\nor\n0 * sum by ({side.by_bin}) ({side.reference})"
