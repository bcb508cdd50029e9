"""Recording rules that compute drift over all replicas of a model, in Prometheus.

Replicas with one reference count rows in the same bins, so their counters add up: rows are summed
over the fleet first and scored after, as one process would score that had seen all rows. A mean
of the replicas' own scores is another number.

A recorded series `level:metric:operations` keeps the place, `model` and `version` and carries no
`instance`. Where its metric part is the name of a gauge of ours, it is the same score.

By default only features are scored of which a replica has a PSI over `SUSPECT`. Others do not drift
over the fleet: PSI is convex in the current shares, and those of the fleet are a mean of the
replicas'. So a fleet without drift records nothing, where it would record more than is scraped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlmon_exporter.core.drift.readings import FEATURES, OUTPUTS, Role

from . import all_scores
from .fleet_expressions import PER_COLUMN, PER_MODEL, REFERENCE_ROWS, SUM, noise, psi
from .rule_files import Group, Rule, rule_file
from .settings import DEFAULTS, VERSION, Settings

SUSPECT = 0.05
"""Half of the least threshold of PSI by default: windows of replicas and rules do not align."""
FILE = "recording/mlmon-fleet.yml"
"""Folder of the rules, in `alerts/`."""
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
    """Return the rules for PSI of an hour, of features and of outputs."""
    return [
        Group(f"mlmon-{role.label}-1h", settings.span("1m"), list(_scores(role, settings)))
        for role in (FEATURES, OUTPUTS)
    ]


def _scores(role: Role, settings: Settings) -> Iterator[Rule]:
    what, prefix = role.label, role.prefix
    column, by_bin = f"{VERSION}, {what}", f"{VERSION}, {what}, kind, bin"

    def named(metric: str, operations: str, level: str = "") -> str:
        return f"{what}{level}:{prefix}_{metric}:{operations}"

    suspects = named("suspected", "psi")
    in_bins, rows = named("bin_rows", "1h", "_bin"), named("rows", "1h")
    reference = named("reference_ratio", "avg", "_bin")
    smoothed = named("reference_ratio", "smoothed", "_bin")
    bins = named("reference_ratio", "count")
    increase = f"increase({prefix}_bin_rows_total[{settings.span('1h')}])"
    yield Rule(
        suspects,
        f"max by ({column}) ({prefix}_psi) > {SUSPECT}",
        f"Each {what} that may have drifted over the fleet: the greatest PSI of a replica.",
    )
    yield Rule(
        in_bins,
        f"sum by ({by_bin}) ({increase} and on ({column}) {suspects})",
        "Rows in each of its bins.",
    )
    yield Rule(
        reference,
        f"avg by ({by_bin}) ({prefix}_reference_ratio and on ({column}) {suspects})",
        "Share of the reference's rows in each bin: the mean over replicas.",
    )
    yield Rule(rows, f"{SUM} ({in_bins})", f"Rows of the {what}.")
    yield Rule(bins, f"count without (kind, bin) ({reference})", f"Bins of the {what}.")
    yield Rule(
        smoothed,
        f"""\
({reference} * {PER_MODEL} {REFERENCE_ROWS} + 0.5)
/ {PER_COLUMN}
(0.5 * {bins} + {PER_MODEL} {REFERENCE_ROWS})""",
        "Shares of the reference with half a row added to each bin, which PSI compares with.",
    )
    yield Rule(
        named("psi", "1h"),
        psi(in_bins, rows, smoothed, bins),
        "Population stability index, nats; half a row is added to each bin.",
    )
    yield Rule(
        named("psi_noise", "1h"),
        noise(rows, bins),
        "PSI that chance alone exceeds once in a thousand windows: the chi-square quantile by\n"
        "Wilson and Hilferty, times (1 / rows + 1 / reference rows).",
    )
