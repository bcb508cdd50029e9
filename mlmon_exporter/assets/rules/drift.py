"""Alerts on drift, and on the references that it is judged by.

Tickets come from each replica's own verdict, `mlmon_..._drifted`; pages from the scores of the
whole fleet (`fleet.py`), held against the exported thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlmon_exporter.core.drift.readings import FEATURES, OUTPUTS, Role
from mlmon_exporter.core.settings import LEARNED

from .alert import Alert
from .settings import Settings

VERSION = "job, model, version"
LABELS = ("job", "model", "version")
LEAST_ROWS = 1000
"""Rows of the fleet in an hour, under which drift wakes nobody."""
NOISE_FACTOR = 3
"""A page is for a PSI so many times what chance brings once in a thousand windows."""
STALE_DAYS = 180
WHO = "{{ $labels.model }} {{ $labels.version }} ({{ $labels.job }})"


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    found = []
    for role, what in ((FEATURES, "Feature"), (OUTPUTS, "Prediction")):
        found += [_drifted(settings, role, what), _fleet_drifted(settings, role, what)]
    return [*found, *_reference_alerts(settings)]


def _drifted(settings: Settings, role: Role, what: str) -> Alert:
    column = f"{{{{ $labels.{role.label} }}}}"
    return Alert(
        name=f"Mlmon{what}Drift",
        severity="warning",
        expr=(
            f"max by ({VERSION}, {role.label}, window) "
            f"({settings.select(f'{role.prefix}_drifted')}) == 1"
        ),
        labels=(*LABELS, role.label, "window"),
        hold="15m",
        keep="1h",
        summary=f"{what} {column} of {{{{ $labels.model }}}} has drifted",
        description=(
            f"At least one replica of {WHO} says that {column} differs from the reference in the "
            "last {{ $labels.window }} by more than chance and time bring."
        ),
        board=_board(role),
    )


def _fleet_drifted(settings: Settings, role: Role, what: str) -> Alert:
    """One page a model, however many of its columns drift, so that none comes as they spread."""
    by = f"{VERSION}, {role.label}"
    psi = settings.select(f"{role.label}:{role.prefix}_psi:1h")
    day = settings.select(f"{role.label}:{role.prefix}_psi:1d")
    noise = settings.select(f"{role.label}:{role.prefix}_psi_noise:1h")
    rows = settings.select(f"{role.label}:{role.prefix}_rows:1h")
    threshold = settings.select(f"{role.prefix}_psi_threshold")
    # What is recorded every five minutes would at times be just too old to be seen.
    lasting = f"last_over_time({day}[{settings.span('10m')}]"
    # Of replicas, the one with the most rows has the threshold nearest to that of all rows; of
    # windows, the greatest, since ours need not be those that the exporter was told.
    bar = f"max by ({by}) (min by ({by}, window) ({threshold}))"
    # Rows of an afternoon know no night: what is learned from them is worth tickets, not sleep.
    # So is a day that has just begun, which holds what the hour holds.
    learned = settings.select("mlmon_model_info", f'reference="{LEARNED}"')
    return Alert(
        name=f"MlmonFleet{what}Drift",
        severity="critical",
        expr=f"""\
count by ({VERSION}) (
  {psi} > {bar}
  and {lasting}) > {bar}
  and {lasting} offset {settings.span(settings.day_filled)})
  and {psi} > {NOISE_FACTOR} * {noise}
  and {rows} >= {LEAST_ROWS}
)
unless on ({VERSION}) {learned}""",
        labels=LABELS,
        hold="30m",
        keep="30m",
        summary=(
            f"{what}s of {{{{ $labels.model }}}} have drifted in the whole fleet"
            f"{_greatest(psi, role)}"
        ),
        description=(
            f"Over all replicas of {WHO}, {{{{ $value }}}} of its {what.lower()}s have a PSI over "
            f"the threshold in the last hour, as in the last day."
        ),
        board=_board(role),
    )


def _greatest(psi: str, role: Role) -> str:
    """Return a text that Prometheus completes with the column of the greatest PSI."""
    matchers = ",".join(f"{label}=%q" for label in LABELS)
    of_model = f"{psi[:-1]},{matchers}}}" if psi.endswith("}") else f"{psi}{{{matchers}}}"
    query = "topk(1, " + of_model.replace("\\", "\\\\").replace('"', '\\"') + ")"
    values = " ".join(f"$labels.{label}" for label in LABELS)
    return (
        f'{{{{ with printf "{query}" {values} | query }}}}, '
        f'{{{{ . | first | label "{role.label}" }}}} the most '
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
            f"{WHO} has been learning its reference for over a day: until that is done nothing is "
            "scored, and no drift is seen."
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
            f"The reference of {WHO} was built {{{{ $value | humanizeDuration }}}} ago: what it "
            "calls drift may long be normal."
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
            f"Replicas of {WHO} have references built {{{{ $value | humanizeDuration }}}} apart: "
            "their rows are in different bins, and do not add up to drift of the fleet."
        ),
        board="drift",
    )
