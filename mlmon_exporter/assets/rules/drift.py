"""Alerts on drift, and on references.

A replica's own verdict, `mlmon_..._drifted`, makes a ticket for each feature or output; scores of
the whole fleet (`fleet.py`) beside the exported thresholds make one for the model, which holds the
others back. Drift is a cause, not a symptom: it pages only if `Settings.severities` says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlmon_exporter.core.drift.readings import FEATURES, OUTPUTS, Role
from mlmon_exporter.core.settings import LEARNED

from .alert import ROWS_KNOWN, THE_MODEL, Alert, unless_independent
from .settings import PLACE, VERSION, Settings

LABELS = ("job", "model", "version")
LEAST_ROWS = 1000
"""Rows of the fleet in an hour, under which there is no verdict on the fleet."""
NOISE_FACTOR = 3
"""Least ratio of the fleet's PSI to what chance brings once in a thousand windows."""
STALE_DAYS = 180


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [
        _drifted(settings, FEATURES, "Feature"),
        _drifted(settings, OUTPUTS, "Prediction"),
        _fleet_drifted(settings),
        *_reference_alerts(settings),
    ]


def _drifted(settings: Settings, role: Role, what: str) -> Alert:
    column = f"{{{{ $labels.{role.label} }}}}"
    verdicts = settings.select(f"{role.prefix}_drifted")
    return Alert(
        name=f"Mlmon{what}Drift",
        severity="warning",
        expr=f"""\
max by ({VERSION}, {role.label}) (
  {verdicts}
  {unless_independent(settings, ROWS_KNOWN)}
) == 1""",
        labels=(*LABELS, role.label),
        hold="15m",
        keep="1h",
        summary=f"{what} {column} of {{{{ $labels.model }}}} has drifted",
        description=(
            f"At least one replica of {THE_MODEL} says that {column} differs from the reference in "
            "a window by more than chance and time bring."
        ),
        board=_board(role),
    )


def _fleet_drifted(settings: Settings) -> Alert:
    """One alert for a model, however many features and outputs drift, so that none is added."""
    # A reference that was learned from an afternoon knows no night.
    learned = settings.select("mlmon_model_info", f'reference="{LEARNED}"')
    drifted = "\n  or\n".join(_over(settings, role) for role in (FEATURES, OUTPUTS))
    return Alert(
        name="MlmonFleetDrift",
        severity="warning",
        expr=f"""\
count by ({VERSION}) (
{drifted}
)
unless on ({VERSION}) {learned}""",
        labels=LABELS,
        hold="30m",
        keep="30m",
        summary=f"{{{{ $labels.model }}}} has drifted in the whole fleet{_greatest(settings)}",
        description=(
            f"Over all replicas of {THE_MODEL}, {{{{ $value }}}} of its features and outputs have "
            "a PSI over the threshold in the last hour, and a replica agrees in all its windows."
        ),
        board="drift",
    )


def _over(settings: Settings, role: Role) -> str:
    by = f"{VERSION}, {role.label}"
    psi = settings.select(f"{role.label}:{role.prefix}_psi:1h")
    noise = settings.select(f"{role.label}:{role.prefix}_psi_noise:1h")
    rows = settings.select(f"{role.label}:{role.prefix}_rows:1h")
    threshold = settings.select(f"{role.prefix}_psi_threshold")
    verdicts = settings.select(f"{role.prefix}_drifted")
    verdicts = f"{verdicts} {unless_independent(settings, ROWS_KNOWN)}"
    # The replica with the most rows has the threshold nearest to that of all rows; of windows, the
    # greatest counts, since the fleet's hour need not be one of theirs.
    return f"""\
  (
    {psi} > max by ({by}) (min by ({by}, window) ({threshold}))
    and {psi} > {NOISE_FACTOR} * {noise}
    and {rows} >= {LEAST_ROWS}
    and max by ({by}) (min by ({by}, instance) ({verdicts})) == 1
  )"""


def _greatest(settings: Settings) -> str:
    """Return a text that Prometheus completes with the feature or output of the greatest PSI."""
    labels = (*PLACE, *LABELS[1:])
    matchers = ",".join(f"{label}=%q" for label in labels)
    names = '__name__=~"feature:mlmon_feature_psi:1h|output:mlmon_prediction_psi:1h"'
    query = f"topk(1, {settings.select('', f'{names},{matchers}')})"
    query = query.replace("\\", "\\\\").replace('"', '\\"')
    values = " ".join(f"$labels.{label}" for label in labels)
    name = '{{ . | first | label "feature" }}{{ . | first | label "output" }}'
    return (
        f'{{{{ with printf "{query}" {values} | query }}}}, {name} the most '
        "(PSI {{ . | first | value | printf `%.2f` }}){{ end }}"
    )


def _board(role: Role) -> str:
    return "drift" if role is FEATURES else "quality"


def _reference_alerts(settings: Settings) -> Iterator[Alert]:
    learning = settings.select("mlmon_reference_learning")
    made = settings.select("mlmon_reference_timestamp_seconds")
    rows = settings.select("mlmon_reference_rows")
    day = settings.span("1d")
    yield Alert(
        name="MlmonReferenceMissing",
        severity="warning",
        expr=f"""\
min by ({VERSION}) (min_over_time({learning}[{day}])) == 1
and max by ({VERSION}) ({learning} offset {day}) == 1
and max by ({VERSION}) ({rows}) > 0""",
        labels=LABELS,
        hold="15m",
        summary="{{ $labels.model }} has no reference yet",
        description=(
            f"{THE_MODEL} has been learning its reference for over a day: until that is done "
            "nothing is scored, and no drift is seen."
        ),
        board="drift",
    )
    yield Alert(
        name="MlmonReferenceStale",
        severity="warning",
        expr=(
            f"time() - max by ({VERSION}) ({made}) > {settings.span_seconds('1d'):g} * {STALE_DAYS}"
        ),
        labels=LABELS,
        hold="1h",
        summary="The reference of {{ $labels.model }} is old",
        description=(
            f"The reference of {THE_MODEL} was built {{{{ $value | humanizeDuration }}}} ago: what "
            "it calls drift may long be normal."
        ),
        board="drift",
    )
    yield Alert(
        name="MlmonReferenceInconsistent",
        severity="warning",
        expr=f"max by ({VERSION}) ({made}) - min by ({VERSION}) ({made}) > 0",
        labels=LABELS,
        # Shorter than that of drift in the fleet, which it silences.
        hold="15m",
        keep="15m",
        summary="Replicas of {{ $labels.model }} have different references",
        description=(
            f"Replicas of {THE_MODEL} have references built {{{{ $value | humanizeDuration }}}} "
            "apart: their rows are in different bins, and do not add up to drift of the fleet."
        ),
        board="drift",
    )
