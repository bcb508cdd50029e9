"""Alerts on drift, and on references.

A replica's own verdict, `mlmon_..._drifted`, makes a ticket for each column; scores of
the whole fleet (`fleet.py`) beside the exported thresholds make one for the model, which holds the
others back. Drift is a cause, not a symptom: it pages only if `Settings.severities` says so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from mlmon_exporter.core.drift.readings import DERIVED, FEATURES, OUTPUTS, ROLES, Role
from mlmon_exporter.core.drift.risen import MOST
from mlmon_exporter.core.settings import LEARNED

from .alert import ROWS_KNOWN, THE_MODEL, Alert, unless_independent
from .fleet_expressions import RECENT, recent
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
        _joint(settings),
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
            f"a window by more than chance and time bring{_moved(settings, role)}."
        ),
        board=_board(role),
    )


def _moved(settings: Settings, role: Role) -> str:
    """Return a text that Prometheus completes with the bin whose share moved most."""
    hour = settings.span("1h")

    def rows(matchers: str = "%s") -> str:
        of = settings.select(f"{role.prefix}_bin_rows_total", matchers)
        return f"increase({of}[{hour}])"

    ratio = settings.select(f"{role.prefix}_reference_ratio", "%s")
    share = f"sum by (bin) ({rows()}) / scalar(sum({rows()}))"
    apart = f"max by (bin, interval) ({ratio}) - on (bin) group_left () ({share})"
    now = f"100 * sum({rows('%s,bin=%q')}) / scalar(sum({rows()}))"
    before = f"100 * max({settings.select(f'{role.prefix}_reference_ratio', '%s,bin=%q')})"
    percent = "query | first | value | printf `%.0f`"
    return (
        f"{_here((*PLACE, *LABELS[1:], role.label))}"
        f"{{{{ with printf `topk(1, abs({apart}))` . . . | query }}}}"
        '{{ $bin := . | first | label "bin" }}; in the last hour, '
        f"{{{{ printf `{now}` $here $bin $here | {percent} }}}} % of rows are "
        '{{ with . | first | label "interval" }}'
        "{{ $one := reReplaceAll `^[[]|, .*` `` . }}"
        "{{ if eq . (printf `[%s, %s]` $one $one) }}{{ $one }}"
        '{{ else if match "^(missing|other|unseen)$" . }}{{ . }}{{ else }}in {{ . }}'
        "{{ end }}{{ end }}, "
        f"{{{{ printf `{before}` $here $bin | {percent} }}}} % in the reference"
        "{{ end }}{{ end }}"
    )


def _here(labels: Sequence[str]) -> str:
    """Return the begin of a text in which `$here`, and the dot, match the alert's labels."""
    matchers = ",".join(f"{label}=%q" for label in labels)
    values = " ".join(f"$labels.{label}" for label in labels)
    return f"{{{{ with printf `{matchers}` {values} }}}}{{{{ $here := . }}}}"


def _joint(settings: Settings) -> Alert:
    """One alert for a model, since the columns derived from its features drift together."""
    one = _drifted(settings, DERIVED, "Joint")
    return replace(
        one,
        expr=f"count by ({VERSION}) (\n{textwrap.indent(one.expr, '  ')}\n)",
        labels=LABELS,
        summary="Rows of {{ $labels.model }} differ from the reference, each taken as a whole",
        description=(
            f"At least one replica of {THE_MODEL} says so by {{{{ $value }}}} of the columns that "
            "are derived from its features together, or from vectors such as embeddings."
            f"{_carriers(settings)} No feature need have drifted alone."
        ),
    )


def _carriers(settings: Settings) -> str:
    """Return a text that Prometheus completes with the features that carry the change."""
    (now, now_of), (before, before_of) = (
        [settings.select(f"{DERIVED.prefix}_risen_{what}", to) for to in ("%s", "%s,bin=%q")]
        for what in ("ratio", "reference_ratio")
    )
    from_to = " → ".join(
        f"{{{{ printf `max({of_one})` $here .Labels.bin | query | first | value | "
        "humanizePercentage }}"
        for of_one in (before_of, now_of)
    )
    return (
        f"{_here((*PLACE, *LABELS[1:]))}"
        f"{{{{ with printf `topk({MOST}, max by (bin) ({now} - {before}))` . . | query }}}} "
        "Least explained by the others, and more often than before: "
        "{{ range $i, $each := . }}{{ if $i }}, {{ end }}{{ .Labels.bin }} "
        f"({from_to} of rows){{{{ end }}}}.{{{{ end }}}}{{{{ end }}}}"
    )


def _fleet_drifted(settings: Settings) -> Alert:
    """One alert for a model, however many features and outputs drift, so that none is added."""
    # A reference that was learned from an afternoon knows no night.
    learned = settings.select("mlmon_model_info", f'reference="{LEARNED}"')
    drifted = "\n  or\n".join(_over(settings, role) for role in ROLES)
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
            f"Over all replicas of {THE_MODEL}, {{{{ $value }}}} of its columns have "
            "a PSI over the threshold in the last hour, and a replica agrees in all its windows."
        ),
        board="drift",
    )


def _over(settings: Settings, role: Role) -> str:
    by = f"{VERSION}, {role.label}"
    recorded, exported = f"{role.label}:{role.prefix}", role.prefix
    psi, noise, rows, threshold, verdicts = (
        recent(settings.select(name), settings.span(RECENT))
        for name in (
            f"{recorded}_psi:1h",
            f"{recorded}_psi_noise:1h",
            f"{recorded}_rows:1h",
            f"{exported}_psi_threshold",
            f"{exported}_drifted",
        )
    )
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
    """Return a text that Prometheus completes with the column that drifted most.

    That is by PSI over its threshold, times the importance of a feature over the mean.
    """
    names = "|".join(f"{role.label}:{role.prefix}_psi:1h" for role in ROLES)
    limits = "|".join(f"{role.prefix}_psi_threshold" for role in ROLES)
    psi, limit = (settings.select("", f'__name__=~"{name}",%s') for name in (names, limits))
    importance = settings.select("mlmon_feature_importance_ratio", "%s")
    column = f"({', '.join(role.label for role in ROLES)})"
    to_column = f"on {column} group_left ()"
    over = f"{psi} / {to_column} max by {column} ({limit})"
    share = f"max by {column} ({importance})"
    weighed = f"{over} * {to_column} ({share} * scalar(count({share})))"
    query = f"{psi} and on {column} topk(1, {weighed} or on {column} {over})"
    name = "".join(f'{{{{ . | first | label "{role.label}" }}}}' for role in ROLES)
    return (
        f"{_here((*PLACE, *LABELS[1:]))}"
        f"{{{{ with printf `{query}`{' .' * query.count('%s')} | query }}}}, {name} the most "
        "(PSI {{ . | first | value | printf `%.2f` }}){{ end }}{{ end }}"
    )


def _board(role: Role) -> str:
    return "quality" if role is OUTPUTS else "drift"


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
