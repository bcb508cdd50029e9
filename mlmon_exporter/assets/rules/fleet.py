"""Recording rules that compute drift over all replicas of a model, in Prometheus.

Replicas with one reference count rows in the same bins, so their counters add up: rows are summed
over the fleet first and scored after, as one process would score that had seen all rows. A mean
of the replicas' own scores is another number.

A recorded series `level:metric:operations` keeps the place, `model` and `version` and carries no
`instance`. Where its metric part is the name of a gauge of ours, it is the same score. By default
no series of a bin is recorded: with 300 services these were more than all that is scraped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlmon_exporter.core.drift.readings import FEATURES, OUTPUTS, Role

from . import all_scores
from .fleet_expressions import PER_COLUMN, PER_MODEL, REFERENCE_ROWS, noise
from .rule_files import Group, Rule, rule_file
from .settings import DEFAULTS, VERSION, Settings

FILE = "recording/mlmon-fleet.yml"
"""Where the rules are, in `alerts/`."""
SERIES = re.compile(r"((?:\w+:)?\bmlmon_\w+(?::\w+)?)(?:\{([^}]*)\})?")
"""A selector: the metric, and the matchers if there are any."""
ABOUT = f"""\
Drift over all replicas of a model: rows are added up over the fleet first, and scored after.
Made by `python -m mlmon_exporter.assets.rules` from fleet.py there; change that, not this file.

feature:... is about the model's features, output:... about its predictions. Labels are {VERSION},
and feature or output. Scores are absent while no row came; ..._rows:<window> says how many came.
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
    return rule._replace(expr=expr)


def fleet_groups(settings: Settings = DEFAULTS) -> list[Group[Rule]]:
    """Return the rules for PSI of an hour: those of references, then of features and outputs."""
    roles = (FEATURES, OUTPUTS)
    slow = Group("mlmon-bins", settings.span("5m"), [_bins(role) for role in roles])
    return [
        slow,
        *(
            Group(f"mlmon-{role.label}-1h", settings.span("1m"), list(_scores(role, settings)))
            for role in roles
        ),
    ]


def _named(role: Role, metric: str, operations: str) -> str:
    return f"{role.label}:{role.prefix}_{metric}:{operations}"


def _bins(role: Role) -> Rule:
    by_bin = f"{VERSION}, {role.label}, kind, bin"
    return Rule(
        _named(role, "reference_ratio", "count"),
        f"""\
count without (kind, bin) (group by ({by_bin}) ({role.prefix}_reference_ratio))""",
        f"Bins of the {role.label}.",
    )


def _scores(role: Role, settings: Settings) -> Iterator[Rule]:
    rows, counted = _named(role, "rows", "1h"), f"{role.prefix}_bin_rows_total"
    # Recorded every five minutes, which may be just too old to be seen.
    bins = f"last_over_time({_named(role, 'reference_ratio', 'count')}[{settings.span('15m')}])"
    increase = f"increase({counted}[{settings.span('1h')}])"
    yield Rule(
        rows,
        f"sum by ({VERSION}, {role.label}) ({increase})",
        f"Rows of the {role.label}.",
    )
    yield Rule(
        _named(role, "psi", "1h"),
        _psi(role, increase, rows, bins),
        "Population stability index, nats; half a row is added to each bin.",
    )
    yield Rule(
        _named(role, "psi_noise", "1h"),
        noise(rows, bins),
        "What PSI exceeds by chance alone once in a thousand windows: the chi-square quantile by\n"
        "Wilson and Hilferty, times (1 / rows + 1 / reference rows).",
    )


def _psi(role: Role, increase: str, rows: str, bins: str) -> str:
    """Return PSI from counters alone.

    With x and y rows of a bin in the fleet and in the reference, half a row added, and X and Y
    their sums: sum((x/X - y/Y) * ln((x/X) / (y/Y))) = sum((x/X - y/Y) * ln(x/y)), since shares
    add up to 1 on both sides.
    """
    by_bin = f"{VERSION}, {role.label}, kind, bin"
    x = f"(sum by ({by_bin}) ({increase}) + 0.5)"
    y = f"(avg by ({by_bin}) ({role.prefix}_reference_ratio) * {PER_MODEL} {REFERENCE_ROWS} + 0.5)"
    return f"""\
sum without (kind, bin) (
  (
    {x}
    / {PER_COLUMN} (({rows} > 0) + 0.5 * {bins})
    -
    {y}
    / {PER_COLUMN} (0.5 * {bins} + {PER_MODEL} {REFERENCE_ROWS})
  )
  * ln(
    {x}
    /
    {y}
  )
)"""
