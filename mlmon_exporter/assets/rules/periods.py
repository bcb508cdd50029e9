"""An earlier period as a second baseline: optional, not loaded by default.

The reference says what is far from when all was well, which slow change is in the end. The same day
of last week says what changed since: suddenly. Prometheus has kept the counters of bins, so it
compares a day's rows with those of the day before and of a week ago; versions with themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlmon_exporter.core.drift.readings import FEATURES, OUTPUTS, Role

from .alert import THE_MODEL, Alert
from .fleet_expressions import NOISE_Z
from .rule_files import Group, Rule
from .settings import VERSION, Settings

FLOOR = 0.1
"""PSI between two days that matters, as the default floor of a replica's."""
NOISE_FACTOR = 3
"""Least ratio of PSI to what chance brings once in a thousand pairs of days."""
LEAST_ROWS = 1000
"""Rows of either day, under which days are not compared."""
EARLIER = {"1w": "the same day of last week", "1d": "the day before"}
"""Offset -> the period in words."""
RECORDED = """\
Optional rules that compare a day's rows with those of the day before and of a week ago.
feature:... is about the model's features, output:... about its predictions."""
LABELS = ("job", "model", "version")


def recordings(settings: Settings) -> Group[Rule]:
    """Return the rules for PSI between two days, of features and of outputs."""
    rules = [rule for role in (FEATURES, OUTPUTS) for rule in _of_side(settings, role)]
    return Group("mlmon-periods-1d", settings.span("5m"), rules)


def _of_side(settings: Settings, role: Role) -> Iterator[Rule]:
    what, column = role.label, f"{VERSION}, {role.label}"
    counter = settings.select(f"{role.prefix}_bin_rows_total")
    in_bins, share = f"{what}_bin:{role.prefix}_bin_rows:1d", f"{what}_bin:{role.prefix}_share:1d"
    yield Rule(
        in_bins,
        f"sum by ({column}, bin) (increase({counter}[{settings.span('1d')}]))",
        f"Rows of a day in each bin of the {what}s.",
    )
    yield Rule(
        share,
        f"({in_bins} + 0.5) / ignoring (bin) group_left () sum without (bin) ({in_bins} + 0.5)",
        "Their shares, half a row added to each bin.",
    )
    rows, bins = f"{what}:{role.prefix}_rows:1d", f"count without (bin) ({share})"
    yield Rule(rows, f"sum without (bin) ({in_bins})", "Rows of a day.")
    for offset, words in EARLIER.items():
        before = settings.span(offset)
        then = f"{share} offset {before}"
        yield Rule(
            f"{what}:{role.prefix}_psi:1d_offset_{offset}",
            f"sum without (bin) (({share} - {then}) * ln({share} / {then}))",
            f"PSI of a day against {words}, nats.",
        )
        freedom = f"({bins} - 1)"
        yield Rule(
            f"{what}:{role.prefix}_psi_noise:1d_offset_{offset}",
            f"({freedom} > 0)\n"
            f"* (1 - 2 / (9 * {freedom}) + {NOISE_Z} * sqrt(2 / (9 * {freedom}))) ^ 3\n"
            f"* (1 / {rows} + 1 / ({rows} offset {before}))",
            "What chance brings once in a thousand pairs: the chi-square quantile by Wilson and\n"
            "Hilferty, times (1 / rows + 1 / rows then).",
        )


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    moved = "\n  or\n".join(_moved(settings, role) for role in (FEATURES, OUTPUTS))
    return [
        Alert(
            name="MlmonSuddenDrift",
            severity="warning",
            expr=f"count by ({VERSION}) (\n{moved}\n)",
            labels=LABELS,
            hold="1h",
            keep="1h",
            summary="{{ $labels.model }} has changed since last week",
            description=(
                f"Of {THE_MODEL}, {{{{ $value }}}} features and outputs of the last day have a PSI "
                f"over {FLOOR:g} against the same day of last week, {NOISE_FACTOR} times what "
                "chance brings."
            ),
            board="drift",
        )
    ]


def _moved(settings: Settings, role: Role) -> str:
    psi, noise, rows = (
        settings.select(f"{role.label}:{role.prefix}_{metric}")
        for metric in ("psi:1d_offset_1w", "psi_noise:1d_offset_1w", "rows:1d")
    )
    return f"""\
  (
    {psi} > {FLOOR:g}
    and {psi} > {NOISE_FACTOR} * {noise}
    and {rows} >= {LEAST_ROWS}
    and {rows} offset {settings.span("1w")} >= {LEAST_ROWS}
  )"""
