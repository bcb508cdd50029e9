"""Recording rules that compute drift over all replicas of a model, in Prometheus.

Replicas with one reference count rows in the same bins, so their counters add up: rows are summed
over the fleet first and scored after, as one process would score that had seen all rows. A mean
of the replicas' own scores is another number.

A recorded series `level:metric:operations` keeps the place, `model` and `version` and carries no
`instance`. Where its metric part is the name of a gauge of ours, it is the same score.

By default only features are scored whose replicas have a PSI over half of the threshold, in the
mean by rows. Others do not drift over the fleet: PSI is convex in the current shares, so that of
all rows is no more than this mean. So a fleet without drift records nothing, where it would record
more than is scraped. Of a model that drifts in all of its features, those are scored that do so
the most: of all rows, so that one odd replica hides nothing.

A replica whose scrape fails is as it was: gauges are the last of five minutes. Else a score would
end, or change, with each scrape that fails, and the alerts on it would wait anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlmon_exporter.core.drift.readings import ROLES, Role

from . import all_scores
from .fleet_expressions import OF_BINS, RECENT, SUM, half_added, noise, psi, recent
from .rule_files import Group, Rule, rule_file
from .settings import DEFAULTS, VERSION, Settings

SUSPECT = 0.5
"""Mean PSI of replicas, in thresholds: windows of replicas and rules do not align. A threshold
rises as rows get fewer, so that a night does not make a suspect of each feature."""
MOST_SUSPECTS = 10
"""Features that are scored of a model: enough to tell that it drifts, and by which."""
PARTS = {
    "1": 'feature=~".*[0-2a-d]"',
    "2": 'feature=~".*[3-5e-l]"',
    "3": 'feature=~".*[67m-r]"',
    "4": 'feature!~".*[0-7a-r]"',
}
"""Groups that read features -> the features that they read: about as many, in English."""
FILE = "recording/mlmon-fleet.yml"
"""Folder of the rules, in `alerts/`."""
SERIES = re.compile(r"((?:\w+:)?\bmlmon_\w+(?::\w+)?)(?:\{([^}]*)\})?")
"""A selector: the metric, and the matchers if there are any."""
ABOUT = f"""\
Drift over all replicas of a model: rows are added up over the fleet first, and scored after.
Made by `python -m mlmon_exporter.assets.rules` from fleet.py there; change that, not this file.

feature:... is about the model's features, output:... about its predictions, derived:... about
columns derived from features. Labels are {VERSION},
and feature, output or derived. Scores are absent while no row came; ..._rows:<window> says how many
came.
Replicas must have the same reference: rows in the bins of different ones do not add up."""


def fleet_file(settings: Settings = DEFAULTS) -> str:
    """Return the rule file, of the settings' jobs and with the scores that they ask for."""
    groups = fleet_groups(settings)
    if settings.has_all_scores:
        groups = all_scores.all_groups(all_scores.DEFAULT.at_pace(settings))
    made = [
        group._replace(rules=[_of_jobs(rule, settings) for rule in group.rules]) for group in groups
    ]
    return rule_file(made, ABOUT)


def _of_jobs(rule: Rule, settings: Settings) -> Rule:
    expr = SERIES.sub(lambda found: settings.select(found[1], found[2] or ""), rule.expr)
    return rule._replace(expr=expr.replace(f"[{RECENT}]", f"[{settings.span(RECENT)}]"))


def fleet_groups(settings: Settings = DEFAULTS) -> list[Group[Rule]]:
    """Return the rules for PSI of an hour, of the columns of each side.

    To read an hour of each counter takes longest. Prometheus evaluates groups at the same time, so
    features are read in several groups, by the last letter of their names, and scored in another.
    """
    every = settings.span("1m")
    features, *others = map(_Side, ROLES)
    parts = [
        Group(f"mlmon-feature-bins-{part}", every, [*_read(features, settings, matcher, part)])
        for part, matcher in PARTS.items()
    ]
    return [
        Group("mlmon-feature-suspects", every, [_suspects(features)]),
        *parts,
        Group("mlmon-feature-1h", every, [*_scores(features)]),
        *(
            Group(
                f"mlmon-{side.what}-1h",
                every,
                [_suspects(side), *_read(side, settings), *_scores(side)],
            )
            for side in others
        ),
    ]


class _Side:
    """Names of one side of a model."""

    def __init__(self, role: Role) -> None:
        self.what, self.prefix = role.label, role.prefix
        self.column = f"{VERSION}, {role.label}"
        self.by_bin = f"{self.column}, kind, bin"
        self.suspects = self.name("suspected", "ratio")
        self.in_bins = self.name("bin_rows", "1h", "_bin")
        self.reference = self.name("reference_rows", "smoothed", "_bin")

    def name(self, metric: str, operations: str, level: str = "") -> str:
        return f"{self.what}{level}:{self.prefix}_{metric}:{operations}"


def _suspects(side: _Side) -> Rule:
    psi, threshold, rows = (
        recent(f"{side.prefix}_{name}") for name in ("psi", "psi_threshold", "window_rows")
    )
    return Rule(
        side.suspects,
        f"""\
topk by ({VERSION}) (
  {MOST_SUSPECTS},
  max by ({side.column}) (
    sum by ({side.column}, window) ({psi} / {threshold} * {rows})
    / sum by ({side.column}, window) ({rows})
  ) > {SUSPECT}
)""",
        f"Each {side.what} that may have drifted over the fleet, but no more than {MOST_SUSPECTS} "
        "of a model:\nthe mean PSI of its replicas by rows, in thresholds.",
    )


def _read(side: _Side, settings: Settings, matcher: str = "", part: str = "") -> Iterator[Rule]:
    """Rules that read what is scraped, of the columns of a matcher."""
    which = f"{{{matcher}}}" if matcher else ""
    labels = {"part": part} if part else None
    increase = f"increase({side.prefix}_bin_rows_total{which}[{settings.span('1h')}])"
    of_suspects = f"and on ({side.column}) {side.suspects}"
    ratio = recent(f"{side.prefix}_reference_ratio{which}")
    shares = f"avg by ({side.by_bin}) ({ratio} {of_suspects})"
    yield Rule(
        side.in_bins,
        f"sum by ({side.by_bin}) ({increase} {of_suspects})",
        f"Rows in each bin of the {side.what}s.",
        labels,
    )
    yield Rule(
        side.reference,
        half_added(shares),
        "Rows of the reference in each bin, half a row added to each: the mean over replicas.",
        labels,
    )


def _scores(side: _Side) -> Iterator[Rule]:
    """Rules that score what was read."""
    what, in_bins = side.what, side.in_bins
    rows, bins = side.name("rows", "1h"), side.name("reference_rows", "count")
    yield Rule(rows, f"{SUM} ({in_bins})", f"Rows of the {what}.")
    yield Rule(bins, f"count {OF_BINS} ({side.reference})", f"Bins of the {what}.")
    yield Rule(
        side.name("psi", "1h"),
        psi(in_bins, rows, side.reference, bins),
        "Population stability index, nats; half a row is added to each bin.",
    )
    yield Rule(
        side.name("psi_noise", "1h"),
        noise(rows, bins),
        "PSI that chance alone exceeds once in a thousand windows: the chi-square quantile by\n"
        "Wilson and Hilferty, times (1 / rows + 1 / reference rows).",
    )
